package files

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrUnsupported says that a file or a whole system cannot be read rightly from
	// here (an encryption zone, a protection of transfers that is not spoken), and
	// that trying again will not help.
	ErrUnsupported ErrorKind = "cannot be read rightly"
	// ErrCorrupt says that no copy of a part of a file has the bytes that were
	// written.
	ErrCorrupt ErrorKind = "no right copy of the data"
	// ErrChanged says that a file is not the one that was opened any more.
	ErrChanged ErrorKind = "changed while it was read"
	// ErrUnavailable says that the system did not answer, or refused for the time
	// being, until the deadline.
	ErrUnavailable ErrorKind = "not available"
	// ErrConfig says that the system's configuration is wrong or lacks something.
	ErrConfig ErrorKind = "wrong configuration"
	// ErrClosed says that the System or the reader was closed.
	ErrClosed ErrorKind = "closed"
	// ErrPath says that a path is not absolute, not clean, or not one that the system takes.
	ErrPath ErrorKind = "not a path"
	// ErrFolder says that a folder was given where a file is needed.
	ErrFolder ErrorKind = "is a folder"
)
