package protocol

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrKind says that a frame holds no message, or not the one expected.
	ErrKind ErrorKind = "unexpected message"
	// ErrTooLarge says that a message exceeds its bound.
	ErrTooLarge ErrorKind = "message too large"
	// ErrInvalid says that a message's fields are out of their bounds.
	ErrInvalid ErrorKind = "message not valid"
)
