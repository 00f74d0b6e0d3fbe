package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// exists reports whether an account was ever made.
func (s *State) exists(a types.Address) bool { return s.kv.Get(AccountKey(a)) != nil }

// spendable is what an account may pay: its balance above the minimum (4.2).
func (s *State) spendable(acc Account) types.Amount {
	free, err := acc.Balance.Sub(s.genesis.Params.MinBalance)
	if err != nil {
		return 0
	}
	return free
}

// credit adds to a balance, and makes the account where there is none.
func (s *State) credit(a types.Address, amount types.Amount) {
	acc := s.Account(a)
	s.setBalance(a, acc, s.sum(acc.Balance, amount))
}

// debit takes from a balance that was checked before.
func (s *State) debit(a types.Address, amount types.Amount) {
	acc := s.Account(a)
	s.setBalance(a, acc, s.rest(acc.Balance, amount))
}

// setBalance keeps the balance at the last tally beside the new one, for the
// voter's weight (4.4), and the sum of all balances.
func (s *State) setBalance(a types.Address, acc Account, balance types.Amount) {
	if last := s.tallies(); acc.Tally < last {
		acc.Tally, acc.TallyBalance = last, acc.Balance
	}
	supply := &s.head.Supply
	supply.Balances = s.sum(s.rest(supply.Balances, acc.Balance), balance)
	acc.Balance = balance
	s.put(AccountKey(a), acc)
}

// formerBalance is the account's balance at the last tally.
func (s *State) formerBalance(acc Account) types.Amount {
	if acc.Tally < s.tallies() {
		return acc.Balance
	}
	return acc.TallyBalance
}

// pay gives the producer its share of a fee that was taken and destroys the
// rest (4.6).
func (s *State) pay(fee types.Amount) {
	share := types.Amount(0)
	if s.block != nil && !s.block.producer.IsZero() {
		part, err := fee.MulDiv(s.genesis.Params.ShareAt(s.block.height), 100)
		if err != nil {
			s.fail(fmt.Errorf("%w: %w", ErrInvariant, err))
		}
		share = part
	}
	if share > 0 {
		s.credit(s.block.producer, share)
	}
	s.burn(s.rest(fee, share))
}

func (s *State) burn(amount types.Amount) {
	s.head.Supply.Burned = s.sum(s.head.Supply.Burned, amount)
}

// sum and rest compute on money that was checked before: a wrong result is a
// broken invariant, which stops the node.
func (s *State) sum(a, b types.Amount) types.Amount {
	c, err := a.Add(b)
	if err != nil {
		s.fail(fmt.Errorf("%w: %w", ErrInvariant, err))
	}
	return c
}

func (s *State) rest(a, b types.Amount) types.Amount {
	c, err := a.Sub(b)
	if err != nil {
		s.fail(fmt.Errorf("%w: %w", ErrInvariant, err))
	}
	return c
}
