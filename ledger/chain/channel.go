package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

func shapeOpen(b *Body, _ Params) error {
	if b.Open.Deposit == 0 {
		return fmt.Errorf("%w: channel without a deposit", ErrAmount)
	}
	if b.Open.Payee == b.From {
		return fmt.Errorf("%w: channel to oneself", ErrTx)
	}
	if err := b.Open.Payee.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrTx, err)
	}
	return nil
}

func checkOpen(s *State, b *Body) error { return s.checkExpiry(b.Open.Expiry) }

// checkExpiry holds a channel's expiry within now and MaxChannelSeconds.
func (s *State) checkExpiry(expiry int64) error {
	now, most := s.now(), s.genesis.Params.MaxChannelSeconds
	if expiry <= now || expiry > now+most {
		return fmt.Errorf("%w: expiry %d is not within %d and %d", ErrTime, expiry, now+1, now+most)
	}
	return nil
}

// applyOpen runs after the nonce was used, so the channel's is the one before;
// it stands in the body.
func applyOpen(s *State, b *Body) {
	c := Channel{
		ID:    ChannelID(s.genesis.Ledger, b.From, b.Nonce),
		Payer: b.From, Payee: b.Open.Payee, Contract: b.Open.Contract,
		Deposit: b.Open.Deposit, Expiry: b.Open.Expiry,
		Height: s.height(), Time: s.now(),
		ClosePrepaid: CloseFee(s.genesis.Params),
	}
	s.debit(c.Payer, s.sum(c.Deposit, c.ClosePrepaid))
	supply := &s.head.Supply
	supply.Deposits = s.sum(supply.Deposits, c.Deposit)
	supply.PrepaidFees = s.sum(supply.PrepaidFees, c.ClosePrepaid)
	s.put(ChannelKey(c.ID), c)
}

func shapeTopUp(b *Body, _ Params) error {
	if b.TopUp.Amount == 0 && b.TopUp.Expiry == 0 {
		return fmt.Errorf("%w: top-up that changes nothing", ErrAmount)
	}
	return nil
}

func checkTopUp(s *State, b *Body) error {
	c, ok := s.Channel(b.TopUp.Channel)
	switch expiry := b.TopUp.Expiry; {
	case !ok:
		return fmt.Errorf("%w: channel %s", ErrNotFound, b.TopUp.Channel.Short())
	case c.Payer != b.From:
		return fmt.Errorf("%w: channel %s is paid by %s", ErrOwner, c.ID.Short(), c.Payer.Short())
	case expiry == 0:
		return nil
	case expiry < c.Expiry || expiry == c.Expiry && b.TopUp.Amount == 0:
		return fmt.Errorf("%w: expiry %d after %d", ErrTime, expiry, c.Expiry)
	default:
		return s.checkExpiry(expiry)
	}
}

func applyTopUp(s *State, b *Body) {
	c, _ := s.Channel(b.TopUp.Channel)
	s.debit(c.Payer, b.TopUp.Amount)
	s.head.Supply.Deposits = s.sum(s.head.Supply.Deposits, b.TopUp.Amount)
	c.Deposit = s.sum(c.Deposit, b.TopUp.Amount)
	c.Expiry = max(c.Expiry, b.TopUp.Expiry)
	s.put(ChannelKey(c.ID), c)
}

func shapeClose(b *Body, _ Params) error {
	v := b.Close.Voucher
	switch {
	case v == nil && b.Close.Claim > 0:
		return fmt.Errorf("%w: %s without a voucher", ErrClaim, b.Close.Claim)
	case v != nil && v.Channel != b.Close.Channel:
		return fmt.Errorf("%w: voucher of channel %s", ErrTx, v.Channel.Short())
	case v != nil && b.Close.Claim > v.Amount:
		return fmt.Errorf("%w: %s, the voucher has %s", ErrClaim, b.Close.Claim, v.Amount)
	}
	return nil
}

func checkClose(s *State, b *Body) error {
	c, ok := s.Channel(b.Close.Channel)
	switch v := b.Close.Voucher; {
	case !ok:
		return fmt.Errorf("%w: channel %s", ErrNotFound, b.Close.Channel.Short())
	case c.Payee != b.From:
		return fmt.Errorf("%w: channel %s pays %s", ErrOwner, c.ID.Short(), c.Payee.Short())
	case b.Close.Claim > c.Deposit:
		return fmt.Errorf("%w: %s, the deposit is %s", ErrClaim, b.Close.Claim, c.Deposit)
	case v != nil:
		return s.verify(c.Payer, channel.SignedKind, s.genesis.Ledger, v.Signed(), v.Sig)
	}
	return nil
}

func applyClose(s *State, b *Body) {
	c, _ := s.Channel(b.Close.Channel)
	s.settle(c, b.Close.Claim, false)
}

func checkRefund(s *State, b *Body) error {
	c, ok := s.Channel(b.Refund.Channel)
	if !ok {
		return fmt.Errorf("%w: channel %s", ErrNotFound, b.Refund.Channel.Short())
	}
	if c.Payer != b.From {
		return fmt.Errorf("%w: channel %s is paid by %s", ErrOwner, c.ID.Short(), c.Payer.Short())
	}
	depth := int64(s.genesis.Params.RefundDepth)
	time, known := get[int64](s, headerKey(s.height()-depth))
	if !known || time < c.Expiry {
		return fmt.Errorf("%w: the header %d blocks back has not reached the expiry %d", ErrTime, depth, c.Expiry)
	}
	return nil
}

func applyRefund(s *State, b *Body) {
	c, _ := s.Channel(b.Refund.Channel)
	s.settle(c, 0, true)
}

// settle ends a channel: the payee gets the claim, the payer the rest, the
// prepaid fee is paid, and a settlement waits for the receipt (3.3, 4.3).
func (s *State) settle(c Channel, claim types.Amount, refund bool) {
	supply := &s.head.Supply
	supply.Deposits = s.rest(supply.Deposits, c.Deposit)
	supply.PrepaidFees = s.rest(supply.PrepaidFees, c.ClosePrepaid)
	if claim > 0 { // a claim may make the payee's account, whatever its size
		s.credit(c.Payee, claim)
	}
	if rest := s.rest(c.Deposit, claim); rest > 0 {
		s.credit(c.Payer, rest)
	}
	s.pay(c.ClosePrepaid)
	s.kv.Delete(ChannelKey(c.ID))
	left := Settlement{Channel: c.ID, Payer: c.Payer, Payee: c.Payee, Contract: c.Contract, Deposit: c.Deposit,
		Claim: claim, Refund: refund, Height: s.height(), Until: s.now() + s.genesis.Params.ReceiptSeconds}
	s.put(SettlementKey(c.ID), left)
	s.expireAt(left.Until, expireSettlement, c.ID)
}
