package contract

import (
	"github.com/zennet/zennet/provider/protocol"
)

// timers is every deadline of a state.
func (m Publisher) timers(s PublisherState) []timer[*publisherRun] {
	t := s.Record.Contract.Terms
	type timers = []timer[*publisherRun]
	switch s.Phase {
	case Announced, Capabilities, Negotiating:
		return timers{{s.phaseAt + m.Params.timeout(s.Phase), func(r *publisherRun) error {
			r.send(&protocol.Reject{Reason: "timeout"})
			r.fail("timeout in " + string(r.s.Phase))
			return r.err
		}}}
	case Channel:
		return timers{{s.retryAt, func(r *publisherRun) error { r.broadcast(); return nil }}}
	case Confirmed:
		return timers{{s.phaseAt + m.Params.timeout(Confirmed), func(r *publisherRun) error {
			r.bye("no container in time")
			return r.err
		}}, {max(s.phaseAt, s.startedAt) + m.Params.start(), func(r *publisherRun) error {
			r.bye("no container, and its start does not get on")
			return r.err
		}}}
	case Ready, Active, Suspended:
		list := timers{
			{s.Record.Heard + lossTime(t), func(r *publisherRun) error { r.lost("nothing was heard of the provider"); return r.err }},
			{s.retryAt, (*publisherRun).rebroadcast},
		}
		if s.pending != nil {
			list = append(list, timer[*publisherRun]{s.pendingAt + Grace(t)/2, (*publisherRun).pay})
		}
		return list
	case Closing:
		list := timers{{m.refundTime(s), (*publisherRun).refund}}
		if s.byeAt != 0 && !s.Record.Lost {
			list = append(list, timer[*publisherRun]{s.byeAt + max(m.Params.timeout(Closing), lossTime(t)), func(r *publisherRun) error {
				r.lost("the provider did not settle")
				return r.err
			}})
		}
		return list
	}
	return nil
}

// lossTime is how long after the last frame a lease is declared lost (1.11).
func lossTime(t protocol.Terms) int64 { return Interval(t) + 2*Grace(t) }

// refundTime is when a REFUND is worth trying (again).
func (m Publisher) refundTime(s PublisherState) int64 {
	if s.retryAt != 0 {
		return s.retryAt
	}
	return max(s.Record.Expiry, s.Record.TopUpExpiry) * second
}

// tick runs every deadline that has come, earliest first.
func (r *publisherRun) tick() error {
	for range maxTimers {
		t, ok := earliest(r.timers(r.s))
		if !ok || t.at > r.now {
			break
		}
		if err := t.run(r); err != nil {
			return err
		}
	}
	r.topUp()
	return r.err
}

func (r *publisherRun) rebroadcast() error {
	r.s.retryAt = 0
	if r.s.Record.TopUpTx != nil {
		r.do(Broadcast{Tx: r.s.Record.TopUpTx, TopUp: true})
	}
	return nil
}

func (r *publisherRun) refund() error {
	// The answer moves it on; should none come, the next try is an hour away.
	r.s.retryAt = r.now + 3600*second
	r.do(SubmitRefund{r.s.Record.Channel})
	return nil
}

// leave ends the lease in order (1.11).
func (r *publisherRun) leave(e Leave) {
	r.s.forfeit = r.s.forfeit || e.Forfeit
	switch r.s.Phase {
	case Announced, Capabilities, Negotiating:
		r.send(&protocol.Reject{Reason: e.Reason})
		r.fail(e.Reason)
	case Channel:
		if r.s.Record.OpenTx == nil {
			r.send(&protocol.Bye{Reason: e.Reason})
			r.fail(e.Reason)
			return
		}
		r.s.leaving, r.s.Reason = true, e.Reason
	case Closing:
	default:
		r.bye(e.Reason)
	}
}

// bye begins the orderly end: the provider answers with the final USAGE.
func (r *publisherRun) bye(reason string) {
	r.closing(reason)
	r.s.byeAt = r.now
	r.send(&protocol.Bye{Reason: reason})
}

// closing ends service; the ledger has the last word.
func (r *publisherRun) closing(reason string) {
	r.s.Reason, r.s.Record.Reason = reason, reason
	r.s.retryAt = 0
	r.to(Closing)
	r.save()
	r.do(AwaitSettlement{r.s.Record.Channel})
}

// lost gives the lease up: journalled before anything is run again elsewhere.
func (r *publisherRun) lost(reason string) {
	r.s.Record.Lost = true
	if r.s.Phase == Closing {
		r.s.Reason, r.s.Record.Reason = reason, reason
		r.save()
	} else {
		r.closing(reason)
	}
	r.s.pending = nil
	r.do(Lost{reason}, Hangup{reason})
}

// settled ends the lease: the channel is gone from the ledger.
func (r *publisherRun) settled(e Settled) {
	rec := &r.s.Record
	if r.s.Phase == Channel {
		rec.FinalAt = r.now
		r.to(Confirmed)
	}
	if r.s.Phase == Confirmed || r.serving() {
		r.s.Reason, rec.Reason = "the provider settled", "the provider settled"
		r.to(Closing)
	}
	if r.s.Phase != Closing {
		return
	}
	if e.Reason != "" {
		r.s.Reason, rec.Reason = e.Reason, e.Reason
	}
	rec.Claim, rec.CloseTx, rec.CloseHeight, rec.Refunded = e.Claim, e.Tx, e.Height, e.Refund
	r.s.retryAt, r.s.pending = 0, nil
	r.to(Closed)
	r.save()
	r.do(Done{e.Claim, e.Tx, e.Height}, Hangup{"settled"})
}
