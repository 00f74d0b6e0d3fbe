package meter

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrGone says that the container's cgroup is no longer there.
	ErrGone ErrorKind = "container is gone"
	// ErrPaths says that the given folders cannot give CPU time and memory.
	ErrPaths ErrorKind = "no usable cgroup"
	// ErrFormat says that a file of the kernel does not look as documented.
	ErrFormat ErrorKind = "unexpected format"
	// ErrClosed says that the meter was closed.
	ErrClosed ErrorKind = "meter is closed"
)
