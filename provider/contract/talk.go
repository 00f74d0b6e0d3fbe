package contract

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// MaxCounters is how many counters both sides together may send (1.5).
const MaxCounters = 8

// talk is a negotiation, on either side.
type talk struct {
	contract protocol.Contract
	first    protocol.Terms // of the first offer
	counters int            // of both sides
	given    int            // of this side
	mine     bool           // the last proposal is this side's
	accepted bool           // this side has sent Accept
}

// counter takes the peer's counter.
func (t *talk) counter(terms protocol.Terms) error {
	if !t.mine || t.accepted {
		return fmt.Errorf("%w: counter out of turn", ErrPeer)
	}
	if t.counters >= MaxCounters {
		return fmt.Errorf("%w: more than %d counters", ErrPeer, MaxCounters)
	}
	t.counters++
	t.contract.Terms = terms
	t.mine = false
	return nil
}

// answer gives the answer to the peer's proposal, where fix is what this side
// would take: Accept, Counter or Reject.
func (t *talk) answer(key types.PrivateKey, ledger types.Hash, fix protocol.Terms) protocol.Message {
	if sameTerms(fix, t.contract.Terms) {
		t.accepted = true
		return &protocol.Accept{Contract: t.contract.ID(), Sig: signContract(key, ledger, t.contract)}
	}
	if t.counters >= MaxCounters {
		return &protocol.Reject{Reason: fmt.Sprintf("no agreement after %d counters", MaxCounters)}
	}
	t.counters++
	t.given++
	t.contract.Terms = fix
	t.mine = true
	return &protocol.Counter{Terms: fix}
}

// accept takes the peer's Accept of the contract as it stands.
func (t *talk) accept(a *protocol.Accept, peer types.Address, ledger types.Hash) error {
	if !t.mine && !t.accepted {
		return fmt.Errorf("%w: accept out of turn", ErrPeer)
	}
	if id := t.contract.ID(); a.Contract != id {
		return fmt.Errorf("%w: accepts contract %s, proposed is %s", ErrPeer, a.Contract.Short(), id.Short())
	}
	if err := types.Verify(peer, "contract", ledger, types.Encode(t.contract), a.Sig); err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	return nil
}

func signContract(key types.PrivateKey, ledger types.Hash, c protocol.Contract) types.Signature {
	return key.Sign("contract", ledger, types.Encode(c))
}

// said is a message as it may be sent: reasons come from anywhere, so they are
// cut to what the other side's Validate takes.
func said(m protocol.Message) protocol.Message {
	switch m := m.(type) {
	case *protocol.Reject:
		return &protocol.Reject{Reason: protocol.Sentence(m.Reason)}
	case *protocol.Bye:
		return &protocol.Bye{Reason: protocol.Sentence(m.Reason)}
	case *protocol.Drop:
		return &protocol.Drop{Reason: protocol.Sentence(m.Reason)}
	case *protocol.State:
		return &protocol.State{Frozen: m.Frozen, Reason: protocol.Sentence(m.Reason)}
	}
	return m
}
