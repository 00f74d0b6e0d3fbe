package chain

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// Select orders a mempool's transactions into a block of at most maxBytes
// (PROTOCOL.md 4.6): CLOSE and REFUND first; then the others as they came, each
// sender's in order of nonces; not more than half of the bytes to transactions
// that are not of channels. It tries them on a copy of the state and leaves out
// what the block would reject.
func (s *State) Select(info BlockInfo, txs [][]byte, maxBytes int64) [][]byte {
	limit := min(max(maxBytes, 0), int64(s.genesis.Params.BlockBytes))
	p := proposal{trial: s.trial(info), left: limit, others: limit / 2}
	var queues [][]candidate
	where := make(map[[32]byte]int) // sender → index of its queue
	for _, data := range txs {
		c, err := newCandidate(data)
		if err != nil {
			continue
		}
		if c.rule.free {
			p.take(c)
			continue
		}
		i, ok := where[c.tx.Body.From]
		if !ok {
			i = len(queues)
			where[c.tx.Body.From] = i
			queues = append(queues, nil)
		}
		queues[i] = append(queues[i], c)
	}
	for _, queue := range queues {
		slices.SortStableFunc(queue, func(a, b candidate) int {
			return cmp.Compare(a.tx.Body.Nonce, b.tx.Body.Nonce)
		})
		for _, c := range queue {
			p.take(c)
		}
	}
	return p.chosen
}

// CheckProposal tells whether a block that another node proposes keeps the
// rules of Select, and holds nothing that would be rejected; else ErrProposal.
func (s *State) CheckProposal(info BlockInfo, txs [][]byte) error {
	limit := int64(s.genesis.Params.BlockBytes)
	p := proposal{trial: s.trial(info), left: limit, others: limit / 2}
	ordinary := false
	for i, data := range txs {
		c, err := newCandidate(data)
		if err != nil {
			return fmt.Errorf("%w: transaction %d: %w", ErrProposal, i, err)
		}
		if c.rule.free && ordinary {
			return fmt.Errorf("%w: transaction %d: %s stands after ordinary ones", ErrProposal, i, c.rule.kind)
		}
		ordinary = ordinary || !c.rule.free
		if log := p.take(c); log != "" {
			return fmt.Errorf("%w: transaction %d: %s", ErrProposal, i, log)
		}
	}
	return nil
}

// trial is a copy of the state inside a block, whose changes are dropped.
func (s *State) trial(info BlockInfo) *State {
	t := *s
	t.kv = NewOverlay(s.kv)
	t.BeginBlock(info)
	return &t
}

// proposal is a block that is being filled.
type proposal struct {
	trial  *State
	left   int64 // bytes, in all
	others int64 // bytes, for those that are not of channels
	chosen [][]byte
}

type candidate struct {
	data []byte
	tx   Tx
	rule *rule
	size int64
}

func newCandidate(data []byte) (candidate, error) {
	tx, err := DecodeTx(data)
	if err != nil {
		return candidate{}, err
	}
	rule, err := ruleOf(&tx.Body)
	return candidate{data, tx, rule, blockSize(data)}, err
}

// take adds a transaction, or says why it may not stand there.
func (p *proposal) take(c candidate) string {
	if c.size > p.left || !c.rule.channel && c.size > p.others {
		return "no space is left for it"
	}
	if r := p.trial.Apply(&c.tx); r.Code == CodeRejected {
		return r.Log
	}
	p.left -= c.size
	if !c.rule.channel {
		p.others -= c.size
	}
	p.chosen = append(p.chosen, c.data)
	return ""
}

// blockSize is what a transaction takes in a block: its bytes, their length in
// groups of seven bits, and one byte for the field.
func blockSize(data []byte) int64 {
	return int64(len(data) + 1 + (bits.Len(uint(len(data))|1)+6)/7)
}
