package contract

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

func testConsensusKey() []byte {
	seed := types.HashOf("test-consensus")
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// providerSide drives the provider's machine.
type providerSide struct {
	sim    *sim
	m      Provider
	state  ProviderState
	up     bool
	disk   disk
	saved  *ProviderRecord
	spec   protocol.Spec
	caps   protocol.Capabilities
	lie    int64 // percent
	broken bool  // starts no container
	hangs  bool  // never answers whether one starts
	// unpacks is how long it reads an image first, and says so.
	unpacks int64
	verified
}

func (b *providerSide) due() int64 {
	if !b.up {
		return 0
	}
	return b.m.Deadline(b.state)
}

// done reports whether nothing more can come of this side.
func (b *providerSide) done() bool { return b.up && b.state.Phase.Ended() }

func (b *providerSide) header(t int64) {
	if b.up {
		b.step(HeaderSeen{b.sim.at(), t})
	}
}

func (b *providerSide) step(e Event) {
	if !b.up {
		return
	}
	s := b.sim
	before := b.state
	next, effects, err := b.m.Step(b.state, e)
	if err != nil {
		s.logf("B", "refuses %s: %v", eventText(e), err)
		if errors.Is(err, ErrTransition) || errors.Is(err, ErrInvariant) {
			s.t.Fatalf("provider: %v", err)
		}
		if errors.Is(err, ErrPeer) {
			s.unlink("protocol")
		}
		return
	}
	b.state = next
	if next.Phase != before.Phase {
		s.logf("B", "%s -> %s", before.Phase, next.Phase)
	}
	b.check()
	var answers []Event
	for _, e := range effects {
		if !b.carryOut(e, &answers) {
			b.crash()
			return
		}
	}
	for _, a := range answers {
		b.step(a)
	}
}

// check asserts the rules of 1.9, 1.10 and 3.5 on this side.
func (b *providerSide) check() {
	s := b.sim
	verify(s, &b.verified, b.state.Record.Paid, b.state.Record.Report, b.state.Record.Contract)
	if err := b.m.Check(b.state); err != nil {
		s.t.Fatalf("provider at %d: %v\n%s", s.now, err, s.trace.String())
	}
	t := b.state.Record.Contract.Terms
	if !s.punctual || t.MaxRate == 0 || b.state.Phase == Closed {
		return
	}
	if worth, best := s.c.worth(), b.state.Best(); s.c.exists && worth > best && worth-best > Exposure(t)+1 && b.lie >= 100 {
		s.t.Fatalf("provider at %d: %s of work, voucher %s: lost more than the exposure of %s\n%s", s.now, worth, best, Exposure(t), s.trace.String())
	}
}

// carryOut does one effect; false is a crash.
func (b *providerSide) carryOut(e Effect, answers *[]Event) bool {
	s := b.sim
	switch e := e.(type) {
	case Send:
		s.logf("B", "> %s", messageText(e.Message))
		if u, ok := e.Message.(*protocol.UsageReport); ok && (b.saved == nil || b.saved.Report == nil || b.saved.Report.Hash() != u.Hash()) {
			s.t.Fatalf("provider sends USAGE %d before it is stored", u.Seq)
		}
		if _, ok := e.Message.(*protocol.Accept); ok && b.saved == nil {
			s.t.Fatalf("provider accepts before that is stored")
		}
		s.send("B", e.Message)
	case Hangup:
		s.in(2*latency, func() { s.unlink(e.Reason) })
	case SaveProvider:
		stored, alive := b.disk.write()
		if stored {
			rec := reencode(s, e.Record)
			b.saved = &rec
		}
		return alive
	case VerifyChannel:
		s.in(ledgerMS, func() {
			p, header := s.l.seen(e.ID)
			b.step(ChannelSeen{At: s.at(), Channel: p, Header: header})
		})
	case Provision:
		s.logf("B", "starts the container")
		if b.hangs {
			return true
		}
		for after := 10 * second; after < b.unpacks; after += 10 * second {
			s.in(after, func() { b.step(Progressed{s.at(), uint64(after)}) })
		}
		s.in(second/2+b.unpacks, func() {
			if b.up && b.broken {
				b.step(ProvisionFailed{s.at(), "no such image"})
				return
			}
			if b.up && b.state.Phase == Provisioning {
				s.c.set(true, false)
				b.step(Provisioned{s.at()})
			}
		})
	case Measure:
		*answers = append(*answers, Metered{At: s.at(), TimeNS: s.now, Usage: b.meter(), Rebase: e.Rebase})
	case Freeze:
		s.logf("B", "freezes: %s", e.Reason)
		s.c.set(s.c.exists, true)
	case Thaw:
		s.logf("B", "thaws")
		s.c.set(s.c.exists, false)
	case Destroy:
		s.logf("B", "destroys the container")
		s.c.set(false, false)
	case SubmitClose:
		s.logf("B", "CLOSE claims %d", e.Claim)
		if b.saved.Phase != Closing || b.saved.Claim != e.Claim {
			s.t.Fatalf("provider claims %d before that is stored", e.Claim)
		}
		body := chain.Body{From: b.m.Key.Address(), Close: &chain.Close{Channel: e.Channel, Claim: e.Claim, Voucher: e.Voucher}}
		s.l.submit(body.Sign(b.m.Key, b.m.Ledger), func(r chain.Result) {
			if end, ok := s.l.settled(e.Channel, s.at()); ok {
				b.step(end)
			} else {
				b.step(SettleFailed{s.at(), r.Log})
			}
		})
	case Fail:
		s.logf("B", "fails: %s", e.Reason)
	default:
		s.t.Fatalf("provider: unknown effect %T", e)
	}
	return true
}

// meter reads the container; a liar multiplies.
func (b *providerSide) meter() pricing.Usage {
	u := b.sim.c.read()
	for c := range u {
		u[c] = u[c] * uint64(b.lie) / 100
	}
	return u
}

func (b *providerSide) crash() {
	s := b.sim
	s.logf("B", "CRASHES")
	s.c.update()
	b.up, s.punctual = false, false
	s.unlink("provider gone")
	s.in(second, b.restart)
}

func (b *providerSide) restart() {
	s := b.sim
	if b.up {
		return
	}
	s.c.update()
	b.up = true
	if b.saved == nil {
		s.logf("B", "restarts, knows nothing")
		b.state = ProviderState{Phase: Failed}
		s.c.set(false, false)
		return
	}
	state, effects, err := b.m.Restore(*b.saved, s.c.exists, s.now)
	if err != nil {
		s.t.Fatalf("provider restarts: %v", err)
	}
	s.logf("B", "restarts in %s", state.Phase)
	b.state = state
	b.check()
	var answers []Event
	for _, e := range effects {
		if !b.carryOut(e, &answers) {
			b.crash()
			return
		}
	}
	for _, a := range answers {
		b.step(a)
	}
	s.in(redial, s.redial)
}

// verified is what a side's signatures were verified of.
type verified struct {
	paid   *protocol.Paid
	report *protocol.UsageReport
}

// verify checks the signatures of what is new in a record.
func verify(s *sim, v *verified, p *protocol.Paid, u *protocol.UsageReport, k protocol.Contract) {
	if p != nil && p != v.paid {
		if err := p.Voucher.Verify(k.Publisher, k.Ledger); err != nil {
			s.t.Fatalf("voucher in the record: %v", err)
		}
	}
	if u != nil && u != v.report {
		if err := u.Verify(k.Provider, k.Ledger); err != nil {
			s.t.Fatalf("report in the record: %v", err)
		}
	}
	v.paid, v.report = p, u
}

// reencode is what a store gives back: the canonical encoding, decoded.
func reencode[T any](s *sim, v T) T {
	var out T
	if err := types.Decode(types.Encode(v), &out); err != nil {
		s.t.Fatalf("record does not survive its encoding: %v", err)
	}
	return out
}

// messageText is a message in the transcript.
func messageText(m protocol.Message) string {
	switch m := m.(type) {
	case *protocol.Capabilities:
		return fmt.Sprintf("Capabilities maxRate=%d", m.MaxRate)
	case *protocol.Offer:
		return "Offer " + termsText(m.Contract.Terms)
	case *protocol.Counter:
		return "Counter " + termsText(m.Terms)
	case *protocol.UsageReport:
		final := ""
		if m.Final {
			final = " final"
		}
		return fmt.Sprintf("USAGE %d bill=%d%s", m.Seq, m.Bill, final)
	case *protocol.Paid:
		return fmt.Sprintf("VOUCHER %d amount=%d answers %d", m.Voucher.Seq, m.Voucher.Amount, m.Answers)
	case *protocol.State:
		if m.Frozen {
			return "State frozen: " + m.Reason
		}
		return "State running: " + m.Reason
	case *protocol.Bye:
		return "BYE: " + m.Reason
	case *protocol.Drop:
		return "DROP: " + m.Reason
	case *protocol.Reject:
		return "Reject: " + m.Reason
	case *protocol.Closed:
		return fmt.Sprintf("Closed claim=%d", m.Claim)
	case *protocol.Resume:
		var usage, amount uint64
		if m.Usage != nil {
			usage = m.Usage.Seq
		}
		if m.Paid != nil {
			amount = uint64(m.Paid.Voucher.Amount)
		}
		return fmt.Sprintf("RESUME usage=%d voucher=%d", usage, amount)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", m), "*protocol.")
}

func termsText(t protocol.Terms) string {
	var rates []string
	for _, c := range slices.Sorted(maps.Keys(t.Rates)) {
		rates = append(rates, fmt.Sprintf("%s=%d", c, t.Rates[c].NXEN))
	}
	return fmt.Sprintf("%s maxRate=%d interval=%d grace=%d deposit=%d", strings.Join(rates, " "), t.MaxRate, t.IntervalSeconds, t.GraceSeconds, t.Deposit)
}

func eventText(e Event) string {
	if r, ok := e.(Received); ok {
		return messageText(r.Message)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", e), "contract.")
}
