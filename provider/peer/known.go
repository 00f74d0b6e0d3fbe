package peer

import (
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/zennet/zennet/ledger/types"
)

// maxKnown bounds the addresses that Known tells.
const maxKnown = 8

// Known is where the holder of addr, who is connected, says that it listens: TCP
// multiaddrs without /p2p, at most 8; none where it only dials.
func Known(h host.Host, addr types.Address) []string {
	id, err := ID(addr)
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range h.Peerstore().Addrs(id) {
		if _, err := a.ValueForProtocol(ma.P_TCP); err == nil && len(out) < maxKnown {
			out = append(out, a.String())
		}
	}
	return out
}

// Within keeps of addrs, which the peer of a stream names, those that lie no
// nearer to this host than that peer itself: who comes from the internet cannot
// make it dial into its private network, and only the machine itself can make it
// dial the machine.
func Within(s network.Stream, addrs []string) []string {
	far := scope(s.Conn().RemoteMultiaddr())
	var out []string
	for _, text := range addrs {
		if a, err := ma.NewMultiaddr(text); err == nil && scope(a) >= far {
			out = append(out, text)
		}
	}
	return out
}

// scope orders addresses by how far they reach.
func scope(a ma.Multiaddr) int {
	switch {
	case manet.IsIPLoopback(a):
		return 0
	case manet.IsPublicAddr(a):
		return 2
	}
	return 1
}
