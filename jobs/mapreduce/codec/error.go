package codec

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

// ErrCorrupt says that input is not in its format. Where it only ends too soon, the
// error is io.ErrUnexpectedEOF too.
const ErrCorrupt ErrorKind = "compressed data is corrupt"
