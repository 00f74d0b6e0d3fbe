package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Kind names what a transaction does.
type Kind string

// The kinds of transactions (PROTOCOL.md 4.3).
const (
	KindTransfer Kind = "transfer"
	KindOpen     Kind = "open"
	KindTopUp    Kind = "topup"
	KindClose    Kind = "close"
	KindRefund   Kind = "refund"
	KindAnnounce Kind = "announce"
	KindWithdraw Kind = "withdraw"
	KindReceipt  Kind = "receipt"
	KindRegister Kind = "register"
	KindResign   Kind = "resign"
	KindUnjail   Kind = "unjail"
	KindVote     Kind = "vote"
)

// rule is all that is particular to one kind of transaction. Functions that are
// nil have nothing to say.
type rule struct {
	kind    Kind
	set     func(b *Body) bool // whether the body is of this kind
	free    bool               // needs neither nonce nor fee, comes first in a block
	channel bool               // may use the space that is kept for channels

	lifetime func(b *Body, now int64) int64       // seconds that it stays in the store
	cost     func(b *Body, p Params) types.Amount // what it takes beside its own fee
	shape    func(b *Body, p Params) error        // what can be told without the state
	check    func(s *State, b *Body) error        // what cannot; reads only
	apply    func(s *State, b *Body)              // after check: cannot fail
}

var rules = [...]rule{
	{
		kind: KindTransfer, set: func(b *Body) bool { return b.Transfer != nil },
		cost:  func(b *Body, _ Params) types.Amount { return b.Transfer.Amount },
		shape: shapeTransfer, check: checkTransfer, apply: applyTransfer,
	}, {
		kind: KindOpen, set: func(b *Body) bool { return b.Open != nil }, channel: true,
		lifetime: func(b *Body, now int64) int64 { return until(b.Open.Expiry, now) },
		cost:     func(b *Body, p Params) types.Amount { return saturate(b.Open.Deposit.Add(CloseFee(p))) },
		shape:    shapeOpen, check: checkOpen, apply: applyOpen,
	}, {
		kind: KindTopUp, set: func(b *Body) bool { return b.TopUp != nil }, channel: true,
		lifetime: func(b *Body, now int64) int64 { return until(b.TopUp.Expiry, now) },
		cost:     func(b *Body, _ Params) types.Amount { return b.TopUp.Amount },
		shape:    shapeTopUp, check: checkTopUp, apply: applyTopUp,
	}, {
		kind: KindClose, set: func(b *Body) bool { return b.Close != nil }, channel: true, free: true,
		shape: shapeClose, check: checkClose, apply: applyClose,
	}, {
		kind: KindRefund, set: func(b *Body) bool { return b.Refund != nil }, channel: true, free: true,
		check: checkRefund, apply: applyRefund,
	}, {
		kind: KindAnnounce, set: func(b *Body) bool { return b.Announce != nil },
		lifetime: func(b *Body, _ int64) int64 { return int64(b.Announce.LifetimeSeconds) },
		shape:    shapeAnnounce, check: checkAnnounce, apply: applyAnnounce,
	}, {
		kind: KindWithdraw, set: func(b *Body) bool { return b.Withdraw != nil },
		check: checkWithdraw, apply: applyWithdraw,
	}, {
		kind: KindReceipt, set: func(b *Body) bool { return b.Receipt != nil },
		lifetime: func(b *Body, now int64) int64 { return until(b.Receipt.Expiry, now) },
		shape:    shapeReceipt, check: checkReceipt, apply: applyReceipt,
	}, {
		kind: KindRegister, set: func(b *Body) bool { return b.Register != nil },
		cost:  func(_ *Body, p Params) types.Amount { return p.Bond },
		shape: shapeRegister, check: checkRegister, apply: applyRegister,
	}, {
		kind: KindResign, set: func(b *Body) bool { return b.Resign != nil },
		check: checkResign, apply: applyResign,
	}, {
		kind: KindUnjail, set: func(b *Body) bool { return b.Unjail != nil },
		check: checkUnjail, apply: applyUnjail,
	}, {
		kind: KindVote, set: func(b *Body) bool { return b.Vote != nil },
		shape: shapeVote, check: checkVote, apply: applyVote,
	},
}

// ruleOf finds the rule of a body, or ErrTx where it has not exactly one payload.
func ruleOf(b *Body) (*rule, error) {
	var found *rule
	for i := range rules {
		if !rules[i].set(b) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: both %s and %s", ErrTx, found.kind, rules[i].kind)
		}
		found = &rules[i]
	}
	if found == nil {
		return nil, fmt.Errorf("%w: no payload", ErrTx)
	}
	return found, nil
}

// Kind tells what a transaction does, "" where it has not exactly one payload.
func (b Body) Kind() Kind {
	r, err := ruleOf(&b)
	if err != nil {
		return ""
	}
	return r.kind
}

// until is the time from now to an expiry, 0 where that is past.
func until(expiry, now int64) int64 {
	if expiry <= now {
		return 0
	}
	return expiry - now
}
