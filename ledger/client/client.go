package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

// Config is how one client reaches a ledger and what it trusts.
type Config struct {
	RPC     string        // URL of a node, "http://127.0.0.1:26657"
	Genesis chain.Genesis // names the ledger; its delegates are the root of trust
	Home    string        // folder of the newest verified header; "" keeps it in memory

	// TrustPeriod bounds the age of the header from which a newer one may be
	// verified; it must be shorter than the time for which a delegate's bond
	// answers for it (PROTOCOL.md 4.5). 0 is no bound: see DECISIONS.md.
	TrustPeriod time.Duration
	// Timeout bounds every call whose context has no deadline of its own; 0 is
	// 30 s. Reads and sends are tried again until then.
	Timeout time.Duration

	Log *slog.Logger // nil discards
}

// Header is what is known of a final block.
type Header struct {
	Height int64
	Time   int64 // Unix seconds; the median of the delegates' clocks when they signed the block before
}

// Receipt says that a transaction is final and took effect.
type Receipt struct {
	Tx     types.Hash
	Height int64        // of its block
	Fee    types.Amount // charged
}

// Included is a transaction of a final block with its result. One that failed
// (Result.Code is not 0) paid its fee and did nothing else.
type Included struct {
	Tx     chain.Tx
	Result chain.Result
}

// Block is a final block.
type Block struct {
	Header Header
	Txs    []Included
}

// Client is a verified view of one ledger. It is safe for concurrent use.
type Client struct {
	cfg    Config
	ledger types.Hash
	log    *slog.Logger
	rpc    *rpc
	light  *light
	blocks *blocks
	nonces *nonces
	heads  *heads
	sends  *sends

	stop  context.CancelFunc
	ctx   context.Context // done when closed
	life  sync.Mutex      // held to start or to end what is owned
	owned sync.WaitGroup
	once  sync.Once
}

// Open connects to a node and verifies its newest header against the genesis.
// It returns ErrUnavailable where the node does not answer in time and ErrProof
// where it serves another ledger. Close it.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Genesis.Validate(); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	conn, err := newRPC(cfg.RPC)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, ledger: cfg.Genesis.LedgerID(), log: cfg.Log, rpc: conn}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if c.light, err = newLight(conn, cfg.Genesis, cfg.Home, cfg.TrustPeriod); err != nil {
		return nil, err
	}
	c.heads = newHeads(conn)
	c.blocks = newBlocks(conn, c.light)
	c.nonces = newNonces()
	c.sends = newSends()
	c.owned.Go(func() { c.heads.run(c.ctx) })
	c.owned.Go(func() { c.scan(c.ctx) })

	ctx, cancel := c.bound(ctx)
	defer cancel()
	if _, err := c.Header(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the client's connections and every call that waits. It keeps the
// newest verified header in Config.Home.
func (c *Client) Close() {
	c.once.Do(func() {
		c.life.Lock()
		c.stop()
		c.life.Unlock()
		c.owned.Wait()
		c.rpc.close()
		if err := c.light.save(); err != nil {
			c.log.Warn("newest ledger header not kept", "err", err)
		}
	})
}

// LedgerID is the hash of the genesis.
func (c *Client) LedgerID() types.Hash { return c.ledger }

// Params are the ledger's parameters.
func (c *Client) Params() chain.Params { return c.cfg.Genesis.Params }

// Header asks the node for its newest final header and verifies it.
func (c *Client) Header(ctx context.Context) (Header, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	return retry(ctx, func() (Header, error) {
		head, err := c.heads.ask(ctx)
		if err != nil {
			return Header{}, err
		}
		h, err := c.light.header(ctx, head)
		if err != nil {
			return Header{}, err
		}
		return Header{h.Height, h.Time.Unix()}, nil
	})
}

// Supply is the node's own account of where all money is, not proven: the sum
// is checked by every node after every block (PROTOCOL.md 4.9).
func (c *Client) Supply(ctx context.Context) (chain.Supply, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	return retry(ctx, func() (chain.Supply, error) {
		var answer wire.Supply
		var supply chain.Supply
		if err := c.rpc.call(ctx, wire.MethodSupply, nil, &answer); err != nil {
			return supply, err
		}
		if err := types.Decode(answer.Supply, &supply); err != nil {
			return supply, fmt.Errorf("%w: supply: %v", ErrProof, err)
		}
		return supply, nil
	})
}

// bound gives ctx a deadline where it has none, and ends it with the client.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	var cancel context.CancelFunc
	if _, ok := ctx.Deadline(); ok {
		ctx, cancel = context.WithCancel(ctx)
	} else {
		ctx, cancel = context.WithTimeout(ctx, c.cfg.Timeout)
	}
	release := context.AfterFunc(c.ctx, cancel)
	return ctx, func() { release(); cancel() }
}

// outOfTime is the error of a call whose context ended while it waited.
func (c *Client) outOfTime(ctx context.Context, last error) error {
	switch {
	case c.ctx.Err() != nil:
		return ErrClosed
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case last != nil && errors.Is(last, ErrUnavailable):
		return last
	case last != nil:
		return fmt.Errorf("%w: %v", ErrUnavailable, last)
	default:
		return fmt.Errorf("%w: %v", ErrUnavailable, ctx.Err())
	}
}

// retry repeats an idempotent call while the node is unreachable, until ctx ends.
func retry[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		v, err := call()
		if err == nil || !errors.Is(err, ErrUnavailable) {
			return v, err
		}
		if !sleep(ctx, pause) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return v, ctx.Err()
			}
			return v, err
		}
	}
}

// sleep waits for d, or returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
