package lease

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
)

// testLedger is a ledger in one process: the real rules of ledger/chain, a block
// every 50 ms, final at once. A testClient is one peer's connection to it.
type testLedger struct {
	mu      sync.Mutex
	state   *chain.State
	kv      chain.KV
	blocks  []client.Block // height 1 first
	moved   chan struct{}  // closed at the next block
	pool    []chain.Tx
	results map[types.Hash]client.Receipt
	failed  map[types.Hash]string
	broken  error
}

func newKey(t testing.TB, seed byte) types.PrivateKey {
	t.Helper()
	k, err := types.KeyFromBytes(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const wealth = 100 * types.XEN

func newTestLedger(t testing.TB, margin int64, rich ...types.PrivateKey) *testLedger {
	t.Helper()
	return newLedgerWith(t, func(p *chain.Params) { p.MarginSeconds = margin }, rich...)
}

func newLedgerWith(t testing.TB, change func(*chain.Params), rich ...types.PrivateKey) *testLedger {
	t.Helper()
	delegate := newKey(t, 200).Address()
	consensus := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)).Public().(ed25519.PublicKey)
	params := chain.DevParams()
	params.RefundDepth = 3
	change(&params)
	g := chain.Genesis{Params: params, Time: time.Now().Unix(), Random: types.Hash{7},
		Accounts:  []chain.GenesisAccount{{Address: delegate, Amount: 10 * types.XEN}},
		Delegates: []chain.GenesisDelegate{{Address: delegate, ConsensusKey: consensus, Name: "d"}}}
	for _, k := range rich {
		g.Accounts = append(g.Accounts, chain.GenesisAccount{Address: k.Address(), Amount: wealth})
	}
	l := &testLedger{kv: chain.NewMemKV(), moved: make(chan struct{}), results: map[types.Hash]client.Receipt{}, failed: map[types.Hash]string{}}
	var err error
	if l.state, err = chain.Init(l.kv, g); err != nil {
		t.Fatal(err)
	}
	l.block()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				l.mu.Lock()
				l.block()
				l.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		if l.broken != nil {
			t.Errorf("ledger: %v", l.broken)
		}
	})
	return l
}

// block includes what may be included; mu is held.
func (l *testLedger) block() {
	b := client.Block{Header: client.Header{Height: int64(len(l.blocks) + 1), Time: time.Now().Unix()}}
	l.state.BeginBlock(chain.BlockInfo{Height: b.Header.Height, Time: b.Header.Time})
	for again := true; again; {
		again = false
		for i, tx := range l.pool {
			free := tx.Body.Close != nil || tx.Body.Refund != nil
			if next := l.state.Account(tx.Body.From).Nonce; !free && tx.Body.Nonce > next {
				continue // not its turn
			}
			l.pool = append(l.pool[:i:i], l.pool[i+1:]...)
			if err := l.state.Validate(&tx); err != nil {
				l.failed[tx.ID()] = err.Error()
			} else {
				r := l.state.Apply(&tx)
				l.results[tx.ID()] = client.Receipt{Tx: tx.ID(), Height: b.Header.Height, Fee: r.Fee}
				if r.Code != chain.CodeOK {
					l.failed[tx.ID()] = r.Log
				}
				b.Txs = append(b.Txs, client.Included{Tx: tx, Result: r})
			}
			again = true
			break
		}
	}
	l.state.EndBlock()
	if err := l.state.Check(); err != nil && l.broken == nil {
		l.broken = err
	}
	l.blocks = append(l.blocks, b)
	close(l.moved)
	l.moved = make(chan struct{})
}

// wait returns when done holds, looked at after every block.
func (l *testLedger) wait(ctx context.Context, done func() bool) error {
	for {
		l.mu.Lock()
		ok, moved := done(), l.moved
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("%w: %v", client.ErrUnavailable, ctx.Err())
		}
	}
}

// testClient is a Ledger. It hands out nonces of its own, as a process does.
type testClient struct {
	*testLedger
	nonces sync.Mutex
	next   map[types.Address]uint64
	free   map[types.Address][]uint64
}

func (l *testLedger) client() *testClient {
	return &testClient{testLedger: l, next: map[types.Address]uint64{}, free: map[types.Address][]uint64{}}
}

func (c *testClient) LedgerID() types.Hash { return c.state.Ledger() }
func (c *testClient) Params() chain.Params { return c.state.Params() }

func (c *testClient) Header(context.Context) (client.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks[len(c.blocks)-1].Header, nil
}

func (c *testClient) Account(_ context.Context, a types.Address) (chain.Account, client.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Account(a), c.blocks[len(c.blocks)-1].Header, nil
}

func (c *testClient) Channel(_ context.Context, id types.Hash) (chain.Channel, client.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.state.Channel(id)
	if !ok {
		return found, c.blocks[len(c.blocks)-1].Header, client.ErrNotFound
	}
	return found, c.blocks[len(c.blocks)-1].Header, nil
}

func (c *testClient) Value(_ context.Context, key []byte) ([]byte, client.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, header := c.kv.Get(key), c.blocks[len(c.blocks)-1].Header
	if v == nil {
		return nil, header, client.ErrNotFound
	}
	return bytes.Clone(v), header, nil
}

func (c *testClient) Prepare(_ context.Context, key types.PrivateKey, body chain.Body) (chain.Tx, error) {
	body.From = key.Address()
	if body.Close == nil && body.Refund == nil {
		c.mu.Lock()
		ledger := c.state.Account(body.From).Nonce
		body.Fee = chain.FeeOf(c.state.Params(), body, c.blocks[len(c.blocks)-1].Header.Time) + 1000
		c.mu.Unlock()
		c.nonces.Lock()
		if free := c.free[body.From]; len(free) > 0 && free[0] >= ledger {
			body.Nonce, c.free[body.From] = free[0], free[1:]
		} else {
			c.next[body.From] = max(c.next[body.From], ledger)
			body.Nonce = c.next[body.From]
			c.next[body.From]++
		}
		c.nonces.Unlock()
	}
	return body.Sign(key, c.LedgerID()), nil
}

func (c *testClient) Discard(tx chain.Tx) {
	c.nonces.Lock()
	defer c.nonces.Unlock()
	c.free[tx.Body.From] = append(c.free[tx.Body.From], tx.Body.Nonce)
}

func (c *testClient) Broadcast(ctx context.Context, tx chain.Tx) (client.Receipt, error) {
	id := tx.ID()
	var r client.Receipt
	var failed string
	var included bool
	c.mu.Lock()
	_, known := c.results[id]
	delete(c.failed, id)
	if !known {
		c.pool = append(c.pool, tx)
	}
	c.mu.Unlock()
	err := c.wait(ctx, func() bool {
		r, included = c.results[id]
		failed = c.failed[id]
		return included || failed != ""
	})
	if err == nil && failed != "" {
		err = fmt.Errorf("%w: %s", client.ErrRejected, failed)
	}
	return r, err
}

func (c *testClient) Submit(ctx context.Context, key types.PrivateKey, body chain.Body) (client.Receipt, error) {
	tx, err := c.Prepare(ctx, key, body)
	if err != nil {
		return client.Receipt{}, err
	}
	return c.Broadcast(ctx, tx)
}

func (c *testClient) FollowFrom(ctx context.Context, height int64) (<-chan client.Block, error) {
	out := make(chan client.Block)
	go func() {
		defer close(out)
		for ; ; height++ {
			var b client.Block
			if err := c.wait(ctx, func() bool {
				if int64(len(c.blocks)) < height {
					return false
				}
				b = c.blocks[height-1]
				return true
			}); err != nil {
				return
			}
			select {
			case out <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// settlements are the transactions that ended a channel.
func (l *testLedger) settlements(channel types.Hash) (all []client.Included) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.blocks {
		for _, in := range b.Txs {
			if c := in.Tx.Body.Close; c != nil && c.Channel == channel {
				all = append(all, in)
			}
			if r := in.Tx.Body.Refund; r != nil && r.Channel == channel {
				all = append(all, in)
			}
		}
	}
	return all
}

// spent is what an account has less than at the beginning, open deposits aside.
func (l *testLedger) spent(a types.Address) types.Amount {
	l.mu.Lock()
	defer l.mu.Unlock()
	return wealth - l.state.Account(a).Balance
}

func (l *testLedger) supply() chain.Supply {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Supply()
}

var errDisk = errors.New("the disk is full")
