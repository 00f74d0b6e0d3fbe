package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Follow delivers every block from the next one on, in order and without gaps,
// each verified. It goes on through lost connections and restarts of the node,
// and ends, closing the channel, when ctx ends, the client closes, the node's
// answers do not hold or it no longer has the block (both logged). A reader may be slow: blocks wait on
// the ledger, not in memory.
//
// A block without transactions comes as soon as it is final, one with some when
// the next header, which vouches for their results, is.
func (c *Client) Follow(ctx context.Context) (<-chan Block, error) {
	header, err := c.Header(ctx)
	if err != nil {
		return nil, err
	}
	return c.FollowFrom(ctx, header.Height+1)
}

// FollowFrom is Follow from a height on, 1 or more, which may lie in the past as
// long as the node still has its block.
func (c *Client) FollowFrom(ctx context.Context, height int64) (<-chan Block, error) {
	if height < 1 {
		return nil, fmt.Errorf("%w: block %d", ErrNotFound, height)
	}
	c.life.Lock()
	defer c.life.Unlock()
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	blocks := make(chan Block)
	ctx, cancel := context.WithCancel(ctx)
	release := context.AfterFunc(c.ctx, cancel)
	c.owned.Go(func() {
		defer close(blocks)
		defer cancel()
		defer release()
		c.follow(ctx, height, blocks)
	})
	return blocks, nil
}

func (c *Client) follow(ctx context.Context, height int64, blocks chan<- Block) {
	pause := 20 * time.Millisecond
	for {
		block, err := c.at(ctx, height)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrProof), errors.Is(err, ErrPruned):
			c.log.Error("ledger no longer followed", "height", height, "err", err)
			return
		case err != nil:
			c.log.Debug("block not read", "height", height, "err", err)
			sleep(ctx, pause)
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 20 * time.Millisecond
		select {
		case blocks <- block:
			height++
		case <-ctx.Done():
			return
		}
	}
}

// at waits for a block and reads it.
func (c *Client) at(ctx context.Context, height int64) (Block, error) {
	if _, ok := c.heads.wait(ctx, height); !ok {
		return Block{}, ctx.Err()
	}
	block, empty, err := c.blocks.empty(ctx, height)
	if err != nil || empty {
		return block, err
	}
	if _, ok := c.heads.wait(ctx, height+1); !ok {
		return Block{}, ctx.Err()
	}
	return c.blocks.get(ctx, height)
}
