package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
)

// heights wakes those that wait for the ledger's next block.
type heights struct {
	mu      sync.Mutex
	time    int64 // of the newest header, Unix seconds
	changed chan struct{}
}

// followHeights follows the ledger until ctx ends.
func followHeights(ctx context.Context, owns *sync.WaitGroup, l Ledger) (*heights, error) {
	start, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	header, err := l.Header(start)
	if err != nil {
		return nil, err
	}
	blocks, err := l.FollowFrom(ctx, header.Height+1)
	if err != nil {
		return nil, err
	}
	h := &heights{time: header.Time, changed: make(chan struct{})}
	owns.Add(1)
	go func() {
		defer owns.Done()
		for b := range blocks {
			h.mu.Lock()
			h.time = b.Header.Time
			close(h.changed)
			h.changed = make(chan struct{})
			h.mu.Unlock()
		}
	}()
	return h, nil
}

// next is closed at the next block; now is the newest header's time, Unix seconds.
func (h *heights) next() (next <-chan struct{}, now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed, h.time
}

// proven reads a channel with its proof; nil where it is proven absent.
func (m *Market) proven(ctx context.Context, id types.Hash) (*channel.Proven, int64, error) {
	c, header, err := m.cfg.Ledger.Channel(ctx, id)
	if errors.Is(err, client.ErrNotFound) {
		return nil, header.Time, nil
	}
	if err != nil {
		return nil, 0, err
	}
	p := c.Proven(m.cfg.Ledger.LedgerID())
	return &p, header.Time, nil
}

// settlement is how a channel ended.
type settlement struct {
	claim  types.Amount
	refund bool
	tx     types.Hash
	height int64
}

// awaitSettlement returns once the channel has left the ledger; errForgotten where
// that is so long ago that the ledger does not know any more how. open is when the
// channel was last seen open, Unix seconds.
func (m *Market) awaitSettlement(ctx context.Context, id types.Hash, open int64) (settlement, error) {
	keeps := m.cfg.Ledger.Params().ReceiptSeconds
	for {
		next, now := m.blocks.next()
		s, err := m.settled(ctx, id)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, client.ErrNotFound) {
			return s, err
		}
		if now-open > keeps/2 { // it cannot have been closed and forgotten since
			if open, err = m.stillOpen(ctx, id); err != nil {
				return s, err
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// errForgotten says that a channel is gone, and with it what the ledger keeps of a
// closed one for Params.ReceiptSeconds: this publisher was away for longer.
var errForgotten = errors.New("how the channel ended is not known to the ledger any more")

// stillOpen gives the time of a header in which the channel is open, or was closed
// just now; 0 where the ledger's answers do not fit together. A channel that is
// gone without a trace is errForgotten.
func (m *Market) stillOpen(ctx context.Context, id types.Hash) (int64, error) {
	_, absent, err := m.cfg.Ledger.Channel(ctx, id)
	if err == nil {
		return absent.Time, nil
	}
	if !errors.Is(err, client.ErrNotFound) {
		return 0, err
	}
	// A channel that was closed since the settlement was asked for has one now.
	_, header, err := m.cfg.Ledger.Value(ctx, chain.SettlementKey(id))
	switch {
	case err == nil:
		return header.Time, nil
	case !errors.Is(err, client.ErrNotFound):
		return 0, err
	case header.Height < absent.Height: // an older state: another node answered
		return 0, nil
	}
	return 0, errForgotten
}

// settled reads what the ledger keeps of a closed channel; ErrNotFound while it
// is open. The transaction is zero where its block is not kept any more.
func (m *Market) settled(ctx context.Context, id types.Hash) (settlement, error) {
	value, _, err := m.cfg.Ledger.Value(ctx, chain.SettlementKey(id))
	if err != nil {
		return settlement{}, err
	}
	kept, err := chain.DecodeSettlement(value)
	if err != nil {
		return settlement{}, fmt.Errorf("settlement of %s: %w", id.Short(), err)
	}
	s := settlement{claim: kept.Claim, refund: kept.Refund, height: kept.Height}
	one, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks, err := m.cfg.Ledger.FollowFrom(one, kept.Height)
	if err != nil {
		return s, err
	}
	block, ok := <-blocks
	if !ok {
		if _, err := m.cfg.Ledger.Header(ctx); err != nil {
			return s, fmt.Errorf("block %d: %w", kept.Height, err)
		}
		return s, nil // the ledger is there, the block is not: the settlement itself is proven
	}
	for _, in := range block.Txs {
		b := in.Tx.Body
		if in.Result.Code == 0 && (b.Close != nil && b.Close.Channel == id || b.Refund != nil && b.Refund.Channel == id) {
			s.tx = in.Tx.ID()
		}
	}
	return s, nil
}

// afford checks the publisher's balance for a sum: ErrNotAffordable.
func (m *Market) afford(ctx context.Context, sum types.Amount) error {
	account, _, err := m.cfg.Ledger.Account(ctx, m.cfg.Key.Address())
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return err
	}
	need, err := sum.Add(m.cfg.Ledger.Params().MinBalance)
	if err != nil || need > account.Balance {
		return fmt.Errorf("%w: %s has %s, needs %s", ErrNotAffordable, m.cfg.Key.Address().Short(), account.Balance, need)
	}
	return nil
}
