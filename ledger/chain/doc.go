// Package chain is the ledger as a pure state machine (PROTOCOL.md 4): accounts,
// payment channels, announcements, receipts, delegates and their election.
//
// A [State] lies over an ordered store ([KV]). [Init] writes a [Genesis] into an
// empty one, [Load] reads it back; a block is BeginBlock, Apply for each
// transaction, EndBlock:
//
//	     BeginBlock            Apply …              EndBlock
//	h−1 ───────────▶ seat the elected set ─▶ transactions ─▶ tally at a round's end ──▶ h
//	                 expire, ban, jail                       updates for the engine
//
// It guarantees that every node computes the same state from the same blocks,
// that all money is somewhere after every transaction (Check), that a failed
// transaction pays its fee and uses its nonce and nothing else, and that no
// transaction can empty the set of validators. Proofs, the store's hash, gossip and
// consensus are ledger/node's; vouchers are ledger/channel's.
//
// Start at tx.go (what there is to do), then rule.go (the table of all kinds),
// apply.go (what is common to them), channel.go, market.go, delegate.go (what is
// not), election.go and block.go.
package chain
