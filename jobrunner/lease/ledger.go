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

// next is closed at the next block.
func (h *heights) next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
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

// awaitSettlement returns once the channel has left the ledger.
func (m *Market) awaitSettlement(ctx context.Context, id types.Hash) (settlement, error) {
	for {
		next := m.blocks.next()
		s, err := m.settled(ctx, id)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, client.ErrNotFound) {
			return s, err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// settled reads what the ledger keeps of a closed channel; ErrNotFound while it
// is open.
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
		return s, fmt.Errorf("block %d: %w", kept.Height, client.ErrUnavailable)
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
