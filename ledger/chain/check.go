package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Check counts the whole state again and returns ErrInvariant, or ErrStore,
// where something is not as it must be: all money is somewhere (PROTOCOL.md 4.9),
// the indexes agree with what they point to, and bounds hold. It reads everything;
// call it after a block in tests and now and then in a node.
func (s *State) Check() error {
	if s.err != nil {
		return s.err
	}
	for _, check := range []func() error{s.checkSupply, s.checkAnnouncements, s.checkExpiries, s.checkSets} {
		err := check()
		if s.err != nil { // the cause of what was counted wrong
			return s.err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *State) checkSupply() error {
	counted := Supply{Burned: s.head.Supply.Burned, Genesis: s.head.Supply.Genesis}
	for _, a := range list[Account](s, prefixAccount) {
		counted.Balances = s.sum(counted.Balances, a.Balance)
	}
	for _, c := range list[Channel](s, prefixChannel) {
		counted.Deposits = s.sum(counted.Deposits, c.Deposit)
		counted.PrepaidFees = s.sum(counted.PrepaidFees, c.ClosePrepaid)
	}
	for _, d := range s.Delegates() {
		counted.Bonds = s.sum(counted.Bonds, d.Bond)
		if d.Banned && d.Bond != 0 {
			return fmt.Errorf("%w: %s is banned and has a bond", ErrInvariant, d.Address.Short())
		}
	}
	if counted != s.head.Supply {
		return fmt.Errorf("%w: counted %+v, kept %+v", ErrInvariant, counted, s.head.Supply)
	}
	return counted.Check()
}

// Check returns ErrInvariant unless balances + deposits + prepaid fees + bonds =
// genesis − burned.
func (s Supply) Check() error {
	total := types.Amount(0)
	for _, part := range []types.Amount{s.Balances, s.Deposits, s.PrepaidFees, s.Bonds, s.Burned} {
		sum, err := total.Add(part)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvariant, err)
		}
		total = sum
	}
	if total != s.Genesis {
		return fmt.Errorf("%w: supply %+v makes %d nXEN, genesis gave %d", ErrInvariant, s, uint64(total), uint64(s.Genesis))
	}
	return nil
}

func (s *State) checkAnnouncements() error {
	counts := make(map[types.Address]uint32)
	for _, a := range s.Announcements() {
		counts[a.From]++
	}
	var err error
	s.kv.Iterate([]byte{prefixAccount}, func(key, value []byte) bool {
		acc, broken := decode[Account](value)
		owner := types.Address(key[1:])
		switch {
		case broken != nil:
			err = broken
		case acc.Announcements != counts[owner] || acc.Announcements > s.genesis.Params.MaxAnnouncements:
			err = fmt.Errorf("%w: %s counts %d announcements of %d", ErrInvariant, owner.Short(), acc.Announcements, counts[owner])
		}
		return err == nil
	})
	return err
}

// checkExpiries finds every entry of the index again from what it points to.
func (s *State) checkExpiries() error {
	want := make(map[string]bool)
	for _, a := range s.Announcements() {
		want[string(expiryKey(a.Expiry, expireAnnouncement, a.ID))] = true
	}
	for _, left := range list[Settlement](s, prefixSettlement) {
		want[string(expiryKey(left.Until, expireSettlement, left.Channel))] = true
	}
	for _, r := range list[ReceiptRecord](s, prefixReceipt) {
		want[string(expiryKey(r.Receipt.Expiry, expireReceipt, r.Receipt.Channel))] = true
	}
	for _, d := range s.Delegates() {
		if d.BondReturns != 0 {
			want[string(expiryKey(d.BondReturns, expireBond, d.Address))] = true
		}
	}
	var err error
	found := 0
	s.kv.Iterate([]byte{prefixExpiry}, func(key, _ []byte) bool {
		if !want[string(key)] {
			err = fmt.Errorf("%w: expiry %x of nothing", ErrInvariant, key)
		}
		found++
		return err == nil
	})
	if err == nil && found != len(want) {
		err = fmt.Errorf("%w: %d expiries, want %d", ErrInvariant, found, len(want))
	}
	return err
}

func (s *State) checkSets() error {
	for _, set := range [][]seat{s.head.Set, s.head.Next} {
		if len(set) == 0 || len(set) > int(s.genesis.Params.Delegates) {
			return fmt.Errorf("%w: a set of %d", ErrInvariant, len(set))
		}
		for _, seat := range set {
			if d, ok := s.Delegate(seat.Address); !ok || string(d.ConsensusKey) != string(seat.ConsensusKey) {
				return fmt.Errorf("%w: %s sits but is no delegate", ErrInvariant, seat.Address.Short())
			}
		}
	}
	serving := 0
	for _, j := range s.head.Jails {
		if j.Until > s.round() {
			serving++
		}
	}
	if d := int(s.genesis.Params.Delegates); serving > (d-1)/3 {
		return fmt.Errorf("%w: %d of %d jailed", ErrInvariant, serving, d)
	}
	return nil
}
