// Package node runs a ledger node: the rules of ledger/chain as the application
// of CometBFT, in one process, over a Merkle tree on disk.
//
// It guarantees: what a client sees as final stays, through kill -9 at any
// moment; every block is executed by the same pure rules on every node; every
// entry of the state can be proven against the header after it; a state that
// breaks a rule or cannot be stored stops the node loudly ([Node.Done]) instead
// of going on. A block is made as soon as a transaction is there, and at least
// every Params.BlockSeconds.
//
//	RPC ─► mempool (CheckTx) ─► PrepareProposal ─► consensus ─► FinalizeBlock ─► Commit
//	         signature checked     order, space      more than      chain.State on    tree and index,
//	         once, nonce window    (Select)          2/3 sign       an overlay        one version a block
//
// It leaves to ledger/chain what a transaction means, to ledger/client the
// verified view of it, and to package wire what both must agree on.
//
// Reading order: node.go (Start, Close), config.go, app.go (blocks), store.go
// and index.go (disk), rpc.go, verify.go, head.go; key.go and genesis.go (files).
package node
