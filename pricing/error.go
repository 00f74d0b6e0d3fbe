package pricing

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrCounter says that a counter's name is unknown.
	ErrCounter ErrorKind = "unknown counter"
	// ErrRate says that a rate is malformed.
	ErrRate ErrorKind = "bad rate"
	// ErrShape says that V, s or the units do not fit together.
	ErrShape ErrorKind = "sizes do not fit"
	// ErrFit says that the least-squares problem has no usable solution.
	ErrFit ErrorKind = "no fit"
)
