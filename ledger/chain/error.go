package chain

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrGenesis says that a genesis or its parameters contradict themselves.
	ErrGenesis ErrorKind = "genesis is not valid"
	// ErrStore says that the stored state cannot be read: the node must stop.
	ErrStore ErrorKind = "stored state is damaged"
	// ErrInvariant says that a sum or an index of the state is wrong.
	ErrInvariant ErrorKind = "invariant is broken"
	// ErrTx says that bytes are no transaction, or that one is malformed.
	ErrTx ErrorKind = "not a valid transaction"
	// ErrNonce says that a nonce was used already, or is too far ahead.
	ErrNonce ErrorKind = "wrong nonce"
	// ErrFee says that the offered fee is below the fee due.
	ErrFee ErrorKind = "fee is too low"
	// ErrBalance says that an account cannot pay.
	ErrBalance ErrorKind = "balance is too low"
	// ErrAmount says that an amount is 0 or too small.
	ErrAmount ErrorKind = "amount is not allowed"
	// ErrNotFound says that a channel, an announcement, a delegate is not there.
	ErrNotFound ErrorKind = "not on the ledger"
	// ErrOwner says that the signer has no right to the thing it names.
	ErrOwner ErrorKind = "signer is not the owner"
	// ErrTime says that an expiry or a lifetime is out of range, or not reached.
	ErrTime ErrorKind = "time is out of range"
	// ErrClaim says that a claim exceeds its voucher or the deposit.
	ErrClaim ErrorKind = "claim is too high"
	// ErrLimit says that a number or a size exceeds what Params allow.
	ErrLimit ErrorKind = "limit exceeded"
	// ErrDelegate says that a delegate is not in the state that this needs.
	ErrDelegate ErrorKind = "delegate's state forbids it"
	// ErrProposal says that a proposed block breaks the rules of order and space.
	ErrProposal ErrorKind = "proposed block is not valid"
)
