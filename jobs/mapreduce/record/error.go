package record

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

// ErrTooLong says that a record is longer than its reader may hold.
const ErrTooLong ErrorKind = "record is too long"
