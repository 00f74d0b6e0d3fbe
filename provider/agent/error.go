package agent

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrConfig says that a Config cannot work.
	ErrConfig ErrorKind = "agent cannot be configured so"
	// ErrStore says that a lease could not be stored; the agent stops then, for it
	// may not go on with what it would forget.
	ErrStore ErrorKind = "lease could not be stored"
	// ErrDuplicate says that a publisher offered a contract that exists already.
	ErrDuplicate ErrorKind = "contract exists already"
	// ErrUnfit says why an announcement is left alone.
	ErrUnfit ErrorKind = "announcement does not fit"
	// ErrRefused says why a stream of a publisher is not served.
	ErrRefused ErrorKind = "stream refused"
	// ErrEnded says that a lease's service has ended.
	ErrEnded ErrorKind = "lease has ended"
	// ErrStuck says that a container did not do in time what it was told to.
	ErrStuck ErrorKind = "container hangs"
)
