// Package wire is what a ledger node and its clients must agree on beyond the
// transactions: the name and validators that a genesis gives the consensus
// engine, the extra calls of the node's RPC, and how a result is stored in a
// block. The node serves CometBFT's own RPC calls beside these.
package wire

import "time"

// The node's own RPC methods, with their arguments.
const (
	MethodHead   = "zennet_head"   // after, wait_ms → Head
	MethodValue  = "zennet_value"  // key, height → Value
	MethodValues = "zennet_values" // prefix, after, limit, height → Values
	MethodTx     = "zennet_tx"     // id → TxAt
	MethodSupply = "zennet_supply" // → Supply
)

// Bounds of the node's own RPC methods.
const (
	MaxWait   = 8 * time.Second // of MethodHead
	MaxValues = 256             // of MethodValues, entries an answer
)

// NonceRefused is the codespace of a transaction that the mempool refuses for
// its nonce alone: it was used, or it is too far ahead for now.
const NonceRefused = "nonce"

// Head answers MethodHead as soon as the height exceeds after, or after wait_ms.
// The header of Height is final; values can be proven at Height − 1, and the
// results of the blocks up to Height − 1 are there.
type Head struct {
	Height int64 `json:"height"`
}

// Value is an entry of the state after block Height, with its ics23 proof
// against the application hash in header Height + 1. An absent key has no value
// and a proof of absence.
type Value struct {
	Height int64  `json:"height"`
	Key    []byte `json:"key"`
	Value  []byte `json:"value"`
	Proof  []byte `json:"proof"`
}

// Values is a page of entries in key order, each with its proof. More says that
// others follow the last.
type Values struct {
	Height int64   `json:"height"`
	Values []Value `json:"values"`
	More   bool    `json:"more"`
}

// TxAt says where a transaction is; Found is false where the node knows of no
// such transaction (or has pruned it).
type TxAt struct {
	Found  bool  `json:"found"`
	Height int64 `json:"height"`
	Index  int32 `json:"index"`
}

// Supply is the canonical encoding of chain.Supply after block Height, as the
// node computes it.
type Supply struct {
	Height int64  `json:"height"`
	Supply []byte `json:"supply"`
}
