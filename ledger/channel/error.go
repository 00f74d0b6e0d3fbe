package channel

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrChannel says that a voucher or a proof is of another channel or ledger.
	ErrChannel ErrorKind = "another channel"
	// ErrFalls says that an amount, a deposit or an expiry is lower than before.
	ErrFalls ErrorKind = "value falls"
	// ErrDeposit says that an amount exceeds the proven deposit, or that too
	// little of the deposit is left.
	ErrDeposit ErrorKind = "deposit does not suffice"
	// ErrCap says that the payer would sign more than its cap.
	ErrCap ErrorKind = "amount exceeds the cap"
	// ErrSeq says that a voucher's number was used for another voucher, or that
	// a newer one is known.
	ErrSeq ErrorKind = "voucher is not the newest"
	// ErrKey says that a key is not the payer's.
	ErrKey ErrorKind = "not the payer's key"
	// ErrClaim says that a claim exceeds the best voucher.
	ErrClaim ErrorKind = "claim exceeds the best voucher"
	// ErrExpiry says that the channel ends too soon to go on.
	ErrExpiry ErrorKind = "channel ends too soon"
)
