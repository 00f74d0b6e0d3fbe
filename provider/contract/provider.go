package contract

import (
	"fmt"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// Provider is the provider's machine: what is the same for all its leases.
type Provider struct {
	Key    types.PrivateKey
	Ledger types.Hash
	Params Params
	Policy ProviderPolicy
}

// ProviderState is one lease on the provider's side. It is a value: Step returns
// a new one and leaves the old one alone. Drivers only read it.
type ProviderState struct {
	Phase    Phase
	Record   ProviderRecord // what is stored, or would be
	Linked   bool           // a lease stream is open
	Frozen   bool           // the container is stopped
	Bill     types.Amount   // of Record.Usage
	Reason   string         // why it ended, or is suspended
	FrozenAt int64          // Unix ns; moved on by payments that make up for a slow cap

	capabilities protocol.Capabilities
	publisher    types.Address
	spec         protocol.Spec
	talk         talk
	raw          pricing.Usage // the meter's last reading
	header       int64         // newest finalized header, Unix seconds; 0 = none seen
	phaseAt      int64         // when Phase was entered
	usageAt      int64         // when the next USAGE is due
	sampleAt     int64         // when the next reading is due
	paidAt       int64         // when the last voucher came, or nothing was due
	windAt       int64         // when the wind-down ends the lease; 0 = none
	retryAt      int64         // when a ledger action is begun again; 0 = none
	claimAt      int64         // closing: when the final voucher is no longer waited for; 0 = claimed
	hasContainer bool
	asked        bool   // a reading for the next USAGE is under way
	resuming     bool   // RESUME was sent and not yet answered
	leaving      bool   // Leave came before the channel was known
	stale        bool   // frozen because the ledger's headers are old
	wantFinal    bool   // the final USAGE is still to be made
	finalSeq     uint64 // its number, once sent
}

// NewProvider is the state of a lease that has not begun.
func NewProvider() ProviderState { return ProviderState{Phase: Idle} }

// Step is what an event does: the next state and what the driver has to do, or
// an error and the state unchanged.
func (m Provider) Step(s ProviderState, e Event) (ProviderState, []Effect, error) {
	r := &providerRun{Provider: m, s: s, now: e.now()}
	if err := r.event(e); err != nil {
		return s, nil, err
	}
	return r.s, r.out, nil
}

// Restore continues a lease from its record after a restart at time now (Unix
// ns). alive says whether its container still runs. A lease that was provisioning,
// or whose container is gone, is settled; one that served waits for LinkUp like a
// lease whose link was lost just now.
func (m Provider) Restore(rec ProviderRecord, alive bool, now int64) (ProviderState, []Effect, error) {
	bill, err := rec.Contract.Terms.Rates.Bill(rec.Usage)
	if err != nil {
		return ProviderState{}, nil, fmt.Errorf("%w: stored usage: %w", ErrInvariant, err)
	}
	r := &providerRun{Provider: m, now: now, s: ProviderState{
		Phase: rec.Phase, Record: rec, Bill: bill, publisher: rec.Contract.Publisher, spec: rec.Contract.Spec,
		talk: talk{contract: rec.Contract, accepted: true}, phaseAt: now, paidAt: now, hasContainer: alive,
	}}
	r.s.Record.Heard = now
	switch rec.Phase {
	case Closed, Failed:
		return r.s, nil, nil
	case Negotiating, Channel:
		if !rec.Channel.IsZero() {
			r.verify()
		}
	case Closing:
		r.claim() // the same again, or the first time: no voucher counts after the claim
	case Confirmed, Provisioning, Active, Suspended:
		r.restoreService(alive)
	default:
		return ProviderState{}, nil, fmt.Errorf("%w: record in phase %s", ErrInvariant, rec.Phase)
	}
	return r.s, r.out, r.err
}

// Deadline is when the driver has to send the next Tick, Unix ns; 0 = never.
func (m Provider) Deadline(s ProviderState) int64 {
	t, _ := earliest(m.timers(s))
	return t.at
}

// providerRun is one step at work.
type providerRun struct {
	Provider
	s   ProviderState
	now int64
	out []Effect
	err error // the first wrong transition
}

func (r *providerRun) do(e ...Effect) { r.out = append(r.out, e...) }

// send sends where there is a stream; nothing depends on a message's arrival.
func (r *providerRun) send(m protocol.Message) {
	if r.s.Linked {
		r.do(Send{said(m)})
	}
}

func (r *providerRun) save() {
	r.s.Record.Phase = r.s.Phase
	r.do(SaveProvider{r.s.Record})
}

func (r *providerRun) to(p Phase) {
	if err := move(providerTable, r.s.Phase, p); err != nil && r.err == nil {
		r.err = err
	}
	r.s.Phase, r.s.phaseAt = p, r.now
}

// seconds is the time now as the ledger counts it, never behind its headers.
func (r *providerRun) seconds() int64 { return max(r.now/second, r.s.header) }

func (r *providerRun) terms() protocol.Terms { return r.s.Record.Contract.Terms }

// payee is this side's end of the channel.
func (m Provider) payee(rec ProviderRecord) channel.Payee {
	p := channel.Payee{Proven: channel.Proven{Ledger: m.Ledger, ID: rec.Channel, Payer: rec.Contract.Publisher,
		Payee: rec.Contract.Provider, Contract: rec.Contract.ID(), Deposit: rec.Deposit, Expiry: rec.Expiry}}
	if rec.Paid != nil {
		p.Best = rec.Paid.Voucher
	}
	return p
}

// Best is the amount of the best voucher.
func (s ProviderState) Best() types.Amount {
	if s.Record.Paid == nil {
		return 0
	}
	return s.Record.Paid.Voucher.Amount
}

// fail ends a lease before money is at stake.
func (r *providerRun) fail(reason string) {
	r.s.Reason, r.s.Record.Reason = reason, reason
	stored := r.s.talk.accepted
	r.to(Failed)
	if stored {
		r.save()
	}
	r.do(Fail{reason}, Hangup{reason})
}
