// Package contract is the life of one lease, from the first message to the
// settled channel (PROTOCOL.md 1), as two pure machines: [Provider] and
// [Publisher]. A machine takes the state of a lease and an event and gives back
// the next state and what has to be done ([Effect]). Time is in the events.
//
//	provider:  idle ─ matched ─ capabilities ─ negotiating ─ channel ─ confirmed ─
//	           provisioning ─ active ⇄ suspended ─ closing ─ closed
//	publisher: announced ─ capabilities ─ negotiating ─ channel ─ confirmed ─
//	           ready ─ active ⇄ suspended ─ closing ─ closed
//	both:      before a channel is known ─ failed; with a channel ─ closing
//
// A driver owns one state: it steps it with what happens, carries the effects
// out in order, and sends a Tick when Deadline has come. It stores before it
// sends, because the Save effects stand before the Send effects. After a restart
// Restore goes on from the stored record.
//
// The machines guarantee, each for its side and against any peer, the bounds of
// 1.10: a provider's counted work exceeds its best voucher by at most [Exposure];
// a publisher never signs above [Cap], nor above what the contract's rates make
// of the counters that it agreed to.
//
// Carrying effects out, retrying dials, choosing among providers and watching
// the ledger are left to provider/agent and jobrunner/lease. Start at phase.go,
// then event.go and effect.go.
package contract
