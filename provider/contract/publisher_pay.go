package contract

import (
	"errors"
	"fmt"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// usage takes a report (1.12): of this channel, signed, counters and bill right
// and not falling. It is answered once this side's own reading is there.
func (r *publisherRun) usage(u *protocol.UsageReport) error {
	rec := &r.s.Record
	if r.s.Phase == Channel || r.s.Phase == Confirmed || !r.s.talk.accepted {
		return r.stray(u)
	}
	if u.Channel != rec.Channel {
		return fmt.Errorf("%w: usage of channel %s", ErrPeer, u.Channel.Short())
	}
	if err := u.Verify(r.s.Provider, r.Ledger); err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	if last := rec.Report; last != nil {
		switch {
		case u.Seq < last.Seq:
			return nil // late
		case u.Seq == last.Seq && u.Hash() != last.Hash():
			return fmt.Errorf("%w: two usage reports with number %d", ErrPeer, u.Seq)
		case u.Seq == last.Seq:
			if rec.Paid != nil && rec.Paid.Answers == u.Seq {
				r.send(rec.Paid) // doubled: so is the answer
			}
			return nil
		case u.Seq == last.Seq+1 && u.Before != last.Hash():
			return fmt.Errorf("%w: usage report %d does not follow the one before", ErrPeer, u.Seq)
		case u.TimeNS < last.TimeNS:
			return fmt.Errorf("%w: usage report %d is earlier than the one before", ErrPeer, u.Seq)
		}
		for c, n := range last.Usage {
			if u.Usage[c] < n {
				return fmt.Errorf("%w: counter %s falls from %d to %d", ErrPeer, c, n, u.Usage[c])
			}
		}
	}
	if bill, err := r.terms().Rates.Bill(u.Usage); err != nil || bill != u.Bill {
		return fmt.Errorf("%w: bill %s, the rates make %s (%v)", ErrPeer, u.Bill, bill, err)
	}
	if r.s.pending != nil && u.Seq <= r.s.pending.Seq {
		return nil
	}
	if r.s.Phase == Ready {
		r.to(Active)
	}
	r.s.pending, r.s.pendingAt = u, r.now
	if u.Final || r.s.Phase == Closing {
		return r.pay() // the container is gone: the readings so far must do
	}
	r.do(Measure{})
	return nil
}

// pay answers the pending report: compares, agrees, signs, stores, sends.
func (r *publisherRun) pay() error {
	u := *r.s.pending
	rec := &r.s.Record
	r.s.pending = nil
	if rec.Lost {
		return nil
	}
	check, disputed := r.s.check.compare(u, rec.Contract, r.Policy.TrustMeter, r.now)
	r.s.check = check
	if disputed != "" {
		rec.Strikes++
		r.s.Dispute = disputed
	}
	paid, err := r.payment(u)
	if err != nil {
		// Only where this key signed beyond its own cap elsewhere.
		if r.serving() {
			r.bye("no voucher is possible: " + err.Error())
		}
		return r.err
	}
	rec.Report, rec.Paid = &u, &paid
	r.do(SavePayment{u, paid, *rec})
	r.send(&paid)
	switch {
	case !r.serving():
	case u.Final:
		r.closing("the provider ended the lease: " + r.s.Reason)
		r.s.byeAt = r.now
	case rec.Strikes >= r.Params.strikes():
		r.bye(fmt.Sprintf("usage was disputed %d times, at last %s", rec.Strikes, r.s.Dispute))
	}
	return r.err
}

func (p Params) strikes() uint32 { return max(p.Strikes, 1) }

// payment is the voucher for what is agreed: never above maxRate × the seconds
// since the channel was final, never above the deposit (1.9, 1.13, 5.10).
func (r *publisherRun) payment(u protocol.UsageReport) (protocol.Paid, error) {
	t, rec := r.terms(), r.s.Record
	most := min(Earned(t.MaxRate, r.now-rec.FinalAt), rec.Deposit)
	last := protocol.Paid{}
	if rec.Paid != nil {
		last = *rec.Paid
	}
	want := highest(last.Agreed, r.s.check.granted)
	agreed, bill, err := limit(t.Rates, want, last.Agreed, uint64(most))
	if err != nil {
		return protocol.Paid{}, err
	}
	amount := types.Amount(bill)
	switch {
	case Prepaid(t) && !u.Final:
		amount = min(saturate(amount.Add(Earned(t.MaxRate, Interval(t)))), rec.Deposit)
	case !u.Final || r.s.forfeit:
		amount -= min(amount, t.Holdback)
	}
	amount = max(amount, last.Voucher.Amount)
	_, v, err := r.payer(rec).Sign(r.Key, amount, protocol.AgreedHash(agreed), Cap(t, r.now-rec.FinalAt))
	return protocol.Paid{Voucher: v, Agreed: agreed, Answers: u.Seq}, err
}

// topUp asks for more deposit or time while there is enough left to get it final
// before the provider winds down (3.4).
func (r *publisherRun) topUp() {
	rec, t := &r.s.Record, r.terms()
	if !r.serving() || !r.s.Linked || rec.TopUpTx != nil || r.s.toppingUp || r.now < r.s.topUpAt {
		return
	}
	ahead := 2*Interval(t) + Grace(t)
	bill := saturate(r.s.Bill().Add(Earned(t.MaxRate, ahead)))
	need := channel.Limits{Exposure: r.reserve(), IntervalSeconds: 2 * Interval(t) / second, MarginSeconds: int64(r.Params.MarginSeconds)}
	err := r.payer(*rec).Proven.WindDown((r.now+ahead)/second, bill, need)
	if err == nil {
		return
	}
	amount, expiry := types.Amount(0), int64(0)
	if errors.Is(err, channel.ErrDeposit) && r.Policy.TopUpSeconds > 0 {
		amount = max(Earned(t.MaxRate, int64(r.Policy.TopUpSeconds)*second), saturate(r.reserve().MulDiv(2, 1)))
	}
	if later := r.now/second + int64(r.Policy.LeaseSeconds); later > rec.Expiry {
		expiry = later
	}
	if amount == 0 && (expiry == 0 || errors.Is(err, channel.ErrDeposit)) {
		return // nothing that this side may do would help
	}
	r.s.toppingUp = true
	r.do(PrepareTopUp{rec.Channel, amount, expiry})
}

// reserve is what must be left of the deposit for the provider to go on: E, or
// what is prepaid.
func (r *publisherRun) reserve() types.Amount {
	if Prepaid(r.terms()) {
		return Earned(r.terms().MaxRate, Interval(r.terms()))
	}
	return Exposure(r.terms())
}

func (r *publisherRun) topUpPrepared(e TopUpPrepared) {
	r.s.toppingUp = false
	if !r.serving() || r.s.Record.TopUpTx != nil {
		return // not stored, so never sent
	}
	rec := &r.s.Record
	rec.TopUpTx, rec.TopUp, rec.TopUpExpiry = e.Tx, e.Amount, e.Expiry
	r.save()
	r.do(Broadcast{Tx: e.Tx, TopUp: true})
}

func (r *publisherRun) topUpFailed(e TopUpFailed) {
	r.s.toppingUp = false
	r.s.topUpAt = r.now + max(Interval(r.terms()), r.Params.retry())
	rec := &r.s.Record
	switch {
	case rec.TopUpTx == nil:
	case e.Rejected:
		rec.TopUpTx, rec.TopUp, rec.TopUpExpiry = nil, 0, 0
		r.save()
	case r.s.Phase != Closing:
		r.s.retryAt = r.now + r.Params.retry()
	}
}
