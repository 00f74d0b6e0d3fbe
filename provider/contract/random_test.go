package contract

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// settle lets a world come to its end: all who are down come back, the link
// heals, and time passes beyond every expiry. Then no money may be locked.
func (s *sim) settle() {
	s.cut, s.l.stopped, s.fault = false, false, nil
	s.a.disk.crashAt, s.b.disk.crashAt = 0, 0
	s.a.restart()
	s.b.restart()
	s.a.step(Leave{At: s.at(), Reason: "the end"})
	for range 40 {
		if s.a.state.Phase.Ended() && s.b.state.Phase.Ended() {
			break
		}
		s.run(30 * second)
	}
	for who, p := range map[string]Phase{"publisher": s.a.state.Phase, "provider": s.b.state.Phase} {
		if !p.Ended() {
			s.t.Fatalf("%s never ends: %s\n%s", who, p, s.trace.String())
		}
	}
	id := s.a.state.Record.Channel
	if c, open := s.l.chain.Channel(id); open {
		s.t.Fatalf("channel with %s stays open\n%s", c.Deposit, s.trace.String())
	}
	k, ok := s.l.chain.Settlement(id)
	if !ok {
		return
	}
	if k.Claim > s.a.state.Paid() && !s.a.forged {
		s.t.Fatalf("the ledger gave %s, the publisher signed %s\n%s", k.Claim, s.a.state.Paid(), s.trace.String())
	}
	if s.a.state.Record.Claim != k.Claim || s.a.state.Record.Refunded != k.Refund {
		s.t.Fatalf("the publisher thinks that %s were claimed, the ledger gave %s\n%s", s.a.state.Record.Claim, k.Claim, s.trace.String())
	}
	if s.b.state.Phase == Closed && !k.Refund && !Prepaid(s.b.state.Record.Contract.Terms) && k.Claim != s.b.state.Best() {
		s.t.Fatalf("the provider claimed %s of a voucher of %s\n%s", k.Claim, s.b.state.Best(), s.trace.String())
	}
}

// TestRandomLeases plays leases in which anything happens at any time: messages
// are lost, doubled, delayed, replayed; both sides crash at any write, stop
// paying, lie, leave; the ledger and the link stand still. After every step of
// either side its Check holds, and so do the bounds of 1.10 (see the sides'
// check); in the end nothing is locked.
func TestRandomLeases(t *testing.T) {
	rapid.Check(t, randomLease)
}

// FuzzLease is the same, guided by coverage.
func FuzzLease(f *testing.F) { f.Fuzz(rapid.MakeFuzz(randomLease)) }

func randomLease(t *rapid.T) {
	s := newSim(t, drawConfig(t))
	s.fault = drawFaults(t, s)
	s.meet()
	for range rapid.IntRange(3, 25).Draw(t, "steps") {
		s.run(rapid.Int64Range(1, 3000).Draw(t, "ms") * second / 1000)
		happen(t, s)
	}
	s.settle()
}

func drawConfig(t *rapid.T) simConfig {
	cfg := simConfig{
		interval:  int32(rapid.IntRange(1, 4).Draw(t, "interval")),
		grace:     uint32(rapid.IntRange(1, 6).Draw(t, "grace")),
		load:      rapid.Int64Range(0, 1100).Draw(t, "load"),
		lie:       rapid.SampledFrom([]int64{100, 100, 100, 103, 130, 300}).Draw(t, "lie"),
		lease:     rapid.Int64Range(60, 300).Draw(t, "lease"),
		topUp:     uint32(rapid.SampledFrom([]int{0, 10, 60}).Draw(t, "top-up")),
		extend:    uint32(rapid.SampledFrom([]int{0, 100}).Draw(t, "extend")),
		maxFactor: rapid.SampledFrom([]int64{50, 110, 110, 200}).Draw(t, "maxRate"),
	}
	if rapid.Bool().Draw(t, "prepay") {
		cfg.interval = -cfg.interval
	} else if rapid.Bool().Draw(t, "holds back") {
		cfg.holdback = types.Amount(rapid.IntRange(1, 3_000_000).Draw(t, "holdback"))
	}
	if cfg.maxFactor == 50 {
		cfg.load = min(cfg.load, 490) // a machine that costs more than its maxRate is the provider's own fault
	}
	return cfg
}

// drawFaults is a network that drops, doubles and reorders with some chance.
func drawFaults(t *rapid.T, s *sim) func(string, protocol.Message) []int64 {
	bad := rapid.IntRange(0, 15).Draw(t, "bad messages in a hundred")
	luck := rapid.Int64().Draw(t, "luck")
	n := 0
	return func(string, protocol.Message) []int64 {
		n++
		h := types.HashOf("luck", types.Encode([]int64{luck, int64(n)}))
		if int(h[0])*100/256 >= bad {
			return []int64{latency}
		}
		switch h[1] % 3 {
		case 0:
			return nil
		case 1:
			return []int64{latency, latency + int64(h[2])*second/50}
		}
		return []int64{latency + int64(h[2])*second/100}
	}
}

// happen lets one thing go wrong.
func happen(t *rapid.T, s *sim) {
	switch rapid.SampledFrom([]string{"nothing", "nothing", "cut", "heal", "crash A", "crash B", "write A", "write B", "stingy", "generous",
		"ledger stops", "ledger goes on", "leave A", "leave B", "replay", "forge A", "forge B", "silent", "talks", "exit", "poor", "load"}).Draw(t, "what") {
	case "cut":
		s.cut = true
		s.unlink("cut")
	case "heal":
		s.cut = false
	case "crash A":
		if s.a.up {
			s.a.crash()
		}
	case "crash B":
		if s.b.up {
			s.b.crash()
		}
	case "write A":
		s.a.disk.crashAt, s.a.disk.after = s.a.disk.writes+rapid.IntRange(1, 3).Draw(t, "write"), rapid.Bool().Draw(t, "after")
	case "write B":
		s.b.disk.crashAt, s.b.disk.after = s.b.disk.writes+rapid.IntRange(1, 3).Draw(t, "write"), rapid.Bool().Draw(t, "after")
	case "stingy":
		s.a.stingy = true
	case "generous":
		s.a.stingy = false
	case "ledger stops":
		s.l.stopped = true
	case "ledger goes on":
		s.l.stopped = false
	case "leave A":
		s.a.step(Leave{At: s.at(), Reason: "leaves", Forfeit: rapid.Bool().Draw(t, "forfeit")})
	case "leave B":
		s.b.step(Leave{At: s.at(), Reason: "leaves"})
	case "replay":
		from := rapid.SampledFrom([]string{"A", "B"}).Draw(t, "from")
		if said := s.said[from]; len(said) > 0 {
			s.deliver(from, said[rapid.IntRange(0, len(said)-1).Draw(t, "which")], latency)
		}
	case "forge A":
		s.a.forged = true
		s.forge("A", forgeA(t, s))
	case "forge B":
		s.honest = false
		s.forge("B", forgeB(t, s))
	case "silent":
		s.a.blind = true
	case "talks":
		s.a.blind = false
	case "exit":
		if s.c.exists && s.b.up {
			s.c.set(false, false)
			s.b.step(Exited{At: s.at(), Reason: "killed"})
		}
	case "poor":
		s.a.poor = true
	case "load":
		s.c.update()
		s.c.load = rapid.Int64Range(0, 490).Draw(t, "load")
	}
}

// forge delivers a message that its sender's machine did not make, as far as a
// reader lets it pass.
func (s *sim) forge(from string, m protocol.Message) {
	data, err := protocol.AppendFrame(nil, m)
	if err != nil {
		return
	}
	m, err = protocol.ReadMessage(bytes.NewReader(data))
	if err != nil {
		s.unlink("bad frame")
		return
	}
	s.deliver(from, m, latency)
}

// forgeA is a message that a publisher could send if it were another program:
// validly signed, otherwise anything.
func forgeA(t *rapid.T, s *sim) protocol.Message {
	rec := s.b.state.Record
	agreed := pricing.Usage{pricing.CPUUser: rapid.Uint64().Draw(t, "agreed")}
	v := channel.Voucher{Channel: rec.Channel, Seq: rapid.Uint64Range(1, 50).Draw(t, "seq"),
		Amount: types.Amount(rapid.Uint64Range(0, 1<<30).Draw(t, "amount")), UsageHash: protocol.AgreedHash(agreed)}
	paid := &protocol.Paid{Voucher: v.Sign(s.a.m.Key, s.a.m.Ledger), Agreed: agreed, Answers: rapid.Uint64Range(1, 50).Draw(t, "answers")}
	if rapid.Bool().Draw(t, "other hash") {
		paid.Agreed = pricing.Usage{pricing.Memory: 1}
	}
	return rapid.SampledFrom([]protocol.Message{paid, &protocol.Resume{Contract: rec.Contract.ID(), Paid: paid, Usage: rec.Report},
		&protocol.Resume{Contract: types.Hash{1}}, &protocol.TopUpNotice{}, &protocol.Drop{}, &protocol.Bye{}, &protocol.Ready{},
		&protocol.Opened{Channel: types.Hash{5}}, &protocol.Accept{Contract: rec.Contract.ID()}, &protocol.Reject{},
		&protocol.Counter{Terms: rec.Contract.Terms}, &protocol.Offer{Contract: rec.Contract}}).Draw(t, "message")
}

// forgeB is the same for a provider.
func forgeB(t *rapid.T, s *sim) protocol.Message {
	rec := s.a.state.Record
	u := protocol.UsageReport{Channel: rec.Channel, Seq: rapid.Uint64Range(1, 50).Draw(t, "seq"), TimeNS: rapid.Int64Min(1).Draw(t, "time"),
		Usage: pricing.Usage{pricing.CPUUser: rapid.Uint64().Draw(t, "cpu"), pricing.Memory: rapid.Uint64().Draw(t, "memory")}, Final: rapid.Bool().Draw(t, "final")}
	if rapid.Bool().Draw(t, "modest") {
		u.TimeNS, u.Usage = s.now, pricing.Usage{pricing.CPUUser: s.c.cpu + rapid.Uint64Range(0, 1<<33).Draw(t, "more")}
	}
	if last := rec.Report; last != nil && rapid.Bool().Draw(t, "follows") {
		u.Seq, u.Before = last.Seq+1, last.Hash()
	}
	if bill, err := rec.Contract.Terms.Rates.Bill(u.Usage); err == nil {
		u.Bill = bill
	}
	u = u.Sign(s.b.m.Key, s.b.m.Ledger)
	return rapid.SampledFrom([]protocol.Message{&u, &u, &protocol.Resume{Contract: rec.Contract.ID(), Usage: &u, Paid: rec.Paid},
		&protocol.Closed{Claim: 1 << 40}, &protocol.State{Frozen: true}, &protocol.State{}, &protocol.Drop{}, &protocol.Ready{},
		&protocol.Reject{}, &protocol.Accept{Contract: rec.Contract.ID()}, &protocol.Counter{Terms: rec.Contract.Terms}, &s.b.caps}).Draw(t, "message")
}

// TestLiarsGain: whatever a provider adds to its counters, it gains at most the
// tolerance an interval (5.4), and three strikes end the lease.
func TestLiarsGain(t *testing.T) {
	for _, lie := range []int64{100, 101, 104, 106, 120, 200, 1000} {
		s := newSim(t, simConfig{load: 600, lie: lie, lease: 100})
		s.quiet = true
		s.meet()
		s.run(60 * second)
		if ended := s.a.state.Phase.Ended(); ended != (lie > 106) {
			t.Errorf("reporting %d %%: ended %v", lie, ended)
		}
		s.settle()
		worth, paid, reports := s.c.worth(), s.a.state.Paid(), s.a.state.Record.Report.Seq
		tolerance := max(types.Amount(absCPU/1000), worth/20) // a core's nanosecond costs a thousandth
		// Counting so much that it must freeze keeps a liar's worker from being
		// read: bridged once, for an interval and grace at the container's share.
		bridged := types.Amount(6 * perSecond * 11 / 10)
		if most := worth + types.Amount(reports)*tolerance + bridged; paid > most {
			t.Errorf("reporting %d %%: paid %s for %s in %d reports, at most %s", lie, paid, worth, reports, most)
		}
		if strikes := s.a.state.Record.Strikes; lie == 100 && strikes > 0 || lie >= 120 && strikes == 0 {
			t.Errorf("reporting %d %%: %d strikes", lie, strikes)
		}
	}
}

// TestCrashAtEveryWrite plays one orderly lease with a top-up again and again;
// each time one side dies at another of its writes, just before or just after it.
func TestCrashAtEveryWrite(t *testing.T) {
	play := func(t fataler, prepare func(*sim)) *sim {
		s := newSim(t, simConfig{load: 1000, deposit: 26_400_000, topUp: 20})
		prepare(s)
		s.meet()
		s.run(14 * second)
		s.a.step(Leave{At: s.at(), Reason: "done"})
		s.run(4 * second)
		s.settle()
		return s
	}
	whole := play(t, func(*sim) {})
	if whole.a.disk.writes < 8 || whole.b.disk.writes < 12 {
		t.Fatalf("only %d and %d writes", whole.a.disk.writes, whole.b.disk.writes)
	}
	for _, after := range []bool{false, true} {
		for n := 1; n <= whole.a.disk.writes; n++ {
			s := play(t, func(s *sim) { s.a.disk = disk{crashAt: n, after: after} })
			checkSettled(t, s, "publisher", n, after)
		}
		for n := 1; n <= whole.b.disk.writes; n++ {
			s := play(t, func(s *sim) { s.b.disk = disk{crashAt: n, after: after} })
			checkSettled(t, s, "provider", n, after)
		}
	}
}

// checkSettled: the ledger's claim is the provider's best voucher, and the
// publisher knows a voucher at least as good.
func checkSettled(t *testing.T, s *sim, who string, n int, after bool) {
	t.Helper()
	k, ok := s.l.chain.Settlement(s.a.state.Record.Channel)
	if ok && k.Claim > s.a.state.Paid() {
		t.Errorf("%s dies at write %d (after: %v): claim %s, voucher %s", who, n, after, k.Claim, s.a.state.Paid())
	}
	var open []chain.Channel
	if c, still := s.l.chain.Channel(s.b.state.Record.Channel); still {
		open = append(open, c)
	}
	if len(open) > 0 {
		t.Errorf("%s dies at write %d (after: %v): %d channels stay open", who, n, after, len(open))
	}
}
