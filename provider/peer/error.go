package peer

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrIdentity says that a peer's key is not secp256k1 with even Y, or that
	// an address is no key.
	ErrIdentity ErrorKind = "not the identity of an account"
	// ErrAddrs says that a multiaddr cannot be read or dialled.
	ErrAddrs ErrorKind = "not an address to dial"
	// ErrUnreachable says that a peer could not be dialled.
	ErrUnreachable ErrorKind = "peer cannot be reached"
)
