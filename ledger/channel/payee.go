package channel

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Payee is the end that is paid. Best is the best voucher accepted; its amount
// is 0 before the first.
type Payee struct {
	Proven Proven  `cbor:"1,keyasint"`
	Best   Voucher `cbor:"2,keyasint"`
}

// Accept takes a voucher (PROTOCOL.md 3.2): of this channel (ErrChannel), not
// below the best one (ErrFalls), not above the proven deposit (ErrDeposit), with
// a number that is new (ErrSeq), validly signed (types.ErrSignature). The best
// voucher once more is an acknowledgement and changes nothing. Persist the new
// Payee before acting on it.
func (p Payee) Accept(v Voucher) (Payee, error) {
	best, err := newer(p.Proven, p.Best, v)
	p.Best = best
	return p, err
}

// Renew takes the proof of a top-up: its deposit and expiry count from now on.
func (p Payee) Renew(proof Proven) (Payee, error) {
	proven, err := p.Proven.renew(proof)
	p.Proven = proven
	return p, err
}

// Settle gives what a CLOSE carries for a claim of at most the best voucher's
// amount, ErrClaim above it; a claim of 0 needs no voucher (PROTOCOL.md 3.3).
func (p Payee) Settle(claim types.Amount) (*Voucher, error) {
	if claim > p.Best.Amount {
		return nil, fmt.Errorf("%w: claim of %s, voucher of %s", ErrClaim, claim, p.Best.Amount)
	}
	if claim == 0 {
		return nil, nil
	}
	best := p.Best
	return &best, nil
}

// newer is the rule of both ends for a voucher that comes over the wire: it
// returns the best one of the two, or best with the reason why v does not count.
func newer(proven Proven, best, v Voucher) (Voucher, error) {
	switch {
	case best.Seq > 0 && v == best:
		return best, nil
	case v.Channel != proven.ID:
		return best, fmt.Errorf("%w: voucher for %s in channel %s", ErrChannel, v.Channel.Short(), proven.ID.Short())
	case v.Amount < best.Amount:
		return best, fmt.Errorf("%w: voucher from %s to %s", ErrFalls, best.Amount, v.Amount)
	case v.Amount > proven.Deposit:
		return best, fmt.Errorf("%w: voucher of %s, deposit %s", ErrDeposit, v.Amount, proven.Deposit)
	case v.Seq <= best.Seq:
		return best, fmt.Errorf("%w: voucher number %d after %d", ErrSeq, v.Seq, best.Seq)
	}
	if err := v.Verify(proven.Payer, proven.Ledger); err != nil {
		return best, err
	}
	return v, nil
}
