package runtime

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrSpec says that a Spec is not possible.
	ErrSpec ErrorKind = "container not possible"
	// ErrExists says that a container of that ID exists already.
	ErrExists ErrorKind = "container exists"
	// ErrNotFound says that there is no container of that ID.
	ErrNotFound ErrorKind = "no such container"
	// ErrNotRunning says that the container exists, but its first process ended.
	ErrNotRunning ErrorKind = "container does not run"
	// ErrImage says that an image cannot be had or is malformed.
	ErrImage ErrorKind = "bad image"
	// ErrHost says that this machine lacks something that containers need.
	ErrHost ErrorKind = "machine cannot run containers"
	// ErrRunc says that runc failed; its words follow.
	ErrRunc ErrorKind = "runc failed"
)
