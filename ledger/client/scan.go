package client

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
)

// sends are the transactions that Broadcasts wait for.
type sends struct {
	mu      sync.Mutex
	waiting map[slot][]*send
	scanned int64         // blocks up to here were looked through
	wake    chan struct{} // somebody waits
}

// slot is what only one transaction can have: an account's nonce, or its own id
// where it needs no nonce.
type slot struct {
	from  types.Address
	nonce uint64
	id    types.Hash
}

func slotOf(b chain.Body) slot {
	if free(b) {
		return slot{id: b.ID()}
	}
	return slot{from: b.From, nonce: b.Nonce}
}

// send is one Broadcast that waits.
type send struct {
	id    types.Hash
	slot  slot
	sent  bool // at least once
	found chan foundTx
}

// foundTx is what a block holds in a slot.
type foundTx struct {
	at       int64
	included Included
}

func newSends() *sends {
	return &sends{waiting: map[slot][]*send{}, wake: make(chan struct{}, 1)}
}

// add must come before the transaction is sent: blocks that are final by then
// cannot hold it, unless it was sent before.
func (s *sends) add(tx chain.Tx, h *heads) *send {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.scanned, _ = h.now()
	}
	w := &send{id: tx.ID(), slot: slotOf(tx.Body), found: make(chan foundTx, 1)}
	s.waiting[w.slot] = append(s.waiting[w.slot], w)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return w
}

func (s *sends) remove(w *send) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := slices.DeleteFunc(s.waiting[w.slot], func(o *send) bool { return o == w })
	if s.waiting[w.slot] = rest; len(rest) == 0 {
		delete(s.waiting, w.slot)
	}
}

// next is the next block to look through; false where nobody waits.
func (s *sends) next() (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scanned + 1, len(s.waiting) > 0
}

func (s *sends) deliver(block Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scanned = max(s.scanned, block.Header.Height)
	for _, included := range block.Txs {
		for _, w := range s.waiting[slotOf(included.Tx.Body)] {
			select {
			case w.found <- foundTx{block.Header.Height, included}:
			default:
			}
		}
	}
}

// scan looks through every new block while somebody waits for a transaction.
func (c *Client) scan(ctx context.Context) {
	for ctx.Err() == nil {
		height, waits := c.sends.next()
		if !waits {
			select {
			case <-c.sends.wake:
			case <-ctx.Done():
			}
			continue
		}
		if _, ok := c.heads.wait(ctx, height+1); !ok {
			return
		}
		block, err := c.blocks.get(ctx, height)
		if err != nil {
			c.log.Debug("block not read", "height", height, "err", err)
			sleep(ctx, 100*time.Millisecond)
			continue
		}
		c.sends.deliver(block)
	}
}

// await waits for the transaction to be found, at most d; more is false when ctx
// ended.
func (c *Client) await(ctx context.Context, w *send, d time.Duration) (found *foundTx, more bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case f := <-w.found:
		return &f, true
	case <-timer.C:
		return nil, true
	case <-ctx.Done():
		return nil, false
	}
}
