package lease

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/zennet/zennet/ledger/types"
)

// Keys cost nothing: whoever wants to crowd others out dials with hundreds. What
// costs is addresses. So offers wait in places that are bounded by provider and by
// network, the fullest network gives way first, and where all are alike chance
// decides, not who came first. Which offer is taken: choose.go.
const (
	maxOffers    = 256 // that wait, of one request
	maxOfGroup   = 32  // of them, from one network
	maxOfAddress = 16  // of them, from one provider
)

// groupOf names the network that a provider dials from: the /24 or /48 of its
// address (PROTOCOL.md 5.6). On this machine, each provider stands for itself.
func groupOf(c network.Conn, provider types.Address) string {
	ip, err := manet.ToIP(c.RemoteMultiaddr())
	switch {
	case err != nil: // through a relay that says no address
		return "relayed"
	case ip.IsLoopback():
		return provider.String()
	case ip.To4() != nil:
		return ip.Mask(net.CIDRMask(24, 32)).String()
	}
	return ip.Mask(net.CIDRMask(48, 128)).String()
}

// admit gives an offer a place, or says why there is none; mu is held. An offer
// that has to make room is declined.
func (q *request) admit(o offer) (refused string) {
	ofGroup := map[string]int{}
	ofProvider := 0
	for _, other := range q.offers {
		ofGroup[other.s.group]++
		if other.s.provider == o.s.provider {
			ofProvider++
		}
	}
	q.came++
	switch {
	case ofProvider >= min(max(q.Count, 1), maxOfAddress):
		return fmt.Sprintf("%d of its offers wait already", ofProvider)
	case ofGroup[o.s.group] >= maxOfGroup:
		return fmt.Sprintf("%d offers from its network wait already", maxOfGroup)
	case len(q.offers) >= maxOffers:
		i := q.giveWay(ofGroup, ofGroup[o.s.group])
		if i < 0 {
			return "too many offers"
		}
		q.decline(q.offers[i].s, "too many offers")
		q.offers = slices.Delete(q.offers, i, i+1)
	}
	q.offers = append(q.offers, o)
	return ""
}

// giveWay is the offer that makes room for one of a network that has own waiting:
// a random one of the fullest network, where that has more; else any, so that each
// of all that came has the same chance to be among those that wait; else none (-1).
func (q *request) giveWay(ofGroup map[string]int, own int) int {
	fullest := 0
	for _, n := range ofGroup {
		fullest = max(fullest, n)
	}
	if fullest <= own+1 {
		if i := rand.IntN(q.came); i < len(q.offers) {
			return i
		}
		return -1
	}
	var among []int
	for i, o := range q.offers {
		if ofGroup[o.s.group] == fullest {
			among = append(among, i)
		}
	}
	return among[rand.IntN(len(among))]
}
