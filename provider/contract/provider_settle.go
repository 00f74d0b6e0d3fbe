package contract

import (
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// timers is every deadline of a state.
func (m Provider) timers(s ProviderState) []timer[*providerRun] {
	t := s.Record.Contract.Terms
	type timers = []timer[*providerRun]
	switch s.Phase {
	case Matched, Capabilities, Negotiating, Channel:
		bound := s.Phase
		if s.talk.accepted {
			bound = Channel
		}
		list := timers{{s.phaseAt + m.Params.timeout(bound), func(r *providerRun) error {
			r.fail("timeout in " + string(r.s.Phase))
			return r.err
		}}}
		if s.Phase == Channel {
			list = append(list, timer[*providerRun]{s.retryAt, (*providerRun).reverify})
		}
		return list
	case Provisioning:
		return timers{{s.phaseAt + m.Params.timeout(Provisioning), func(r *providerRun) error {
			r.end("the container did not start in time")
			return r.err
		}}}
	case Active, Suspended:
		list := timers{
			{s.retryAt, (*providerRun).reverify},
			{m.closeTime(s), (*providerRun).closeNow},
			{s.windAt, func(r *providerRun) error { r.end("the deposit was not topped up"); return r.err }},
		}
		if s.Linked && !s.resuming && !s.asked {
			list = append(list, timer[*providerRun]{s.usageAt, (*providerRun).usageDue})
		}
		if s.Frozen {
			if !s.stale {
				list = append(list, timer[*providerRun]{s.FrozenAt + Grace(t), func(r *providerRun) error {
					r.end(r.s.Reason)
					return r.err
				}})
			}
			return list
		}
		list = append(list,
			timer[*providerRun]{s.sampleAt, (*providerRun).sampleDue},
			timer[*providerRun]{heardLimit(s.Record.Heard, t), (*providerRun).guarded})
		if s.Bill > s.Best() && s.Linked {
			list = append(list, timer[*providerRun]{s.paidAt + Interval(t) + Grace(t), (*providerRun).guarded})
		}
		if s.header > 0 {
			list = append(list, timer[*providerRun]{m.staleTime(s), (*providerRun).guarded})
		}
		return list
	case Closing:
		return timers{
			{s.claimAt, func(r *providerRun) error { r.claim(); return r.err }},
			{s.retryAt, func(r *providerRun) error { r.submit(); return r.err }},
		}
	}
	return nil
}

// tick runs every deadline that has come, earliest first.
func (r *providerRun) tick() error {
	for range maxTimers {
		t, ok := earliest(r.timers(r.s))
		if !ok || t.at > r.now {
			break
		}
		if err := t.run(r); err != nil {
			return err
		}
	}
	return r.err
}

func (r *providerRun) reverify() error { r.verify(); return nil }
func (r *providerRun) guarded() error  { r.guard(); return r.err }

// sampleDue asks for a reading; where USAGE is due too, metered makes it.
func (r *providerRun) sampleDue() error {
	r.s.sampleAt, r.s.asked = r.now+r.period(), r.now >= r.s.usageAt
	r.do(Measure{})
	return nil
}

// usageDue asks for the reading of the next USAGE; a frozen container is not
// read again.
func (r *providerRun) usageDue() error {
	if r.s.Frozen {
		r.report(r.now, false)
		return nil
	}
	r.s.sampleAt, r.s.asked = r.now+r.period(), true
	r.do(Measure{})
	return nil
}

// closeTime is when the channel must have been closed (3.3).
func (m Provider) closeTime(s ProviderState) int64 {
	return (s.Record.Expiry - int64(m.Params.MarginSeconds)) * second
}

// closeNow settles without waiting for anybody: expiry is near.
func (r *providerRun) closeNow() error {
	r.end("the channel's expiry is near")
	if r.s.claimAt != 0 {
		r.claim()
	}
	return r.err
}

// end begins the orderly end of a lease: freeze, final USAGE, final VOUCHER
// within a grace, CLOSE.
func (r *providerRun) end(reason string) {
	s := &r.s
	if !r.inService() {
		return
	}
	served := s.Phase == Active || s.Phase == Suspended
	r.to(Closing)
	s.Reason, s.Record.Reason, s.retryAt, s.windAt = reason, reason, 0, 0
	r.send(&protocol.State{Frozen: true, Reason: reason})
	if !served || !s.Linked || s.resuming {
		r.claim()
		return
	}
	s.claimAt = max(min(r.now+Grace(r.terms()), r.closeTime(*s)), r.now+1)
	if s.Frozen {
		r.finish(r.now)
		return
	}
	s.Frozen, s.FrozenAt, s.wantFinal = true, r.now, true
	r.do(Freeze{reason}, Measure{})
}

// finish sends the final USAGE; the container is not needed any more.
func (r *providerRun) finish(timeNS int64) {
	r.s.wantFinal = false
	r.report(timeNS, true)
	r.s.finalSeq = r.s.Record.Report.Seq
	r.destroy()
	if r.s.Bill <= r.s.Best() {
		r.claim()
	}
}

func (r *providerRun) destroy() {
	if r.s.hasContainer {
		r.s.hasContainer = false
		r.do(Destroy{})
	}
}

// claim fixes, stores and submits what this side gets (3.3).
func (r *providerRun) claim() {
	s := &r.s
	s.claimAt, s.wantFinal = 0, false
	s.Record.Claim = s.Best()
	if Prepaid(r.terms()) {
		s.Record.Claim = min(s.Record.Claim, s.Bill)
	}
	r.save()
	r.destroy()
	r.submit()
}

func (r *providerRun) submit() {
	r.s.retryAt = 0
	v, err := r.payee(r.s.Record).Settle(r.s.Record.Claim)
	if err != nil { // the claim was taken from the best voucher
		r.err = err
		return
	}
	r.do(SubmitClose{r.s.Record.Channel, r.s.Record.Claim, v})
}

// settled ends the lease: the channel is gone from the ledger.
func (r *providerRun) settled(e Settled) {
	if r.inService() {
		r.to(Closing)
		r.s.Reason = "the channel was closed"
		r.destroy()
	}
	if r.s.Phase != Closing {
		return
	}
	rec := &r.s.Record
	rec.Claim, rec.CloseTx, rec.CloseHeight = e.Claim, e.Tx, e.Height
	r.s.claimAt, r.s.retryAt = 0, 0
	r.to(Closed)
	r.save()
	r.send(&protocol.Closed{Tx: e.Tx, Height: e.Height, Claim: e.Claim})
	r.do(Hangup{"settled"})
}

// opening reports whether a channel is known and not yet proven: its deposit
// returns early only if this side closes it.
func (r *providerRun) opening() bool { return r.s.Phase == Channel && !r.s.Record.Channel.IsZero() }

// bye is the publisher's wish to end.
func (r *providerRun) bye(reason string) {
	switch {
	case r.opening():
		r.s.leaving, r.s.Reason = true, "publisher left: "+reason
	case !r.inService() && r.s.Phase != Closing:
		r.fail("publisher left: " + reason)
	default:
		r.end("publisher left: " + reason)
	}
}

// dropped settles at once: no voucher will come any more.
func (r *providerRun) dropped(reason string) {
	switch {
	case r.opening():
		r.s.leaving, r.s.Reason = true, "dropped: "+reason
	case !r.inService() && r.s.Phase != Closing:
		r.fail("dropped: " + reason)
	default:
		r.s.resuming = true // makes end claim without waiting
		r.end("dropped: " + reason)
		if r.s.claimAt != 0 {
			r.claim()
		}
	}
}

// exited says that the container is gone.
func (r *providerRun) exited(reason string) {
	if r.inService() {
		r.end("the container ended: " + reason)
	}
}

// leave is the operator's wish to end.
func (r *providerRun) leave(reason string) {
	switch {
	case r.inService():
		r.end("provider left: " + reason)
	case r.s.talk.accepted && (r.s.Phase == Channel || r.s.Phase == Negotiating):
		r.s.leaving, r.s.Reason = true, "provider left: "+reason
		r.send(&protocol.Drop{Reason: r.s.Reason}) // and close what is opened meanwhile
	case r.s.Phase != Closing:
		r.send(&protocol.Reject{Reason: reason})
		r.fail(reason)
	}
}

// restoreService goes on with a lease that had a proven channel.
func (r *providerRun) restoreService(alive bool) {
	s := &r.s
	served := s.Phase == Active || s.Phase == Suspended
	if !served || !alive {
		s.Linked = false
		s.hasContainer = true // what is left of it is removed
		r.end("the provider restarted and the container is gone")
		return
	}
	s.Phase, s.Reason = Suspended, "the provider restarted"
	s.sampleAt = r.now + r.period()
	r.do(Measure{Rebase: true}, Thaw{})
	r.guard()
}

// Loss is what the provider would lose if it were to settle now: counted work
// above the best voucher (1.10).
func (s ProviderState) Loss() types.Amount {
	if s.Bill <= s.Best() {
		return 0
	}
	return s.Bill - s.Best()
}
