package segment

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

// ErrCorrupt says that bytes are not a segment, or not the one that was written.
const ErrCorrupt ErrorKind = "segment is damaged"
