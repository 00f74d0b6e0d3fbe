package chain

import (
	"fmt"
	"slices"

	"github.com/zennet/zennet/ledger/types"
)

// BlockInfo is what the consensus engine tells of a block.
type BlockInfo struct {
	Height       int64    // one more than that of the block before
	Time         int64    // of its header, Unix seconds; never falls
	Proposer     []byte   // consensus address of the producer
	Missed       [][]byte // consensus addresses that did not sign the block before
	DoubleSigned [][]byte // consensus addresses that evidence in this block convicts
}

// ValidatorUpdate tells the engine that a consensus key votes with Power from
// two blocks later on; 0 removes it.
type ValidatorUpdate struct {
	ConsensusKey []byte
	Power        int64
}

// BeginBlock starts a block: a new round seats the set that was elected, what
// has expired ends, double signers are banned, idle delegates jailed.
func (s *State) BeginBlock(info BlockInfo) {
	if info.Height != s.last.Height+1 || s.block != nil {
		s.fail(fmt.Errorf("%w: block %d after %d", ErrInvariant, info.Height, s.last.Height))
		return
	}
	s.block = &block{height: info.Height, time: max(info.Time, s.last.Time)}
	if d, ok := s.validator(info.Proposer); ok {
		s.block.producer = d.Address
	}
	s.keepHeader()
	if s.firstOfRound() {
		s.seat()
	}
	s.expire()
	for _, addr := range info.DoubleSigned {
		s.ban(addr)
	}
	for _, addr := range info.Missed {
		s.miss(addr)
	}
}

// EndBlock ends a block, stores what was kept in memory, and returns how the engine's set
// changes.
func (s *State) EndBlock() []ValidatorUpdate {
	if s.block == nil {
		s.fail(fmt.Errorf("%w: no block to end after %d", ErrInvariant, s.last.Height))
		return nil
	}
	var updates []ValidatorUpdate
	if s.tallyDue() {
		updates = s.elect()
	}
	s.last.Height, s.last.Time = s.block.height, s.block.time
	s.block = nil
	s.store()
	return updates
}

// keepHeader stores this header's time and drops the one that no REFUND looks
// at any more (3.3).
func (s *State) keepHeader() {
	s.put(headerKey(s.block.height), s.block.time)
	if old := s.block.height - int64(s.genesis.Params.RefundDepth) - 1; old >= 0 {
		s.kv.Delete(headerKey(old))
	}
}

// validator finds the delegate of a consensus address.
func (s *State) validator(addr []byte) (Delegate, bool) {
	if len(addr) != 20 {
		return Delegate{}, false
	}
	a, ok := get[types.Address](s, validatorKey(addr))
	if !ok {
		return Delegate{}, false
	}
	d, ok := s.Delegate(a)
	return d, ok && slices.Equal(ConsensusAddress(d.ConsensusKey), addr)
}

// ban burns the bond of a double signer and keeps it out for ever (4.5).
func (s *State) ban(addr []byte) {
	d, ok := s.validator(addr)
	if !ok || d.Banned {
		return
	}
	s.head.Supply.Bonds = s.rest(s.head.Supply.Bonds, d.Bond)
	s.burn(d.Bond)
	if d.BondReturns != 0 {
		s.kv.Delete(expiryKey(d.BondReturns, expireBond, d.Address))
	}
	d.Bond, d.BondReturns, d.Banned = 0, 0, true
	s.put(DelegateKey(d.Address), d)
}

// jail is a term in jail that runs.
type jail struct {
	Address types.Address `cbor:"1,keyasint"`
	Until   uint64        `cbor:"2,keyasint"` // the round in which it is served
}

// miss counts a missed block of a sitting delegate, and jails it once it has
// missed Params.JailMissed in a round, unless ⌊(n−1)/3⌋ serve a term (4.5).
func (s *State) miss(addr []byte) {
	d, ok := s.validator(addr)
	if !ok || d.Banned || d.Jailed || !sits(s.head.Set, d.Address) {
		return
	}
	d.Missed++
	if p := s.genesis.Params; d.Missed >= p.JailMissed {
		round := s.round()
		serving := slices.DeleteFunc(slices.Clone(s.head.Jails), func(j jail) bool { return j.Until <= round })
		if len(serving) < (len(s.head.Set)-1)/3 {
			d.Jailed, d.JailedUntil = true, round+p.JailRounds
			serving = append(serving, jail{d.Address, d.JailedUntil})
		}
		s.head.Jails = serving
	}
	s.put(DelegateKey(d.Address), d)
}
