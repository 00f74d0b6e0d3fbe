package client

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrVersion says that the worker speaks another version of the protocol.
	ErrVersion ErrorKind = "worker speaks another version"
	// ErrHash says that what came is not what its hash promised: the provider, or
	// its worker, gave something else.
	ErrHash ErrorKind = "fetched bytes have the wrong hash"
	// ErrWorker says that the worker could not give what was asked; its words follow.
	ErrWorker ErrorKind = "worker refused"
	// ErrSource says that what was to be fed cannot be read here; the source's error
	// is wrapped beside it.
	ErrSource ErrorKind = "input cannot be read"
	// ErrClosed says that the connection was closed here.
	ErrClosed ErrorKind = "connection closed"
	// ErrStalled says that nothing came for too long.
	ErrStalled ErrorKind = "worker does not answer"
	// ErrQueue says that more is waiting to be sent than is kept.
	ErrQueue ErrorKind = "connection does not take what is sent"
)
