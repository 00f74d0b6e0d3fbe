package contract

import (
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
	Reason   string         // why it ended, or why it is frozen
	FrozenAt int64          // Unix ns

	capabilities protocol.Capabilities
	publisher    types.Address
	spec         protocol.Spec
	talk         talk          // negotiation
	raw          pricing.Usage // the meter's last reading
	header       int64         // newest finalized header, Unix seconds
	phaseAt      int64         // when Phase was entered
	usageAt      int64         // when the next USAGE is due
	sampleAt     int64         // when the next reading is due
	paidAt       int64         // when the last voucher came, or nothing was due
	windAt       int64         // when the wind-down closes; 0 = none
	retryAt      int64         // when a ledger action is begun again; 0 = none
	final        bool          // the final USAGE is asked for or sent
	resuming     bool          // RESUME was sent and not yet answered
}

// NewProvider is the state of a lease that has not begun.
func NewProvider() ProviderState { return ProviderState{Phase: Idle} }

// Step is what an event does: the next state and what the driver has to do, or
// an error and the state unchanged.
func (m Provider) Step(s ProviderState, e Event) (ProviderState, []Effect, error) {
	return m.step(s, e)
}

// Restore continues a lease from its record after a restart at time now (Unix
// ns). alive says whether its container still runs; a lease without one, or one
// that was not yet active, is settled. Otherwise it waits for LinkUp like a lease
// whose link is lost.
func (m Provider) Restore(r ProviderRecord, alive bool, now int64) (ProviderState, []Effect, error) {
	return m.restore(r, alive, now)
}

// Deadline is when the driver has to send the next Tick, Unix ns; 0 = never.
func (m Provider) Deadline(s ProviderState) int64 { return m.deadline(s) }

// Check returns ErrInvariant where a state breaks a rule of PROTOCOL.md 1.9,
// 1.12 or 3.5. Tests call it after every step.
func (m Provider) Check(s ProviderState) error { return m.check(s) }
