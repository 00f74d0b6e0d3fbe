package lease

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// crowd is a request whose sessions nobody drives.
func crowd(count int) *request {
	m := &Market{sessions: map[types.Hash]*session{}, closed: true} // declines go nowhere
	return &request{Request: Request{Count: count}, m: m, failed: map[string]int{}, pending: map[*session]bool{}}
}

func (q *request) dial(n int, group string, ask types.Amount) bool {
	var provider types.Address
	binary.BigEndian.PutUint64(provider[:], uint64(n))
	s := &session{m: q.m, provider: provider, group: group}
	return q.admit(offer{s, protocol.Capabilities{MaxRate: ask}}) == ""
}

// TestCrowdedOut: hundreds of fresh keys from one network, dialing first and asking
// next to nothing, leave room for the honest; after the first of them has failed,
// the honest are chosen.
func TestCrowdedOut(t *testing.T) {
	q := crowd(4)
	admitted := 0
	for n := range 500 {
		if q.dial(n, "10.0.0.0", 1) {
			admitted++
		}
	}
	if admitted != maxOfGroup {
		t.Errorf("%d places for one network", admitted)
	}
	for n := range 3 {
		if !q.dial(1000+n, fmt.Sprint("honest ", n), 1000) {
			t.Fatal("an honest provider is refused")
		}
	}
	q.failed["10.0.0.0"]++
	for range 3 {
		i := q.best(map[types.Address]int{}, 1)
		if q.offers[i].caps.MaxRate != 1000 {
			t.Fatal("the network that failed is chosen")
		}
		q.offers = append(q.offers[:i], q.offers[i+1:]...)
	}
}

// TestOneProviderManyOffers: a provider has no more places than containers are
// wanted.
func TestOneProviderManyOffers(t *testing.T) {
	q := crowd(3)
	for i := range 10 {
		if got := q.dial(7, "a", 1); got != (i < 3) {
			t.Errorf("offer %d: admitted %v", i, got)
		}
	}
}

// TestFullTable: where every place is taken, the fullest network makes room; and
// where all networks are alike, one who comes late has a fair chance.
func TestFullTable(t *testing.T) {
	q := crowd(1)
	for n := range maxOffers {
		q.dial(n, fmt.Sprint("net ", n%16), 1)
	}
	if len(q.offers) != maxOffers || !q.dial(10_000, "another", 1) || len(q.offers) != maxOffers {
		t.Fatalf("%d wait", len(q.offers))
	}
	late := 0
	for round := range 40 {
		q = crowd(1)
		for n := range 2 * maxOffers {
			q.dial(n, fmt.Sprint("net ", n), 1)
		}
		if q.dial(100_000, fmt.Sprint("late ", round), 1) {
			late++
		}
	}
	if late == 0 || late == 40 {
		t.Errorf("who comes last is admitted %d times of 40", late)
	}
}

// TestStallers: providers of one network that take an offer and then say nothing
// cost one negotiation, not one each.
func TestStallers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.talk = 3
	stall := map[types.Address]bool{}
	var stallers []*seller
	for i := range byte(4) {
		p := newSeller(t, b.ledger, 10+i)
		p.caps.MaxRate, p.mute = p.caps.MaxRate/2, true
		for c, r := range p.caps.Rates {
			r.NXEN /= 2
			p.caps.Rates[c] = r
		}
		stall[p.key.Address()] = true
		stallers = append(stallers, p)
	}
	honest := newSeller(t, b.ledger, 2)
	m := b.open()
	m.groupOf = func(_ network.Conn, provider types.Address) string {
		if stall[provider] {
			return "stallers"
		}
		return provider.String()
	}
	r := b.request(1)
	r.Deadline = time.Now().Add(30 * time.Second)
	l := b.acquire(r)[0]
	if l.Provider() != honest.key.Address() {
		t.Errorf("leased from %s", l.Provider())
	}
	asked := int32(0)
	for _, p := range stallers {
		asked += p.muted.Load()
	}
	if asked > 1 {
		t.Errorf("%d stallers were asked", asked)
	}
	if err := l.Close(b.context(20*time.Second), "done"); err != nil {
		t.Error(err)
	}
}
