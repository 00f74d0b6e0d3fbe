package chain

import (
	"crypto/ed25519"
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// enroll makes a delegate, locks its bond and takes its consensus key for ever.
func (s *State) enroll(a types.Address, pub []byte, name string) {
	bond := s.genesis.Params.Bond
	s.debit(a, bond)
	s.head.Supply.Bonds = s.sum(s.head.Supply.Bonds, bond)
	s.put(DelegateKey(a), Delegate{Address: a, ConsensusKey: pub, Name: name, Bond: bond})
	s.put(consensusKey(pub), a)
	s.put(validatorKey(ConsensusAddress(pub)), a)
}

func shapeRegister(b *Body, _ Params) error {
	r := b.Register
	switch {
	case len(r.ConsensusKey) != ed25519.PublicKeySize || len(r.ConsensusSig) != ed25519.SignatureSize:
		return fmt.Errorf("%w: consensus key of %d bytes, its signature of %d", ErrTx, len(r.ConsensusKey), len(r.ConsensusSig))
	case !validName(r.Name):
		return fmt.Errorf("%w: the name is no text of at most %d bytes", ErrLimit, MaxName)
	}
	return nil
}

func checkRegister(s *State, b *Body) error {
	r := b.Register
	if !ed25519.Verify(r.ConsensusKey, RegisterMessage(s.genesis.Ledger, b.From), r.ConsensusSig) {
		return fmt.Errorf("%w: by the consensus key", types.ErrSignature)
	}
	if d, ok := s.Delegate(b.From); ok {
		return fmt.Errorf("%w: %s is a delegate (resigned: %t, banned: %t)", ErrDelegate, b.From.Short(), d.Resigned, d.Banned)
	}
	if s.kv.Get(consensusKey(r.ConsensusKey)) != nil {
		return fmt.Errorf("%w: the consensus key was registered before", ErrDelegate)
	}
	return nil
}

func applyRegister(s *State, b *Body) {
	s.enroll(b.From, b.Register.ConsensusKey, b.Register.Name)
}

func checkResign(s *State, b *Body) error {
	d, err := s.active(b.From)
	if err == nil && d.Resigned {
		err = fmt.Errorf("%w: %s has resigned", ErrDelegate, b.From.Short())
	}
	return err
}

// active returns a delegate that is not banned.
func (s *State) active(a types.Address) (Delegate, error) {
	d, ok := s.Delegate(a)
	if !ok {
		return d, fmt.Errorf("%w: delegate %s", ErrNotFound, a.Short())
	}
	if d.Banned {
		return d, fmt.Errorf("%w: %s is banned", ErrDelegate, a.Short())
	}
	return d, nil
}

func applyResign(s *State, b *Body) {
	d, _ := s.Delegate(b.From)
	d.Resigned = true
	if !sits(s.head.Set, d.Address) && !sits(s.head.Next, d.Address) {
		s.scheduleBond(&d)
	}
	s.put(DelegateKey(d.Address), d)
}

// scheduleBond sets when the bond of a delegate that has resigned and sits no
// more comes back: U after it last sat (4.5), at once if it never did.
func (s *State) scheduleBond(d *Delegate) {
	d.BondReturns = s.now()
	if d.LastSat != 0 {
		d.BondReturns = max(s.now(), d.LastSat+s.genesis.Params.UnbondSeconds)
	}
	s.expireAt(d.BondReturns, expireBond, d.Address)
}

// returnBond pays the bond back and forgets the delegate; its consensus key
// stays taken. A ban in between has taken the bond out of the index.
func (s *State) returnBond(a types.Address) {
	d, ok := s.Delegate(a)
	if !ok || d.Banned {
		s.fail(fmt.Errorf("%w: the bond of %s returns but is not there", ErrInvariant, a))
		return
	}
	s.head.Supply.Bonds = s.rest(s.head.Supply.Bonds, d.Bond)
	s.credit(a, d.Bond)
	s.kv.Delete(DelegateKey(a))
}

func checkUnjail(s *State, b *Body) error {
	d, err := s.active(b.From)
	switch round := s.round(); {
	case err != nil:
		return err
	case !d.Jailed:
		return fmt.Errorf("%w: %s is not jailed", ErrDelegate, b.From.Short())
	case round < d.JailedUntil:
		return fmt.Errorf("%w: round %d, jailed until %d", ErrTime, round, d.JailedUntil)
	}
	return nil
}

func applyUnjail(s *State, b *Body) {
	d, _ := s.Delegate(b.From)
	d.Jailed, d.JailedUntil, d.Missed = false, 0, 0
	s.put(DelegateKey(d.Address), d)
}

func shapeVote(b *Body, p Params) error {
	votes := b.Vote.Delegates
	if len(votes) > int(p.Delegates) {
		return fmt.Errorf("%w: %d votes, at most %d", ErrLimit, len(votes), p.Delegates)
	}
	for i := 1; i < len(votes); i++ {
		if votes[i-1].Compare(votes[i]) >= 0 {
			return fmt.Errorf("%w: votes are not sorted and distinct", ErrTx)
		}
	}
	return nil
}

func checkVote(s *State, b *Body) error {
	for _, a := range b.Vote.Delegates {
		if _, ok := s.Delegate(a); !ok {
			return fmt.Errorf("%w: delegate %s", ErrNotFound, a.Short())
		}
	}
	return nil
}

func applyVote(s *State, b *Body) {
	if len(b.Vote.Delegates) == 0 {
		s.kv.Delete(voteKey(b.From))
		return
	}
	s.put(voteKey(b.From), ballot{b.Vote.Delegates})
}
