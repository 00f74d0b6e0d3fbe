package bench

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrKernel says that there is no such kernel, or not with these arguments.
	ErrKernel ErrorKind = "no such benchmark"
	// ErrMeasure says that a benchmark did not run in its container.
	ErrMeasure ErrorKind = "benchmark failed"
)
