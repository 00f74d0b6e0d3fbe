package contract

import (
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

	spec      protocol.Spec
	talk      talk
	check     crossCheck            // readings of 5.4
	pending   *protocol.UsageReport // a USAGE that waits for a reading
	phaseAt   int64
	pendingAt int64 // when pending came
	frozenAt  int64
	topUpAt   int64 // when a TOP-UP may be asked for again
	retryAt   int64
	bye       bool // BYE was sent or is due
	forfeit   bool // the holdback stays with the publisher
	resuming  bool
}

// NewPublisher is the state of a lease for a provider that has just dialed and
// proved by its handshake that it is provider. spec is what is announced.
func NewPublisher(provider types.Address, spec protocol.Spec, now int64) PublisherState {
	return PublisherState{Phase: Announced, Provider: provider, spec: spec, Linked: true, phaseAt: now}
}

// Step is what an event does: the next state and what the driver has to do, or
// an error and the state unchanged.
func (m Publisher) Step(s PublisherState, e Event) (PublisherState, []Effect, error) {
	return m.step(s, e)
}

// Restore continues a lease from its record after a restart at time now (Unix
// ns). A live one waits for the provider's RESUME within 1.11's bound.
func (m Publisher) Restore(r PublisherRecord, now int64) (PublisherState, []Effect, error) {
	return m.restore(r, now)
}

// Deadline is when the driver has to send the next Tick, Unix ns; 0 = never.
func (m Publisher) Deadline(s PublisherState) int64 { return m.deadline(s) }

// Check returns ErrInvariant where a state breaks a rule of PROTOCOL.md 1.9,
// 1.12 or 3.5. Tests call it after every step.
func (m Publisher) Check(s PublisherState) error { return m.audit(s) }
