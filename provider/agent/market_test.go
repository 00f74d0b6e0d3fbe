package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// What is left alone, and why (1.2): one valid announcement, one mutation a case.
func TestFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Policy = DefaultPolicy()
		c.Policy.ReservePPM = 800_000
		c.Accept = func(from types.Address, ann protocol.Ann) error {
			if ann.Info == "spam" {
				return errors.New("spam")
			}
			return nil
		}
	})
	valid := func() protocol.Ann {
		return protocol.Ann{Spec: testSpec(), Count: 1, Addrs: []string{"/ip4/127.0.0.1/tcp/1"}, LeaseSeconds: 60, IntervalSeconds: 2,
			Deadline: time.Now().Unix() + 60}
	}
	from := newKey(t, 2).Address()
	a := valid()
	if err := w.agent.filter(&match{from: from}, types.Encode(a)); err != nil {
		t.Fatal(err)
	}
	a.MaxRate = testMaxRate * 8 / 10
	if err := w.agent.filter(&match{from: from}, types.Encode(a)); err != nil {
		t.Errorf("at the reserve: %v", err)
	}
	for name, c := range map[string]struct {
		change func(*protocol.Ann)
		says   string
	}{
		"too cheap":  {func(a *protocol.Ann) { a.MaxRate = testMaxRate*8/10 - 1 }, "reserve"},
		"late":       {func(a *protocol.Ann) { a.Deadline = time.Now().Unix() }, "deadline"},
		"proof":      {func(a *protocol.Ann) { a.Difficulty = 1 }, "identity proof of 1 bits"},
		"image":      {func(a *protocol.Ann) { a.Spec.Image = "/root" }, "image"},
		"too large":  {func(a *protocol.Ann) { a.Spec.Memory = 2 << 30 }, "beyond what is offered"},
		"too many":   {func(a *protocol.Ann) { a.Spec.MilliCPU = 5000 }, "beyond what is offered"},
		"malformed":  {func(a *protocol.Ann) { a.Count = 0 }, "no containers"},
		"operator's": {func(a *protocol.Ann) { a.Info = "spam" }, "spam"},
	} {
		a := valid()
		c.change(&a)
		err := w.agent.filter(&match{from: from}, types.Encode(a))
		if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := w.agent.filter(&match{from: w.key.Address()}, types.Encode(valid())); !errors.Is(err, ErrUnfit) {
		t.Errorf("its own: got %v", err)
	}
	if err := w.agent.filter(&match{from: from}, []byte("noise")); !errors.Is(err, ErrUnfit) {
		t.Errorf("noise: got %v", err)
	}
	m := &match{from: from, ann: valid()}
	m.ann.Spec.Programs = []string{"gmx", "absent"}
	if err := w.agent.inspect(m); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "absent") {
		t.Errorf("a missing program: got %v", err)
	}
}

// No more containers than there is room for; when room is given back, the rest of
// the announcement is served.
func TestCapacity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(6)
	var leases []*testLease
	for range 4 {
		leases = append(leases, p.next(t))
	}
	select {
	case <-p.usable:
		t.Fatal("more than there is room for")
	case <-time.After(200 * time.Millisecond):
	}
	if used := w.status().Used; used.MilliCPU != 4*testMilliCPU || used.Leases != 4 {
		t.Errorf("taken: %+v", used)
	}
	for _, l := range leases {
		l.leave("enough")
	}
	p.next(t)
	p.next(t)
}

// A publisher that says no is not asked again for the same announcement.
func TestDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.refuse = "too dear"
	p.announce(2)
	until(t, "two refusals", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.leases) == 2 })
	until(t, "room", func() bool { return w.status().Used == Capacity{} })
	time.Sleep(1500 * time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.leases) != 2 {
		t.Errorf("%d offers", len(p.leases))
	}
}

// A withdrawn announcement is forgotten, one that was there before the agent is
// found.
func TestAnnouncementsOfBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stop(false)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(1)
	id := p.announce(1)
	tx := w.ledger.prepare(p.key, chain.Body{Withdraw: &chain.Withdraw{Announcement: id}})
	if _, err := w.ledger.Broadcast(context.Background(), tx); err != nil {
		t.Fatal(err)
	}
	w.start()
	p.next(t)
	select {
	case <-p.usable:
		t.Error("a withdrawn announcement is served")
	case <-time.After(200 * time.Millisecond):
	}
}

// Publishers whose talks come to nothing by their own fault are left alone for a
// while that doubles.
func TestWary(t *testing.T) {
	t.Parallel()
	var w wary
	addr, now := newKey(t, 2).Address(), time.Unix(1000, 0)
	var pauses []time.Duration
	for range 12 {
		w.blame(addr, now)
		pauses = append(pauses, w.pause(addr).Sub(now))
	}
	if got, want := fmt.Sprint(pauses), "[1s 2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 5m0s 5m0s 5m0s]"; got != want {
		t.Errorf("pauses %s, want %s", got, want)
	}
	w.praise(addr)
	if !w.pause(addr).IsZero() {
		t.Error("a good publisher is left alone")
	}
}

// A publisher that never answers holds room no longer than the talk's bound, and
// is left alone then.
func TestSilentPublisher(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Params.TimeoutSeconds = map[contract.Phase]uint32{contract.Capabilities: 1}
	})
	p := newTestPublisher(t, 2, w.ledger)
	p.setFilter(func(protocol.Message) protocol.Message { return nil })
	p.announce(2)
	until(t, "the talks", func() bool { return w.status().Used.Leases == 2 })
	until(t, "their end", func() bool { return w.status().Used == Capacity{} })
	until(t, "a pause", func() bool { return !w.agent.wary.pause(p.key.Address()).IsZero() })
}

// Two offers of one contract: the second is no lease, and the first goes on.
func TestDuplicateContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.nonce = func() [16]byte { return [16]byte{42} }
	expiry := time.Now().Unix() + 600
	terms := p.terms
	p.terms = func(c protocol.Capabilities) protocol.Terms {
		t := terms(c)
		t.Expiry = expiry
		return t
	}
	p.announce(2)
	l := p.next(t)
	until(t, "the refusal", func() bool { return !w.agent.wary.pause(p.key.Address()).IsZero() })
	w.paid(l)
	if n := len(w.rt.list()); n != 1 {
		t.Errorf("%d containers", n)
	}
	l.leave("done")
	w.checkSettled(l)
}
