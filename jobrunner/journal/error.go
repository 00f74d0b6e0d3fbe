package journal

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrNotFound says that the journal holds no such job, task or lease.
	ErrNotFound ErrorKind = "not in the journal"
	// ErrVersion says that the file was written by a newer program, or, where it is
	// only read, by an older one.
	ErrVersion ErrorKind = "journal has another format"
	// ErrOrder says that a record would take back what was stored: a smaller
	// voucher, an older report, a second end of one attempt.
	ErrOrder ErrorKind = "journal record out of order"
	// ErrClosed says that the journal was closed.
	ErrClosed ErrorKind = "journal is closed"
	// ErrReadOnly says that the journal was opened for reading.
	ErrReadOnly ErrorKind = "journal is opened for reading"
	// ErrFailed says that a write failed, this one or an earlier one, so that
	// nothing more is taken.
	ErrFailed ErrorKind = "journal failed"
	// ErrInvariant says that Check found records that contradict each other.
	ErrInvariant ErrorKind = "journal is inconsistent"
)
