package chain

import (
	"cmp"
	"slices"

	"github.com/zennet/zennet/ledger/types"
)

// seat is a delegate's place in a set of validators.
type seat struct {
	Address      types.Address `cbor:"1,keyasint"`
	ConsensusKey []byte        `cbor:"2,keyasint"`
}

func sits(set []seat, a types.Address) bool {
	return slices.ContainsFunc(set, func(s seat) bool { return s.Address == a })
}

// Round r is the blocks r·RoundBlocks+1 … (r+1)·RoundBlocks. The tally is taken
// at the end of the last block but one: what EndBlock returns there is in force
// two blocks later, which is the first block of the next round (4.4).

func (s *State) round() uint64 { return uint64(s.height()-1) / s.genesis.Params.RoundBlocks }

func (s *State) firstOfRound() bool {
	return s.block.height > 1 && uint64(s.block.height)%s.genesis.Params.RoundBlocks == 1
}

func (s *State) tallyDue() bool {
	r := s.genesis.Params.RoundBlocks
	return uint64(s.block.height)%r == r-1
}

// tallies is how many were taken in the blocks before, the genesis counted as one.
func (s *State) tallies() uint64 {
	return 1 + uint64(s.last.Height+1)/s.genesis.Params.RoundBlocks
}

// Validators are the set in force, as an engine starts with it at genesis.
func (s *State) Validators() []ValidatorUpdate { return changes(nil, s.head.Set) }

// elect tallies the votes and returns the change from the set in force to the
// elected one: the top Params.Delegates, ties to the lower key. Without any
// candidate the set stays, so that no transaction can stop the chain.
func (s *State) elect() []ValidatorUpdate {
	weights := s.tally()
	var candidates []Delegate
	for _, d := range s.Delegates() {
		if w := weights[d.Address]; w != d.Weight {
			d.Weight = w
			s.put(DelegateKey(d.Address), d)
		}
		if d.Weight > 0 && d.eligible() {
			candidates = append(candidates, d)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	slices.SortFunc(candidates, func(a, b Delegate) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), a.Address.Compare(b.Address))
	})
	next := make([]seat, 0, s.genesis.Params.Delegates)
	for _, d := range candidates[:min(len(candidates), cap(next))] {
		next = append(next, seat{d.Address, d.ConsensusKey})
	}
	slices.SortFunc(next, func(a, b seat) int { return a.Address.Compare(b.Address) })
	s.head.Next = next
	return changes(s.head.Set, next)
}

// tally splits each voter's weight, the lower of its balances now and at the
// tally before, evenly over its votes.
func (s *State) tally() map[types.Address]types.Amount {
	weights := make(map[types.Address]types.Amount)
	s.kv.Iterate([]byte{prefixVote}, func(key, value []byte) bool {
		b, err := decode[ballot](value)
		if err != nil || len(b.Delegates) == 0 || len(key) != 33 {
			s.fail(cmp.Or(err, error(ErrStore)))
			return false
		}
		acc := s.Account(types.Address(key[1:]))
		part := min(acc.Balance, s.formerBalance(acc)) / types.Amount(len(b.Delegates))
		for _, d := range b.Delegates {
			weights[d] = s.sum(weights[d], part)
		}
		return true
	})
	return weights
}

// changes is the difference of two sets as the engine wants it: it removes none
// that is not there, and adds none that is.
func changes(from, to []seat) []ValidatorUpdate {
	const power = 1 // equal for all (4.4)
	has := func(set []seat, s seat) bool {
		return slices.ContainsFunc(set, func(o seat) bool { return slices.Equal(o.ConsensusKey, s.ConsensusKey) })
	}
	var updates []ValidatorUpdate
	for _, s := range from {
		if !has(to, s) {
			updates = append(updates, ValidatorUpdate{s.ConsensusKey, 0})
		}
	}
	for _, s := range to {
		if !has(from, s) {
			updates = append(updates, ValidatorUpdate{s.ConsensusKey, power})
		}
	}
	return updates
}

// seat puts the elected set in force at the first block of a round: counts of
// missed blocks begin again, and who leaves has sat until now.
func (s *State) seat() {
	former := s.head.Set
	s.head.Set = s.head.Next
	for _, seat := range former {
		d, ok := s.Delegate(seat.Address)
		if !ok {
			continue
		}
		before := d
		d.Missed = 0
		if !sits(s.head.Set, d.Address) {
			d.LastSat = s.now()
			if d.Resigned && !d.Banned && d.BondReturns == 0 {
				s.scheduleBond(&d)
			}
		}
		if d.Missed != before.Missed || d.LastSat != before.LastSat || d.BondReturns != before.BondReturns {
			s.put(DelegateKey(d.Address), d)
		}
	}
}
