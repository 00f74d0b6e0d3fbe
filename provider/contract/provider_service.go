package contract

import (
	"errors"
	"fmt"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// opened learns where the channel is; it counts once it is proven.
func (r *providerRun) opened(m *protocol.Opened) error {
	if !r.s.talk.accepted {
		return r.stray(m)
	}
	if r.s.Phase != Channel {
		return nil
	}
	r.s.Record.Channel = m.Channel
	r.save()
	r.verify()
	return nil
}

func (r *providerRun) verify() {
	r.s.retryAt = r.now + r.Params.retry()
	r.do(VerifyChannel{r.s.Record.Channel})
}

// channelSeen takes a proof: the first one starts the container, later ones
// show TOP-UPs.
func (r *providerRun) channelSeen(e ChannelSeen) {
	r.s.header = max(r.s.header, e.Header)
	switch {
	case r.s.Phase == Channel && e.Channel != nil:
		r.s.retryAt = 0
		r.funded(*e.Channel)
	case r.s.Phase == Channel:
		return // not final yet; asked again until the phase times out
	case r.inService() && e.Channel == nil:
		r.settled(Settled{At: e.At, Refund: true})
	case r.inService():
		r.s.retryAt = 0
		p, err := r.payee(r.s.Record).Renew(*e.Channel)
		if err != nil || p.Proven.Deposit == r.s.Record.Deposit && p.Proven.Expiry == r.s.Record.Expiry {
			return // an older header than the one that counts, or nothing new
		}
		r.s.Record.Deposit, r.s.Record.Expiry = p.Proven.Deposit, p.Proven.Expiry
		r.save()
		r.guard()
	}
}

// funded decides on the proven channel (1.6).
func (r *providerRun) funded(c channel.Proven) {
	k := r.s.Record.Contract
	if c.Payee != k.Provider || c.ID != r.s.Record.Channel || c.Ledger != r.Ledger {
		r.fail(fmt.Sprintf("channel %s is not mine", c.ID.Short()))
		return
	}
	r.s.Record.Deposit, r.s.Record.Expiry = c.Deposit, c.Expiry
	why := ""
	switch {
	case c.Payer != k.Publisher || c.Contract != k.ID():
		why = "the channel is for another contract"
	case c.Deposit < k.Terms.Deposit:
		why = fmt.Sprintf("the deposit is %s, agreed were %s", c.Deposit, k.Terms.Deposit)
	case c.Expiry < k.Terms.Expiry:
		why = fmt.Sprintf("the channel expires at %d, agreed was %d", c.Expiry, k.Terms.Expiry)
	case c.CloseDue(r.seconds()+2*Interval(k.Terms)/second, int64(r.Params.MarginSeconds)):
		why = "the channel expires too soon"
	case r.s.leaving:
		why = r.s.Reason
	}
	if why != "" {
		r.to(Closing) // only a CLOSE gives the deposit back before its expiry
		r.s.Reason, r.s.Record.Reason = why, why
		r.claim()
		return
	}
	r.to(Confirmed)
	r.save()
	r.to(Provisioning)
	r.s.hasContainer = true
	r.do(Provision{k})
}

// activate begins service.
func (r *providerRun) activate() {
	r.to(Active)
	r.s.paidAt, r.s.Record.Heard = r.now, r.now
	r.s.usageAt, r.s.sampleAt = r.now+Interval(r.terms()), r.now+r.period()
	if Prepaid(r.terms()) {
		r.s.usageAt = r.now // nothing runs before the first voucher
	}
	if !r.s.Linked {
		r.to(Suspended)
	}
	r.save()
	r.send(&protocol.Ready{})
	r.guard()
}

// period is the time between two readings.
func (r *providerRun) period() int64 { return r.Params.period(r.terms()) }

func (p Params) period(t protocol.Terms) int64 {
	return max(Interval(t)/int64(max(p.SamplesPerInterval, 1)), second/10)
}

// metered adds what the meter counted since its last reading. What was used
// while frozen, or before a restart's first reading, is not (1.9, 1.12).
func (r *providerRun) metered(e Metered) {
	before := r.s.raw
	r.s.raw, r.s.asked = highest(before, e.Usage), false
	if e.Rebase && e.Usage != nil {
		r.s.raw = e.Usage.Clone()
	}
	if e.Rebase || !r.inService() && !r.s.wantFinal {
		return
	}
	usage := r.s.Record.Usage.Clone()
	for c, n := range e.Usage {
		if n > before[c] {
			usage[c] += n - before[c]
		}
	}
	bill, err := r.terms().Rates.Bill(usage)
	if err != nil {
		r.end("the bill overflows") // the counters of before stay
		return
	}
	r.s.Record.Usage, r.s.Bill = usage, bill
	if bill <= r.s.Best() {
		r.s.paidAt = r.now
	}
	if r.s.wantFinal {
		r.finish(e.TimeNS)
		return
	}
	r.s.sampleAt = r.now + r.period()
	if r.s.Linked && !r.s.resuming && r.now >= r.s.usageAt {
		r.report(e.TimeNS, false)
	}
	r.guard()
}

// report makes, stores and sends the next USAGE (1.12).
func (r *providerRun) report(timeNS int64, final bool) {
	rec := &r.s.Record
	u := protocol.UsageReport{Channel: rec.Channel, Seq: 1, TimeNS: timeNS, Usage: rec.Usage.Clone(), Bill: r.s.Bill, Final: final}
	if timeNS <= 0 {
		u.TimeNS = r.now
	}
	if rec.Report != nil {
		u.Seq, u.Before = rec.Report.Seq+1, rec.Report.Hash()
		u.TimeNS = max(u.TimeNS, rec.Report.TimeNS)
	}
	u = u.Sign(r.Key, r.Ledger)
	rec.Report = &u
	r.s.usageAt = r.now + Interval(r.terms())
	r.save()
	r.send(&u)
}

// paid takes a payment (3.2): stored before it has any effect.
func (r *providerRun) paid(m *protocol.Paid) error {
	switch r.s.Phase {
	case Active, Suspended:
	case Closing:
		if r.s.claimAt == 0 {
			return nil // too late: the claim is on its way
		}
	default:
		return r.stray(m)
	}
	if protocol.AgreedHash(m.Agreed) != m.Voucher.UsageHash {
		return fmt.Errorf("%w: voucher for other counters than agreed", ErrPeer)
	}
	was := r.s.Best()
	p, err := r.payee(r.s.Record).Accept(m.Voucher)
	switch {
	case errors.Is(err, channel.ErrFalls), errors.Is(err, channel.ErrSeq):
		return nil // late, or doubled on the way
	case err != nil:
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	if r.s.Record.Paid == nil || p.Best != r.s.Record.Paid.Voucher {
		paid := *m
		r.s.Record.Paid = &paid
		r.save()
	}
	r.s.paidAt = r.now
	if r.s.Phase == Closing {
		if m.Answers >= r.s.finalSeq && !r.s.wantFinal || r.s.Best() >= r.s.Bill {
			r.claim()
		}
		return nil
	}
	// A publisher whose cap rises slower than the bill pays at maxRate while the
	// container is frozen: that is progress, not non-payment.
	if r.s.Frozen && r.s.Best()-was > 0 && r.s.Best()-was >= Earned(r.terms().MaxRate, Interval(r.terms()))/2 {
		r.s.FrozenAt = r.now
	}
	return nil
}

// resume takes the publisher's answer to RESUME: the newest validly signed
// report and voucher win (1.11).
func (r *providerRun) resume(m *protocol.Resume) error {
	rec := &r.s.Record
	if !r.s.talk.accepted || m.Contract != rec.Contract.ID() {
		return r.stray(m)
	}
	r.s.resuming = false
	if u := m.Usage; u != nil && u.Channel == rec.Channel && (rec.Report == nil || u.Seq > rec.Report.Seq) {
		if err := u.Verify(r.Key.Address(), r.Ledger); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		bill, err := rec.Contract.Terms.Rates.Bill(u.Usage)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		report := *u
		rec.Report = &report
		rec.Usage = highest(rec.Usage, u.Usage)
		if r.s.Bill, err = rec.Contract.Terms.Rates.Bill(rec.Usage); err != nil {
			rec.Usage, r.s.Bill = u.Usage.Clone(), bill
		}
		r.save()
	}
	if m.Paid != nil && (r.s.Phase == Active || r.s.Phase == Suspended || r.s.Phase == Closing) {
		if err := r.paid(m.Paid); err != nil {
			return err
		}
	}
	if r.s.Phase == Active || r.s.Phase == Suspended {
		if rec.Report == nil {
			r.send(&protocol.Ready{})
		}
		r.s.usageAt = r.now
		if r.s.Phase == Suspended && !r.s.Frozen {
			r.s.Reason = ""
			r.to(Active)
		}
	}
	return nil
}

// highest is the larger value of every counter.
func highest(a, b pricing.Usage) pricing.Usage {
	out := a.Clone()
	for c, n := range b {
		out[c] = max(out[c], n)
	}
	return out
}

// blocked says why the container must not run now, or "" (1.9, 1.13, 3.3).
// stale is set where the ledger is the reason.
func (r *providerRun) blocked() (why string, stale bool) {
	s, t := &r.s, r.terms()
	ahead := saturate(s.Bill.Add(Earned(t.MaxRate, r.period())))
	switch {
	case ahead > saturate(s.Best().Add(Exposure(t))) && Prepaid(t):
		return fmt.Sprintf("bill %s, paid ahead %s", s.Bill, s.Best()), false
	case ahead > saturate(s.Best().Add(Exposure(t))):
		return fmt.Sprintf("bill %s, voucher %s: the next reading could exceed the exposure of %s", s.Bill, s.Best(), Exposure(t)), false
	case s.Bill > s.Best() && s.Linked && r.now >= s.paidAt+Interval(t)+Grace(t):
		return fmt.Sprintf("no voucher for the bill of %s", s.Bill), false
	case r.now >= heardLimit(s.Record.Heard, t):
		return "nothing was heard of the publisher", false
	case s.header > 0 && r.now >= r.staleAt():
		return "the ledger's newest header is old", true
	}
	return "", false
}

func heardLimit(heard int64, t protocol.Terms) int64 { return heard + Interval(t) + Grace(t) }

// staleAt is when the newest header is older than margin/2 (3.3).
func (m Provider) staleTime(s ProviderState) int64 {
	return s.header*second + int64(m.Params.MarginSeconds)*second/2 + second
}

func (r *providerRun) staleAt() int64 { return r.staleTime(r.s) }

// guard freezes, thaws and begins or ends the wind-down, as the state demands.
func (r *providerRun) guard() {
	s := &r.s
	if s.Phase != Active && s.Phase != Suspended {
		return
	}
	why, stale := r.blocked()
	switch {
	case why != "" && !s.Frozen:
		r.freeze(why)
		s.stale = stale
	case why != "":
		if s.stale && !stale {
			s.FrozenAt = r.now // the time that the ledger took is not the publisher's
		}
		s.stale = stale
	case s.Frozen && s.Linked && !s.resuming:
		r.thaw()
	}
	r.windDown()
}

func (r *providerRun) freeze(why string) {
	r.s.Frozen, r.s.FrozenAt, r.s.Reason = true, r.now, why
	r.do(Freeze{why}, Measure{})
	if r.s.Phase == Active {
		r.to(Suspended)
	}
	r.send(&protocol.State{Frozen: true, Reason: why})
}

func (r *providerRun) thaw() {
	r.s.Frozen, r.s.stale, r.s.Reason = false, false, ""
	r.s.sampleAt = r.now + r.period()
	r.do(Measure{Rebase: true}, Thaw{})
	r.to(Active)
	r.send(&protocol.State{Frozen: false, Reason: "goes on"})
}

// windDown starts the clock of 3.4 where the deposit or the time runs out, and
// stops it after a top-up.
func (r *providerRun) windDown() {
	t := r.terms()
	err := r.payee(r.s.Record).Proven.WindDown(r.seconds(), r.s.Bill, channel.Limits{
		Exposure: Exposure(t), IntervalSeconds: Interval(t) / second, MarginSeconds: int64(r.Params.MarginSeconds)})
	switch {
	case err == nil:
		r.s.windAt = 0
	case r.s.windAt == 0:
		r.s.windAt = r.now + Interval(t)
		if errors.Is(err, channel.ErrDeposit) {
			r.s.windAt += Grace(t) // 2E are left: time for a TOP-UP to become final
		}
		r.send(&protocol.State{Frozen: r.s.Frozen, Reason: "the lease ends without a top-up: " + err.Error()})
	}
}
