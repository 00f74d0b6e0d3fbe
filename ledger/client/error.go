package client

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrUnavailable says that no node answered in time. What was sent may
	// still be included: Broadcast the same transaction again.
	ErrUnavailable ErrorKind = "ledger is not reachable"
	// ErrRejected says that the ledger refused a transaction, or included it as
	// failed; the text is the ledger's own.
	ErrRejected ErrorKind = "ledger refused the transaction"
	// ErrNotFound says that something is not on the ledger.
	ErrNotFound ErrorKind = "not on the ledger"
	// ErrPruned says that the node no longer keeps a block that is needed.
	ErrPruned ErrorKind = "block is no longer kept"
	// ErrProof says that a node's answer does not agree with the headers that
	// the delegates signed, or that it belongs to another ledger.
	ErrProof ErrorKind = "ledger's proof does not hold"
	// ErrClosed says that the client was closed.
	ErrClosed ErrorKind = "ledger client is closed"
)
