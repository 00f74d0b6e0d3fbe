package node

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrConfig says that a node cannot run with this configuration.
	ErrConfig ErrorKind = "node configuration is not valid"
	// ErrGenesis says that a genesis file or a home belongs to something else.
	ErrGenesis ErrorKind = "genesis does not fit"
	// ErrStore says that the stored state cannot be read or written.
	ErrStore ErrorKind = "ledger store failed"
	// ErrHalted says that the node stopped making blocks because its state broke
	// a rule; nothing was written.
	ErrHalted ErrorKind = "ledger node halted"
	// ErrKey says that a key file holds no key.
	ErrKey ErrorKind = "not a key file"
)
