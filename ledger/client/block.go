package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
)

// maxBlocks bounds the blocks that are kept for the next reader.
const maxBlocks = 64

// blocks reads blocks with their results and verifies both: the transactions
// against the block's own header, the results against the next one.
type blocks struct {
	rpc   *rpc
	light *light

	mu    sync.Mutex
	kept  map[int64]*Block
	order []int64
	calls map[int64]*blockCall
}

// blockCall is a read in progress, shared by all who want that block.
type blockCall struct {
	done  chan struct{}
	block *Block
	err   error
}

func newBlocks(r *rpc, l *light) *blocks {
	return &blocks{rpc: r, light: l, kept: map[int64]*Block{}, calls: map[int64]*blockCall{}}
}

// empty returns the block of a height where its header alone shows that it
// holds nothing.
func (b *blocks) empty(ctx context.Context, height int64) (Block, bool, error) {
	h, err := b.light.header(ctx, height)
	if err != nil {
		return Block{}, false, err
	}
	return Block{Header: Header{h.Height, h.Time.Unix()}}, bytes.Equal(h.DataHash, cmttypes.Txs{}.Hash()), nil
}

// get returns the verified block of a height whose next header is final.
func (b *blocks) get(ctx context.Context, height int64) (Block, error) {
	for {
		b.mu.Lock()
		if block := b.kept[height]; block != nil {
			b.mu.Unlock()
			return *block, nil
		}
		if call := b.calls[height]; call != nil {
			b.mu.Unlock()
			select {
			case <-call.done:
				if call.err == nil {
					return *call.block, nil
				}
				if ctx.Err() == nil && !errors.Is(call.err, context.Canceled) {
					return Block{}, call.err
				}
				continue // the other reader gave up; read it ourselves
			case <-ctx.Done():
				return Block{}, fmt.Errorf("%w: block %d: %v", ErrUnavailable, height, ctx.Err())
			}
		}
		call := &blockCall{done: make(chan struct{})}
		b.calls[height] = call
		b.mu.Unlock()

		block, err := b.read(ctx, height)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, context.Canceled)
		}
		b.mu.Lock()
		call.block, call.err = &block, err
		delete(b.calls, height)
		if err == nil {
			b.kept[height] = &block
			if b.order = append(b.order, height); len(b.order) > maxBlocks {
				delete(b.kept, b.order[0])
				b.order = b.order[1:]
			}
		}
		b.mu.Unlock()
		close(call.done)
		return block, err
	}
}

func (b *blocks) read(ctx context.Context, height int64) (_ Block, err error) {
	defer sane(&err)
	block, empty, err := b.empty(ctx, height)
	if err != nil || empty {
		return block, err
	}
	header, err := b.light.header(ctx, height)
	if err != nil {
		return Block{}, err
	}
	next, err := b.light.header(ctx, height+1)
	if err != nil {
		return Block{}, err
	}
	var answer ctypes.ResultBlock
	if err := b.rpc.call(ctx, "block", map[string]any{"height": height}, &answer); err != nil {
		return Block{}, missing(err, "block %d", height)
	}
	if answer.Block == nil || !bytes.Equal(answer.Block.Txs.Hash(), header.DataHash) {
		return Block{}, fmt.Errorf("%w: transactions of block %d do not hash to its header's", ErrProof, height)
	}
	var results ctypes.ResultBlockResults
	if err := b.rpc.call(ctx, "block_results", map[string]any{"height": height}, &results); err != nil {
		return Block{}, missing(err, "results of block %d", height)
	}
	for _, r := range results.TxsResults {
		if r == nil {
			return Block{}, fmt.Errorf("%w: results of block %d", ErrProof, height)
		}
	}
	if !bytes.Equal(cmttypes.NewResults(results.TxsResults).Hash(), next.LastResultsHash) ||
		len(results.TxsResults) != len(answer.Block.Txs) {
		return Block{}, fmt.Errorf("%w: results of block %d do not hash to the next header's", ErrProof, height)
	}
	for i, raw := range answer.Block.Txs {
		tx, err := chain.DecodeTx(raw)
		if err != nil {
			continue // no transaction of this ledger: the validators refuse such blocks
		}
		result, err := wire.Result(results.TxsResults[i])
		if err != nil {
			return Block{}, fmt.Errorf("%w: result %d of block %d: %v", ErrProof, i, height, err)
		}
		block.Txs = append(block.Txs, Included{tx, result})
	}
	return block, nil
}
