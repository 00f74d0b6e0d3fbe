package contract

import (
	"fmt"
	"maps"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Publisher is the publisher's machine: what is the same for all its leases.
type Publisher struct {
	Key    types.PrivateKey
	Ledger types.Hash
	Params Params
	Policy PublisherPolicy
}

// PublisherState is one lease on the publisher's side, a value like
// ProviderState.
type PublisherState struct {
	Phase        Phase
	Record       PublisherRecord
	Provider     types.Address
	Capabilities protocol.Capabilities
	Linked       bool
	Frozen       bool   // the provider says that it froze the container
	Reason       string // why it ended, or is suspended
	Dispute      string // what was disputed last (5.4)

	spec      protocol.Spec
	talk      talk
	check     crossCheck
	opened    protocol.Opened       // what is told of the channel
	pending   *protocol.UsageReport // a USAGE that waits for a reading
	pendingAt int64                 // since when
	phaseAt   int64
	startedAt int64  // when the container's start got on last; 0 = not since phaseAt
	startDone uint64 // how far
	topUpAt   int64  // when a TOP-UP may be asked for again
	toppingUp bool   // PrepareTopUp is not yet answered
	retryAt   int64  // when a ledger action is begun again; 0 = none
	byeAt     int64  // when BYE was sent; 0 = not
	leaving   bool   // to be ended as soon as the channel is final
	forfeit   bool   // the holdback stays with the publisher
}

// NewPublisher is the state of a lease for a peer that has just dialed and proved
// by its handshake that it is provider. spec is what was announced.
func NewPublisher(provider types.Address, spec protocol.Spec, now int64) PublisherState {
	return PublisherState{Phase: Announced, Provider: provider, spec: spec, Linked: true, phaseAt: now}
}

// Step is what an event does: the next state and what the driver has to do, or
// an error and the state unchanged.
func (m Publisher) Step(s PublisherState, e Event) (PublisherState, []Effect, error) {
	r := &publisherRun{Publisher: m, s: s, now: e.now()}
	if err := r.event(e); err != nil {
		return s, nil, err
	}
	return r.s, r.out, nil
}

// Restore continues a lease from its record after a restart at time now (Unix
// ns). One that served waits for the provider's RESUME within 1.11's bound,
// counted from now; a transaction that may not have been sent is sent again.
func (m Publisher) Restore(rec PublisherRecord, now int64) (PublisherState, []Effect, error) {
	r := &publisherRun{Publisher: m, now: now, s: PublisherState{
		Phase: rec.Phase, Record: rec, Provider: rec.Contract.Provider, spec: rec.Contract.Spec,
		talk: talk{contract: rec.Contract, accepted: true}, phaseAt: now,
	}}
	r.s.Record.Heard = now
	r.s.check = r.base()
	r.s.opened = protocol.Opened{Channel: rec.Channel}
	switch rec.Phase {
	case Closed, Failed:
		return r.s, nil, nil
	case Channel:
		r.broadcast()
		return r.s, r.out, nil
	case Confirmed:
	case Ready, Active, Suspended:
		r.s.Phase, r.s.Reason = Suspended, "restarted"
	case Closing:
		if !rec.Lost {
			r.s.byeAt = now // BYE is said again when the provider resumes
		}
		r.s.Reason = rec.Reason
		r.do(AwaitSettlement{rec.Channel})
		return r.s, r.out, nil
	default:
		return PublisherState{}, nil, fmt.Errorf("%w: record in phase %s", ErrInvariant, rec.Phase)
	}
	r.do(VerifyChannel{rec.Channel})
	if rec.TopUpTx != nil {
		r.s.retryAt = now + r.Params.retry()
		r.do(Broadcast{Tx: rec.TopUpTx, TopUp: true})
	}
	return r.s, r.out, nil
}

// Deadline is when the driver has to send the next Tick, Unix ns; 0 = never.
func (m Publisher) Deadline(s PublisherState) int64 {
	t, _ := earliest(m.timers(s))
	return t.at
}

// publisherRun is one step at work.
type publisherRun struct {
	Publisher
	s   PublisherState
	now int64
	out []Effect
	err error
}

func (r *publisherRun) do(e ...Effect) { r.out = append(r.out, e...) }

func (r *publisherRun) send(m protocol.Message) {
	if r.s.Linked {
		r.do(Send{said(m)})
	}
}

func (r *publisherRun) save() {
	r.s.Record.Phase = r.s.Phase
	r.do(SaveLease{r.s.Record})
}

func (r *publisherRun) to(p Phase) {
	if err := move(publisherTable, r.s.Phase, p); err != nil && r.err == nil {
		r.err = err
	}
	r.s.Phase, r.s.phaseAt = p, r.now
}

func (r *publisherRun) terms() protocol.Terms { return r.s.Record.Contract.Terms }

// payer is this side's end of the channel.
func (m Publisher) payer(rec PublisherRecord) channel.Payer {
	p := channel.Payer{Proven: channel.Proven{Ledger: m.Ledger, ID: rec.Channel, Payer: rec.Contract.Publisher,
		Payee: rec.Contract.Provider, Contract: rec.Contract.ID(), Deposit: rec.Deposit, Expiry: rec.Expiry}}
	if rec.Paid != nil {
		p.Best = rec.Paid.Voucher
	}
	return p
}

// base is the cross-check after a restart: what was paid is its beginning.
func (r *publisherRun) base() crossCheck {
	c := crossCheck{since: r.s.Record.FinalAt, resumed: r.s.Record.Report != nil}
	if rec := r.s.Record; rec.Report != nil && rec.Paid != nil {
		c.report, c.granted = rec.Report.Usage, rec.Paid.Agreed
	}
	return c
}

// Paid is the amount of the newest voucher.
func (s PublisherState) Paid() types.Amount {
	if s.Record.Paid == nil {
		return 0
	}
	return s.Record.Paid.Voucher.Amount
}

// Bill is what the newest answered report claims.
func (s PublisherState) Bill() types.Amount {
	if s.Record.Report == nil {
		return 0
	}
	return s.Record.Report.Bill
}

// fail ends a lease for which nothing is locked.
func (r *publisherRun) fail(reason string) {
	r.s.Reason, r.s.Record.Reason = reason, reason
	stored := r.s.Record.OpenTx != nil
	r.to(Failed)
	if stored {
		r.save()
	}
	r.do(Fail{reason}, Hangup{reason})
}

// event dispatches an event. It is long because it is one table of what each
// event means in each phase.
func (r *publisherRun) event(e Event) error {
	if r.s.Phase.Ended() {
		return nil // late answers of the driver mean nothing any more
	}
	switch e := e.(type) {
	case Tick:
		return r.tick()
	case LinkUp:
		if !r.s.talk.accepted {
			return r.unfit(e)
		}
		r.s.Linked = true // the provider speaks first: RESUME
	case LinkDown:
		r.linkDown(e.Reason)
	case Received:
		if !r.s.Linked {
			return fmt.Errorf("%w: message without a link", ErrEvent)
		}
		if err := r.receive(e.Message); err != nil {
			return err
		}
		r.s.Record.Heard = r.now
		r.topUp()
	case Choose:
		return r.choose(e)
	case Decline:
		if r.s.Phase != Capabilities {
			return r.unfit(e)
		}
		r.send(&protocol.Reject{Reason: e.Reason})
		r.fail(e.Reason)
	case OpenPrepared:
		return r.openPrepared(e)
	case OpenFailed:
		r.openFailed(e)
	case ChannelSeen:
		r.channelSeen(e)
	case TopUpPrepared:
		r.topUpPrepared(e)
	case TopUpFailed:
		r.topUpFailed(e)
	case HeaderSeen:
	case Inside:
		r.s.check = r.s.check.read(e.TimeNS, e.Usage, e.StagedIn, e.StagedOut)
		if r.s.pending != nil {
			return r.pay()
		}
	case Leave:
		r.leave(e)
	case Settled:
		r.settled(e)
	case SettleFailed:
		if r.s.Phase == Closing {
			r.s.retryAt = r.now + r.Params.retry()
		}
	default:
		return r.unfit(e)
	}
	return r.err
}

func (r *publisherRun) unfit(e Event) error {
	return fmt.Errorf("%w: %T in %s", ErrEvent, e, r.s.Phase)
}

// serving reports whether the container is there, as far as this side knows.
func (r *publisherRun) serving() bool {
	switch r.s.Phase {
	case Ready, Active, Suspended:
		return true
	}
	return false
}

func (r *publisherRun) linkDown(reason string) {
	r.s.Linked = false
	switch {
	case !r.s.talk.accepted:
		r.fail("link lost: " + reason)
	case r.s.Phase == Ready || r.s.Phase == Active:
		r.s.Reason = "link lost: " + reason
		r.to(Suspended)
		r.do(AwaitSettlement{r.s.Record.Channel}) // a provider that restarted without the container settles
	case r.s.Phase == Negotiating:
		// The provider has our signature, we do not have its: nothing is locked.
		r.fail("link lost: " + reason)
	}
}

func (r *publisherRun) choose(e Choose) error {
	if r.s.Phase != Capabilities {
		return r.unfit(e)
	}
	r.s.talk = talk{first: e.Terms, mine: true, contract: protocol.Contract{Ledger: r.Ledger, Publisher: r.Key.Address(),
		Provider: r.s.Provider, Nonce: e.Nonce, Spec: r.s.spec, Terms: e.Terms}}
	r.s.Record.Programs = maps.Clone(r.s.Capabilities.Programs)
	r.to(Negotiating)
	r.send(&protocol.Offer{Contract: r.s.talk.contract})
	return r.err
}
