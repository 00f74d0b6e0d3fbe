package types

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrOverflow says that a sum leaves 64 bits.
	ErrOverflow ErrorKind = "amount overflows"
	// ErrUnderflow says that more is taken than is there.
	ErrUnderflow ErrorKind = "amount underflows"
	// ErrAmount says that a text is no amount.
	ErrAmount ErrorKind = "not an amount"
	// ErrAddress says that a text or key is no address.
	ErrAddress ErrorKind = "not an address"
	// ErrHash says that a text is no 32-byte hash in hex.
	ErrHash ErrorKind = "not a hash"
	// ErrKey says that bytes are no private key.
	ErrKey ErrorKind = "not a private key"
	// ErrSignature says that a signature does not validate.
	ErrSignature ErrorKind = "signature is not valid"
	// ErrEncoding says that bytes are not the canonical encoding of a value.
	ErrEncoding ErrorKind = "not canonical encoding"
)
