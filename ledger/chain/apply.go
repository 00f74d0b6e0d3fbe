package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// NonceWindow is how far ahead of an account's nonce CheckTx lets transactions
// wait: gossip reorders them.
const NonceWindow = 256

// What became of an included transaction.
const (
	CodeOK       uint32 = 0 // it did what it says
	CodeFailed   uint32 = 1 // it paid its fee and used its nonce, nothing else
	CodeRejected uint32 = 2 // it did nothing; a block should not hold it
)

// Result is what became of an included transaction.
type Result struct {
	Code uint32       `json:"code"`
	Log  string       `json:"log"` // the reason, where Code is not CodeOK
	Fee  types.Amount `json:"fee"` // taken from the signer: of a successful OPEN with the prepaid fee of its end
}

// CheckTx tells whether a mempool should keep a transaction for a block to
// come: one that is next for its signer must be valid now, one with a nonce up to
// NonceWindow ahead must at least be signed and able to pay its fee.
func (s *State) CheckTx(tx *Tx) error {
	acc := s.Account(tx.Body.From)
	if ahead := tx.Body.Nonce - acc.Nonce; tx.Body.Nonce <= acc.Nonce || ahead > NonceWindow {
		return s.Validate(tx)
	}
	_, _, err := s.admit(tx, true)
	return err
}

// Validate tells whether Apply would succeed; it changes nothing.
func (s *State) Validate(tx *Tx) error {
	rule, fee, err := s.admit(tx, false)
	if err != nil {
		return err
	}
	return s.allowed(rule, &tx.Body, fee)
}

// Apply executes a transaction inside a block. One that may be in a block but
// whose payload fails pays its fee and uses its nonce, nothing else (4.3).
func (s *State) Apply(tx *Tx) Result {
	rule, fee, err := s.admit(tx, false)
	if err != nil {
		return Result{Code: CodeRejected, Log: err.Error()}
	}
	b := &tx.Body
	cause := s.allowed(rule, b, fee)
	if rule.free {
		if cause != nil {
			return Result{Code: CodeRejected, Log: cause.Error()}
		}
		rule.apply(s, b)
		return Result{}
	}
	s.charge(b.From, fee)
	if cause != nil {
		return Result{Code: CodeFailed, Log: cause.Error(), Fee: fee}
	}
	rule.apply(s, b)
	if b.Open != nil {
		fee = s.sum(fee, CloseFee(s.genesis.Params))
	}
	return Result{Fee: fee}
}

// admit holds the rules by which a transaction may be in a block at all: its
// form, its nonce (or, with later, a nonce after that), its fee, its signature.
// It returns the fee that is due even if the payload fails.
func (s *State) admit(tx *Tx, later bool) (*rule, types.Amount, error) {
	if s.err != nil {
		return nil, 0, s.err
	}
	b, p := &tx.Body, s.genesis.Params
	rule, err := ruleOf(b)
	if err != nil {
		return nil, 0, err
	}
	body := types.Encode(b)
	if len(body) > MaxTxBytes-128 { // the envelope and the signature take less
		return nil, 0, fmt.Errorf("%w: body of %d bytes", ErrLimit, len(body))
	}
	if rule.shape != nil {
		if err := rule.shape(b, p); err != nil {
			return nil, 0, err
		}
	}
	fee := types.Amount(0)
	if rule.free {
		if b.Nonce != 0 || b.Fee != 0 {
			return nil, 0, fmt.Errorf("%w: %s takes no nonce and no fee", ErrTx, rule.kind)
		}
	} else if fee, err = s.admitFee(b, rule, later); err != nil {
		return nil, 0, err
	}
	if err := s.verify(b.From, signedKind, s.genesis.Ledger, body, tx.Sig); err != nil {
		return nil, 0, err
	}
	return rule, fee, nil
}

func (s *State) admitFee(b *Body, rule *rule, later bool) (types.Amount, error) {
	p := s.genesis.Params
	acc := s.Account(b.From)
	if b.Nonce != acc.Nonce && !later {
		return 0, fmt.Errorf("%w: %d, the next one of %s is %d", ErrNonce, b.Nonce, b.From.Short(), acc.Nonce)
	}
	if due := FeeOf(p, *b, s.now()); b.Fee < due {
		return 0, fmt.Errorf("%w: %s offered, %s due", ErrFee, b.Fee, due)
	}
	fee := ownFee(p, *b, rule, s.now())
	if have := s.spendable(acc); have < fee {
		return 0, fmt.Errorf("%w: %s can spend %s, the fee is %s", ErrBalance, b.From.Short(), have, fee)
	}
	return fee, nil
}

// allowed holds the rules by which the payload succeeds.
func (s *State) allowed(rule *rule, b *Body, fee types.Amount) error {
	if rule.cost != nil {
		total := saturate(fee.Add(rule.cost(b, s.genesis.Params)))
		if have := s.spendable(s.Account(b.From)); have < total {
			return fmt.Errorf("%w: %s can spend %s, needs %s", ErrBalance, b.From.Short(), have, total)
		}
	}
	return rule.check(s, b)
}

// charge takes a transaction's own fee and uses its nonce.
func (s *State) charge(from types.Address, fee types.Amount) {
	acc := s.Account(from)
	acc.Nonce++
	s.setBalance(from, acc, s.rest(acc.Balance, fee))
	s.pay(fee)
}
