package gromacs

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrInput says that a structure, topology, parameter or run input file cannot be used.
	ErrInput ErrorKind = "input file cannot be used"
	// ErrTime says that length, segment or frames do not fit together.
	ErrTime ErrorKind = "times do not fit together"
	// ErrBox says that the box is too small.
	ErrBox ErrorKind = "box is too small"
	// ErrSize says that the job has too many tasks or steps.
	ErrSize ErrorKind = "job is too large"
)
