package contract

import "fmt"

// Phase is where a lease stands, on one side.
type Phase string

// The phases of both sides (PROTOCOL.md 1, "States").
const (
	Idle         Phase = "idle"         // provider: nothing yet
	Matched      Phase = "matched"      // provider: an announcement passed the filter; it dials
	Announced    Phase = "announced"    // publisher: waits for a provider's capabilities
	Capabilities Phase = "capabilities" // capabilities sent or received; the publisher chooses
	Negotiating  Phase = "negotiating"  // offers, counters, accepts
	Channel      Phase = "channel"      // both signed; the payment channel is being opened and verified
	Confirmed    Phase = "confirmed"    // the channel is final and proven; publisher: waits for Ready
	Provisioning Phase = "provisioning" // provider: the container is being started
	Ready        Phase = "ready"        // publisher: the container can be used, no USAGE yet
	Active       Phase = "active"       // service and payment
	Suspended    Phase = "suspended"    // frozen, or the link is lost
	Closing      Phase = "closing"      // no service any more; settlement under way
	Closed       Phase = "closed"       // settled on the ledger, or nothing was ever locked
	Failed       Phase = "failed"       // ended with a reason before money was at stake
)

// Ended reports whether nothing more will happen.
func (p Phase) Ended() bool { return p == Closed || p == Failed }

// providerTable and publisherTable are the allowed transitions. Failed is
// reached from every phase before a channel is known to exist; afterwards a
// lease always goes through Closing, because money is locked.
var (
	providerTable = map[Phase][]Phase{
		Idle:         {Matched, Failed},
		Matched:      {Capabilities, Failed},
		Capabilities: {Negotiating, Failed},
		Negotiating:  {Channel, Failed},
		Channel:      {Confirmed, Closing, Failed},
		Confirmed:    {Provisioning, Closing},
		Provisioning: {Active, Closing},
		Active:       {Suspended, Closing},
		Suspended:    {Active, Closing},
		Closing:      {Closed},
	}
	publisherTable = map[Phase][]Phase{
		Announced:    {Capabilities, Failed},
		Capabilities: {Negotiating, Failed},
		Negotiating:  {Channel, Failed},
		Channel:      {Confirmed, Closing, Failed},
		Confirmed:    {Ready, Closing},
		Ready:        {Active, Suspended, Closing},
		Active:       {Suspended, Closing},
		Suspended:    {Active, Closing},
		Closing:      {Closed},
	}
)

// move checks a transition against its table.
func move(table map[Phase][]Phase, from, to Phase) error {
	for _, p := range table[from] {
		if p == to {
			return nil
		}
	}
	return fmt.Errorf("%w: %s to %s", ErrTransition, from, to)
}
