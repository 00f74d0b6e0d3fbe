package lease

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrNotAffordable says that budget or balance do not cover another lease.
	ErrNotAffordable ErrorKind = "not affordable"
	// ErrNoOffers says that no provider offers what is asked within its limits.
	ErrNoOffers ErrorKind = "nobody offers it"
	// ErrEnded says that the lease has ended.
	ErrEnded ErrorKind = "lease has ended"
	// ErrLost says that the provider was declared lost (PROTOCOL.md 1.11).
	ErrLost ErrorKind = "provider lost"
	// ErrPull says that a provider could not take files from another one's container.
	ErrPull ErrorKind = "not pulled"
	// ErrClosed says that the market is closed.
	ErrClosed ErrorKind = "market is closed"
)
