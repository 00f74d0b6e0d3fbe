package contract

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// Each test here has one valid base, and one mutation a case.

// played is a world after some time, with nothing under way.
func played(t *testing.T, cfg simConfig, d int64) *sim {
	t.Helper()
	if cfg.load == 0 {
		cfg.load = 500
	}
	s := newSim(t, cfg)
	s.meet()
	s.run(d)
	return s
}

// USAGE: 1.12, 2.6.
func TestUsageRules(t *testing.T) {
	s := played(t, simConfig{}, 7*second)
	last := *s.a.state.Record.Report
	base := func() protocol.UsageReport {
		u := protocol.UsageReport{Channel: last.Channel, Seq: last.Seq + 1, TimeNS: s.now, Usage: last.Usage.Clone(), Before: last.Hash()}
		u.Usage[pricing.CPUUser] += 1e9
		return u
	}
	for name, c := range map[string]struct {
		change func(*protocol.UsageReport)
		after  func(*protocol.UsageReport) // once the bill is there, before the signature
		key    string
		want   error
		quiet  bool // nothing comes of it
	}{
		"as it should be":     {},
		"of another channel":  {change: func(u *protocol.UsageReport) { u.Channel[0]++ }, want: ErrPeer},
		"by another":          {key: "stranger", want: types.ErrSignature},
		"another bill":        {after: func(u *protocol.UsageReport) { u.Bill++ }, want: ErrPeer},
		"a counter falls":     {change: func(u *protocol.UsageReport) { u.Usage[pricing.CPUUser] = last.Usage[pricing.CPUUser] - 1 }, want: ErrPeer},
		"a counter is gone":   {change: func(u *protocol.UsageReport) { u.Usage = pricing.Usage{pricing.Memory: 1} }, want: ErrPeer},
		"another one before":  {change: func(u *protocol.UsageReport) { u.Before[0]++ }, want: ErrPeer},
		"earlier":             {change: func(u *protocol.UsageReport) { u.TimeNS = last.TimeNS - 1 }, want: ErrPeer},
		"a second with a seq": {change: func(u *protocol.UsageReport) { u.Seq, u.Before = last.Seq, last.Before }, want: ErrPeer},
		"late":                {change: func(u *protocol.UsageReport) { u.Seq = last.Seq - 1 }, quiet: true},
		"one was lost":        {change: func(u *protocol.UsageReport) { u.Seq, u.Before = last.Seq+2, types.Hash{9} }},
	} {
		u := base()
		if c.change != nil {
			c.change(&u)
		}
		u.Bill, _ = s.a.state.Record.Contract.Terms.Rates.Bill(u.Usage)
		if c.after != nil {
			c.after(&u)
		}
		key := s.b.m.Key
		if c.key != "" {
			key = testKey(c.key)
		}
		u = u.Sign(key, s.a.m.Ledger)
		next, effects, err := s.a.m.Step(s.a.state, Received{s.at(), &u})
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if err != nil && (next.pending != s.a.state.pending || len(effects) > 0) {
			t.Errorf("%s: refused, and the state changed", name)
		}
		if err == nil && (next.pending == nil) != c.quiet {
			t.Errorf("%s: pending %v", name, next.pending)
		}
	}
}

// VOUCHER: 3.2, 5.4.
func TestVoucherRules(t *testing.T) {
	s := played(t, simConfig{}, 7500*second/1000)
	best := *s.b.state.Record.Paid
	for name, c := range map[string]struct {
		change func(*channel.Voucher)
		agreed pricing.Usage // other than the voucher's hash says
		key    string
		want   error
		amount types.Amount // best afterwards
	}{
		"as it should be":  {amount: best.Voucher.Amount + 5},
		"once more":        {change: func(v *channel.Voucher) { *v = best.Voucher }, amount: best.Voucher.Amount},
		"less":             {change: func(v *channel.Voucher) { v.Amount = best.Voucher.Amount - 1 }, amount: best.Voucher.Amount},
		"old number":       {change: func(v *channel.Voucher) { v.Seq = best.Voucher.Seq }, amount: best.Voucher.Amount},
		"beyond deposit":   {change: func(v *channel.Voucher) { v.Amount = s.b.state.Record.Deposit + 1 }, want: channel.ErrDeposit},
		"another channel":  {change: func(v *channel.Voucher) { v.Channel[0]++ }, want: channel.ErrChannel},
		"by another":       {key: "stranger", want: types.ErrSignature},
		"for other counts": {agreed: pricing.Usage{pricing.CPUUser: 1}, want: ErrPeer},
	} {
		v := channel.Voucher{Channel: best.Voucher.Channel, Seq: best.Voucher.Seq + 1, Amount: best.Voucher.Amount + 5, UsageHash: protocol.AgreedHash(best.Agreed)}
		if c.change != nil {
			c.change(&v)
		}
		if v != best.Voucher {
			key := s.a.m.Key
			if c.key != "" {
				key = testKey(c.key)
			}
			v = v.Sign(key, s.a.m.Ledger)
		}
		paid := &protocol.Paid{Voucher: v, Agreed: best.Agreed, Answers: 9}
		if c.agreed != nil {
			paid.Agreed = c.agreed
		}
		next, _, err := s.b.m.Step(s.b.state, Received{s.at(), paid})
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if c.want != nil {
			c.amount = best.Voucher.Amount
		}
		if next.Best() != c.amount {
			t.Errorf("%s: best is %d, want %d", name, next.Best(), c.amount)
		}
	}
}

// OFFER: 1.5.
func TestOfferRules(t *testing.T) {
	s := played(t, simConfig{}, 10*second/1000) // capabilities are on their way
	good := protocol.Contract{Ledger: s.b.m.Ledger, Publisher: s.a.m.Key.Address(), Provider: s.b.m.Key.Address(), Spec: s.b.spec, Terms: s.a.terms(s.b.caps)}
	for name, c := range map[string]struct {
		change func(*protocol.Contract)
		want   error
	}{
		"as it should be": {func(*protocol.Contract) {}, nil},
		"another ledger":  {func(k *protocol.Contract) { k.Ledger[0]++ }, ErrPeer},
		"for another":     {func(k *protocol.Contract) { k.Provider = testKey("stranger").Address() }, ErrPeer},
		"from another":    {func(k *protocol.Contract) { k.Publisher = testKey("stranger").Address() }, ErrPeer},
		"more cpu":        {func(k *protocol.Contract) { k.Spec.MilliCPU++ }, ErrPeer},
		"another image":   {func(k *protocol.Contract) { k.Spec.Image = "other" }, ErrPeer},
		"more programs":   {func(k *protocol.Contract) { k.Spec.Programs = []string{"x"} }, ErrPeer},
	} {
		k := good
		c.change(&k)
		if _, _, err := s.b.m.Step(s.b.state, Received{s.at(), &protocol.Offer{Contract: k}}); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// The channel is verified before anything is spent (1.6): what is not as agreed is
// closed with a claim of 0, and no container starts.
func TestFundingRules(t *testing.T) {
	s := played(t, simConfig{}, 1030*second/1000) // Opened has come, the proof has not
	if s.b.state.Phase != Channel {
		t.Fatalf("provider is in %s", s.b.state.Phase)
	}
	proven, header := s.l.seen(s.b.state.Record.Channel)
	for name, c := range map[string]struct {
		change func(*channel.Proven)
		phase  Phase
	}{
		"as it should be":   {func(*channel.Proven) {}, Provisioning},
		"more than agreed":  {func(p *channel.Proven) { p.Deposit++; p.Expiry++ }, Provisioning},
		"less than agreed":  {func(p *channel.Proven) { p.Deposit-- }, Closing},
		"expires earlier":   {func(p *channel.Proven) { p.Expiry-- }, Closing},
		"another contract":  {func(p *channel.Proven) { p.Contract[0]++ }, Closing},
		"another payer":     {func(p *channel.Proven) { p.Payer = testKey("stranger").Address() }, Closing},
		"for another payee": {func(p *channel.Proven) { p.Payee = testKey("stranger").Address() }, Failed},
		"another channel":   {func(p *channel.Proven) { p.ID[0]++ }, Failed},
		"another ledger":    {func(p *channel.Proven) { p.Ledger[0]++ }, Failed},
	} {
		p := *proven
		c.change(&p)
		next, effects, err := s.b.m.Step(s.b.state, ChannelSeen{At: s.at(), Channel: &p, Header: header})
		if err != nil || next.Phase != c.phase {
			t.Errorf("%s: %s (%v), want %s", name, next.Phase, err, c.phase)
		}
		starts, closes := false, false
		for _, e := range effects {
			switch e := e.(type) {
			case Provision:
				starts = true
			case SubmitClose:
				closes = e.Claim == 0
			}
		}
		if starts != (c.phase == Provisioning) || closes != (c.phase == Closing) {
			t.Errorf("%s: starts %v, closes with 0 %v", name, starts, closes)
		}
	}
	absent, _, err := s.b.m.Step(s.b.state, ChannelSeen{At: s.at(), Header: header})
	if err != nil || absent.Phase != Channel {
		t.Errorf("not there yet: %s (%v)", absent.Phase, err)
	}
}

// Frozen time is not billed, and a meter that falls or is silent bills nothing (1.9, 1.12).
func TestMeter(t *testing.T) {
	s := played(t, simConfig{}, 7500*second/1000)
	at := s.now
	step := func(st ProviderState, e Event) (ProviderState, []Effect) {
		t.Helper()
		next, effects, err := s.b.m.Step(st, e)
		if err != nil {
			t.Fatal(err)
		}
		return next, effects
	}
	read := func(st ProviderState, cpu uint64, rebase bool) ProviderState {
		next, _ := step(st, Metered{At: At(at), TimeNS: at, Usage: pricing.Usage{pricing.CPUUser: cpu}, Rebase: rebase})
		return next
	}
	base := s.b.state
	now := base.raw[pricing.CPUUser]
	cpu := func(st ProviderState) uint64 {
		return st.Record.Usage[pricing.CPUUser] - base.Record.Usage[pricing.CPUUser]
	}
	if got := cpu(read(base, now+7, false)); got != 7 {
		t.Errorf("a reading of 7 more bills %d", got)
	}
	if got := cpu(read(read(base, now-9, false), now+7, false)); got != 7 {
		t.Errorf("a meter that fell and rose bills %d", got)
	}
	if got := cpu(read(read(base, now+50, true), now+57, false)); got != 7 {
		t.Errorf("what a rebase skips is billed: %d", got)
	}
	silent, _ := step(base, Metered{At: At(at), TimeNS: at})
	if got := cpu(read(silent, now+7, false)); got != 7 {
		t.Errorf("after a silent meter %d are billed", got)
	}

	// Thawing takes a new base before the container runs.
	s.a.stingy = true
	s.run(7 * second)
	if !s.b.state.Frozen {
		t.Fatal("not frozen")
	}
	paid := protocol.Paid{Agreed: s.a.state.Record.Paid.Agreed, Voucher: s.a.state.Record.Paid.Voucher, Answers: 9}
	_, effects := step(s.b.state, Received{s.at(), &paid})
	rebased := false
	for _, e := range effects {
		switch e := e.(type) {
		case Measure:
			rebased = e.Rebase
		case Thaw:
			if !rebased {
				t.Error("thaws without a new base")
			}
			return
		}
	}
	t.Errorf("no thaw among %v", effects)
}

// A driver that slept past expiry - margin settles at once, with no final round (3.3).
func TestClosingTime(t *testing.T) {
	s := played(t, simConfig{lease: 60}, 7500*second/1000)
	late := At((s.b.state.Record.Expiry-12)*second + second)
	state := s.b.state
	state.windAt = 0
	next, effects, err := s.b.m.Step(state, Tick{late})
	if err != nil || next.Phase != Closing {
		t.Fatalf("%s (%v)", next.Phase, err)
	}
	for _, e := range effects {
		if c, ok := e.(SubmitClose); ok {
			if c.Claim != s.b.state.Best() {
				t.Errorf("claims %d of %d", c.Claim, s.b.state.Best())
			}
			return
		}
	}
	t.Errorf("no CLOSE among %v", effects)
}

// What ended before its channel is stored as ended, where it was stored at all.
func TestFailureIsStored(t *testing.T) {
	s := played(t, simConfig{}, 90*second/1000)
	s.a.up, s.cut = false, true
	s.unlink("gone")
	s.run(130 * second)
	if s.b.saved == nil || s.b.saved.Phase != Failed {
		t.Errorf("provider's record: %+v", s.b.saved)
	}
	if st, effects, err := s.b.m.Restore(*s.b.saved, false, s.now); err != nil || !st.Phase.Ended() || len(effects) > 0 {
		t.Errorf("restored to %s with %v (%v)", st.Phase, effects, err)
	}
}

// On error the state is unchanged, and a state is never changed in place.
func TestStepLeavesStatesAlone(t *testing.T) {
	s := played(t, simConfig{}, 7500*second/1000)
	before := reencode(s, s.b.state.Record)
	for _, e := range []Event{Metered{At: s.at(), TimeNS: s.now, Usage: pricing.Usage{pricing.CPUUser: 1 << 40}}, Leave{At: s.at()},
		LinkDown{At: s.at()}, Settled{At: s.at()}, Tick{s.at() + At(100*second)}, Received{s.at(), &protocol.Ready{}}, Choose{}} {
		if _, _, err := s.b.m.Step(s.b.state, e); err != nil && !errors.Is(err, ErrPeer) && !errors.Is(err, ErrEvent) {
			t.Errorf("%T: %v", e, err)
		}
		if diff := cmp.Diff(before, s.b.state.Record); diff != "" {
			t.Fatalf("%T changed the state in place:\n%s", e, diff)
		}
	}
}
