package contract

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrEvent says that an event does not belong to the machine or its phase:
	// the driver's fault.
	ErrEvent ErrorKind = "event does not fit the phase"
	// ErrPeer says that the other side broke the protocol. The driver drops the
	// link (LinkDown); the machine's deadlines do the rest.
	ErrPeer ErrorKind = "peer broke the protocol"
	// ErrTransition says that code left the table of transitions: a fault here.
	ErrTransition ErrorKind = "transition not in the table"
	// ErrTerms says that terms are out of their bounds.
	ErrTerms ErrorKind = "terms not acceptable"
	// ErrInvariant says that Check found a state that must not be.
	ErrInvariant ErrorKind = "invariant broken"
)
