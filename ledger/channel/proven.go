package channel

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Proven is what a finalized header proves of an open channel. Ledger, ID,
// Payer, Payee and Contract never change; Deposit and Expiry only grow.
type Proven struct {
	Ledger   types.Hash    `cbor:"1,keyasint" json:"ledger"`
	ID       types.Hash    `cbor:"2,keyasint" json:"id"`
	Payer    types.Address `cbor:"3,keyasint" json:"payer"`
	Payee    types.Address `cbor:"4,keyasint" json:"payee"`
	Contract types.Hash    `cbor:"5,keyasint" json:"contract"`
	Deposit  types.Amount  `cbor:"6,keyasint" json:"deposit"`
	Expiry   int64         `cbor:"7,keyasint" json:"expiry"` // header time, Unix seconds
}

// renew returns the newer proof, after a top-up (PROTOCOL.md 3.4).
func (p Proven) renew(newer Proven) (Proven, error) {
	same := newer
	same.Deposit, same.Expiry = p.Deposit, p.Expiry
	if same != p {
		return p, fmt.Errorf("%w: proof of %s for %s", ErrChannel, newer.ID.Short(), p.ID.Short())
	}
	if newer.Deposit < p.Deposit {
		return p, fmt.Errorf("%w: deposit from %s to %s", ErrFalls, p.Deposit, newer.Deposit)
	}
	if newer.Expiry < p.Expiry {
		return p, fmt.Errorf("%w: expiry from %d to %d", ErrFalls, p.Expiry, newer.Expiry)
	}
	return newer, nil
}

// Limits are the numbers of a contract that a channel's end depends on.
type Limits struct {
	Exposure        types.Amount // E of PROTOCOL.md 1.9, nXEN
	IntervalSeconds int64        // between payments, its absolute value
	MarginSeconds   int64        // the payee closes this long before expiry (3.3)
}

// WindDown tells whether the payee has to end the lease in order for want of a
// top-up (PROTOCOL.md 3.4): ErrDeposit when deposit − bill < 2E, ErrExpiry when
// at most two intervals remain to expiry − margin, nil to go on. The payer
// uses the same rule, with a later now or a higher bill, to top up in time.
func (p Proven) WindDown(now int64, bill types.Amount, l Limits) error {
	left, err := p.Deposit.Sub(bill)
	if err != nil || left/2 < l.Exposure { // left < 2E without overflow: E is whole
		return fmt.Errorf("%w: %s of %s billed, twice the exposure of %s must be left", ErrDeposit, bill, p.Deposit, l.Exposure)
	}
	if end := p.Expiry - l.MarginSeconds; now >= end-2*l.IntervalSeconds {
		return fmt.Errorf("%w: %d seconds to the closing time, an interval has %d", ErrExpiry, end-now, l.IntervalSeconds)
	}
	return nil
}

// CloseDue tells whether the payee must close now: by expiry − margin (3.3).
func (p Proven) CloseDue(now, marginSeconds int64) bool {
	return now >= p.Expiry-marginSeconds
}

// HeaderStale tells whether the payee must suspend its service because the
// newest header that it knows, of time header, is older than margin/2 (3.3): it
// could no longer see a refund coming.
func HeaderStale(now, header, marginSeconds int64) bool {
	return 2*(now-header) > marginSeconds
}
