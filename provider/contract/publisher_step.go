package contract

import (
	"errors"
	"fmt"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/provider/protocol"
)

// receive takes a message of the provider. What is late or doubled is ignored;
// what no honest provider sends is ErrPeer.
func (r *publisherRun) receive(m protocol.Message) error {
	var err error
	switch m := m.(type) {
	case *protocol.Capabilities:
		if r.s.Phase != Announced {
			return r.stray(m)
		}
		r.s.Capabilities = *m
		r.to(Capabilities)
		r.do(Offered{*m})
	case *protocol.Counter:
		err = r.counter(m)
	case *protocol.Accept:
		err = r.accept(m)
	case *protocol.Reject:
		if r.s.Phase != Capabilities && r.s.Phase != Negotiating {
			return r.stray(m)
		}
		r.fail("rejected: " + m.Reason)
	case *protocol.Starting:
		if r.s.Phase == Confirmed && m.Done > r.s.startDone {
			r.s.startedAt, r.s.startDone = r.now, m.Done
		}
	case *protocol.Ready:
		r.ready()
	case *protocol.State:
		r.frozen(m)
	case *protocol.UsageReport:
		err = r.usage(m)
	case *protocol.Resume:
		err = r.resume(m)
	case *protocol.Drop:
		r.dropped(m.Reason)
	case *protocol.Closed:
		r.closed()
	default:
		return r.stray(m)
	}
	if err == nil {
		err = r.err
	}
	return err
}

func (r *publisherRun) stray(m protocol.Message) error {
	return fmt.Errorf("%w: %T in %s", ErrPeer, m, r.s.Phase)
}

func (r *publisherRun) counter(m *protocol.Counter) error {
	if r.s.Phase != Negotiating {
		return r.stray(m)
	}
	t := &r.s.talk
	if err := t.counter(m.Terms); err != nil {
		return err
	}
	answer := t.answer(r.Key, r.Ledger, r.Policy.acceptable(m.Terms, t.first, r.now/second))
	r.send(answer)
	if no, yes := answer.(*protocol.Reject); yes {
		r.fail(no.Reason)
	}
	return r.err
}

func (r *publisherRun) accept(m *protocol.Accept) error {
	t := &r.s.talk
	if r.s.Phase != Negotiating {
		if t.accepted && m.Contract == r.s.Record.Contract.ID() {
			return nil
		}
		return r.stray(m)
	}
	if err := t.accept(m, r.s.Provider, r.Ledger); err != nil {
		return err
	}
	if !t.accepted {
		t.accepted = true
		r.send(r.signed())
	}
	r.s.Record.Contract, r.s.Record.ProviderSig = t.contract, m.Sig
	r.to(Channel)
	r.do(OpenChannel{t.contract, t.contract.Terms.Deposit, t.contract.Terms.Expiry})
	return nil
}

// signed is this side's acceptance.
func (r *publisherRun) signed() *protocol.Accept {
	k := r.s.talk.contract
	return &protocol.Accept{Contract: k.ID(), Sig: signContract(r.Key, r.Ledger, k)}
}

// openPrepared stores the signed OPEN before it is sent: after a crash it is the
// only trace of the money.
func (r *publisherRun) openPrepared(e OpenPrepared) error {
	if r.s.Phase != Channel || r.s.Record.OpenTx != nil {
		return r.unfit(e)
	}
	rec := &r.s.Record
	rec.Channel, rec.OpenTx = e.Channel, e.Tx
	rec.Deposit, rec.Expiry = rec.Contract.Terms.Deposit, rec.Contract.Terms.Expiry
	r.save()
	r.broadcast()
	return nil
}

func (r *publisherRun) broadcast() {
	r.s.retryAt = 0
	r.do(Broadcast{Tx: r.s.Record.OpenTx})
}

func (r *publisherRun) openFailed(e OpenFailed) {
	switch {
	case r.s.Phase != Channel:
	case e.Rejected || r.s.Record.OpenTx == nil:
		r.send(&protocol.Bye{Reason: "no channel: " + e.Reason})
		r.fail("the channel could not be opened: " + e.Reason)
	default:
		r.s.retryAt = r.now + r.Params.retry() // it may be on the ledger: only certainty helps
	}
}

// channelSeen takes the channel as proven: opened, topped up, or gone.
func (r *publisherRun) channelSeen(e ChannelSeen) {
	rec := &r.s.Record
	switch {
	case r.s.Phase == Channel && e.Channel != nil:
		r.s.retryAt = 0
		if e.Channel.ID != rec.Channel || e.Channel.Contract != rec.Contract.ID() {
			r.fail("the ledger shows another channel")
			return
		}
		rec.Deposit, rec.Expiry, rec.FinalAt = e.Channel.Deposit, e.Channel.Expiry, r.now
		r.s.check = r.base()
		r.to(Confirmed)
		r.save()
		r.s.opened = protocol.Opened{Channel: rec.Channel, Tx: e.Tx, Height: e.Height}
		opened := r.s.opened
		r.send(&opened) // also to a provider that is not wanted: only it can give the deposit back
		if r.s.leaving {
			r.bye(r.s.Reason)
		}
	case r.s.Phase == Channel:
		r.s.retryAt = r.now + r.Params.retry() // not there yet: sent again
	case e.Channel == nil && (r.s.Phase == Confirmed || r.serving()):
		r.closing("the channel is gone from the ledger")
	case e.Channel != nil && (r.s.Phase == Confirmed || r.serving() || r.s.Phase == Closing):
		r.renew(e)
	}
}

// renew takes a proof of a TOP-UP (3.4).
func (r *publisherRun) renew(e ChannelSeen) {
	rec := &r.s.Record
	p, err := r.payer(*rec).Renew(*e.Channel)
	if err != nil || p.Proven.Deposit == rec.Deposit && p.Proven.Expiry == rec.Expiry {
		return
	}
	rec.Deposit, rec.Expiry = p.Proven.Deposit, p.Proven.Expiry
	rec.TopUpTx, rec.TopUp, rec.TopUpExpiry = nil, 0, 0
	if r.s.Phase != Closing {
		r.s.retryAt = 0
	}
	r.save()
	r.send(&protocol.TopUpNotice{Tx: e.Tx, Height: e.Height})
}

func (r *publisherRun) ready() {
	if r.s.Phase != Confirmed {
		return // said again after a RESUME
	}
	r.to(Ready)
	r.save()
	r.do(Usable{})
}

func (r *publisherRun) frozen(m *protocol.State) {
	r.s.Frozen, r.s.Reason = m.Frozen, m.Reason
	switch {
	case m.Frozen && (r.s.Phase == Ready || r.s.Phase == Active):
		r.to(Suspended)
	case !m.Frozen && r.s.Phase == Suspended:
		r.to(Active)
		r.do(Measure{}) // a frozen worker could not answer when the last report came
	}
}

// resume takes RESUME: the newest validly signed report and voucher win (1.11),
// and this side's own go back. A lease that was declared lost is dropped.
func (r *publisherRun) resume(m *protocol.Resume) error {
	rec := &r.s.Record
	if !r.s.talk.accepted || m.Contract != rec.Contract.ID() {
		return r.stray(m)
	}
	if rec.Lost || r.s.Phase == Closing && r.s.byeAt == 0 {
		r.tellOpened()
		r.send(&protocol.Drop{Reason: "the lease was given up: " + r.s.Reason})
		return nil
	}
	if m.Paid != nil && r.s.Phase != Channel {
		if err := r.adopt(*m.Paid); err != nil {
			return err
		}
	}
	r.send(&protocol.Resume{Contract: m.Contract, Usage: rec.Report, Paid: rec.Paid})
	switch r.s.Phase {
	case Channel:
		r.send(r.signed())
		return nil
	case Confirmed:
		r.tellOpened()
		return nil
	case Closing:
		r.tellOpened()
		r.send(&protocol.Bye{Reason: r.s.Reason})
	case Suspended:
		if !r.s.Frozen {
			r.s.Reason = ""
			r.to(Active)
		}
	}
	if m.Usage != nil && (rec.Report == nil || m.Usage.Seq > rec.Report.Seq) {
		return r.usage(m.Usage)
	}
	return nil
}

// tellOpened says again where the channel is to a provider that may not know: a
// lease that ends then still needs its CLOSE.
func (r *publisherRun) tellOpened() {
	if r.s.Record.Report == nil {
		opened := r.s.opened
		r.send(r.signed())
		r.send(&opened)
	}
}

// adopt takes back a voucher that this side signed and no longer knows.
func (r *publisherRun) adopt(p protocol.Paid) error {
	if protocol.AgreedHash(p.Agreed) != p.Voucher.UsageHash {
		return fmt.Errorf("%w: voucher for other counters than agreed", ErrPeer)
	}
	payer, err := r.payer(r.s.Record).Adopt(p.Voucher)
	if errors.Is(err, channel.ErrFalls) || errors.Is(err, channel.ErrSeq) {
		return nil // ours is newer
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	if r.s.Record.Paid == nil || payer.Best != r.s.Record.Paid.Voucher {
		r.s.Record.Paid = &p
		r.s.check = r.base()
		r.save()
	}
	return nil
}

// dropped is a provider that leaves before its container served.
func (r *publisherRun) dropped(reason string) {
	switch r.s.Phase {
	case Channel:
		r.s.leaving, r.s.Reason = true, reason
		if r.s.Record.OpenTx == nil {
			r.fail(reason)
		}
	case Announced, Capabilities, Negotiating:
		r.fail(reason)
	case Closing:
	default:
		r.closing("dropped: " + reason)
	}
}

// closed is only a hint: the ledger says whether and how the channel ended.
func (r *publisherRun) closed() {
	switch {
	case r.s.Phase == Confirmed || r.serving():
		reason := r.s.Reason
		if reason == "" {
			reason = "the provider settled"
		}
		r.closing(reason)
	case r.s.Phase == Closing:
		r.do(AwaitSettlement{r.s.Record.Channel})
	}
}
