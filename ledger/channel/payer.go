package channel

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Payer is the end that signs vouchers. Best is the newest one signed; its
// amount is 0 before the first.
type Payer struct {
	Proven Proven  `cbor:"1,keyasint"`
	Best   Voucher `cbor:"2,keyasint"`
}

// Sign makes the voucher for a cumulative amount that pays the agreed usage of
// that hash. The amount must not be below the best voucher's (ErrFalls), above
// the proven deposit (ErrDeposit) or above limit (ErrCap): maxRate × the
// seconds since the channel was final, and what a prepaying contract adds
// (PROTOCOL.md 1.9, 1.13). Signing the best voucher's amount and hash again
// gives that same voucher. Persist the new Payer, then send the voucher.
func (p Payer) Sign(key types.PrivateKey, amount types.Amount, usage types.Hash, limit types.Amount) (Payer, Voucher, error) {
	switch {
	case key.Address() != p.Proven.Payer:
		return p, Voucher{}, fmt.Errorf("%w: %s, the payer is %s", ErrKey, key.Address().Short(), p.Proven.Payer.Short())
	case amount < p.Best.Amount:
		return p, Voucher{}, fmt.Errorf("%w: voucher from %s to %s", ErrFalls, p.Best.Amount, amount)
	case amount > p.Proven.Deposit:
		return p, Voucher{}, fmt.Errorf("%w: voucher of %s, deposit %s", ErrDeposit, amount, p.Proven.Deposit)
	case amount > limit:
		return p, Voucher{}, fmt.Errorf("%w: voucher of %s, cap %s", ErrCap, amount, limit)
	case p.Best.Seq > 0 && amount == p.Best.Amount && usage == p.Best.UsageHash:
		return p, p.Best, nil
	}
	v := Voucher{Channel: p.Proven.ID, Seq: p.Best.Seq + 1, Amount: amount, UsageHash: usage}
	p.Best = v.Sign(key, p.Proven.Ledger)
	return p, p.Best, nil
}

// Adopt takes back a voucher of its own that the payee shows on resume and that
// a restarted payer does not know: the newest validly signed one wins
// (PROTOCOL.md 1.11). One that is known already changes nothing.
func (p Payer) Adopt(v Voucher) (Payer, error) {
	best, err := newer(p.Proven, p.Best, v)
	p.Best = best
	return p, err
}

// Renew takes the proof of a top-up: its deposit and expiry count from now on.
func (p Payer) Renew(proof Proven) (Payer, error) {
	proven, err := p.Proven.renew(proof)
	p.Proven = proven
	return p, err
}
