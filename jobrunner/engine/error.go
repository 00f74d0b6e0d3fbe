package engine

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrInvalid says that a job cannot be planned as it is.
	ErrInvalid ErrorKind = "job not valid"
	// ErrNotFound says that there is no such job, task or output.
	ErrNotFound ErrorKind = "not found"
	// ErrStopped says that this machine can store nothing any more (a full or broken
	// disk), so that every job stops where it is: nothing more is run or paid until
	// a new engine recovers them.
	ErrStopped ErrorKind = "stopped, it goes on when it is submitted again"
	// ErrClosed says that the engine is closing.
	ErrClosed ErrorKind = "engine is closed"
	// ErrNotAffordable says that budget or balance do not cover another lease. A
	// Market returns it.
	ErrNotAffordable ErrorKind = "not affordable"
	// ErrNoOffers says that no provider offers what is asked within its limits. A
	// Market returns it.
	ErrNoOffers ErrorKind = "nobody offers it"
)
