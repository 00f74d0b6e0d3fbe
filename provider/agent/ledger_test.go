package agent

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

// testLedger is a ledger of one process: the real rules of package chain, a block
// for every transaction and one every tick, final at once.
type testLedger struct {
	id     types.Hash
	params chain.Params

	mu        sync.Mutex
	state     *chain.State
	height    int64
	included  map[types.Hash]client.Receipt
	closes    map[types.Hash][]chain.Close // by channel, those that took effect
	followers map[chan client.Block]struct{}
	down      error // what every call returns, where set
	checked   error
}

func newKey(t testing.TB, seed byte) types.PrivateKey {
	t.Helper()
	k, err := types.KeyFromBytes(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newTestLedger(t testing.TB, rich ...types.Address) *testLedger {
	t.Helper()
	delegate := newKey(t, 200).Address()
	consensus := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)).Public().(ed25519.PublicKey)
	g := chain.Genesis{Params: chain.DevParams(), Time: time.Now().Unix(), Random: types.Hash{7},
		Accounts:  []chain.GenesisAccount{{Address: delegate, Amount: 10 * types.XEN}},
		Delegates: []chain.GenesisDelegate{{Address: delegate, ConsensusKey: consensus, Name: "d"}}}
	for _, a := range rich {
		g.Accounts = append(g.Accounts, chain.GenesisAccount{Address: a, Amount: 1000 * types.XEN})
	}
	state, err := chain.Init(chain.NewMemKV(), g)
	if err != nil {
		t.Fatal(err)
	}
	l := &testLedger{id: g.LedgerID(), params: g.Params, state: state, included: map[types.Hash]client.Receipt{},
		closes: map[types.Hash][]chain.Close{}, followers: map[chan client.Block]struct{}{}}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				l.mu.Lock()
				l.block(nil)
				l.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		if l.checked != nil {
			t.Errorf("ledger: %v", l.checked)
		}
	})
	return l
}

// block makes a block; mu is held.
func (l *testLedger) block(tx *chain.Tx) (chain.Result, int64) {
	if l.down != nil && tx == nil {
		return chain.Result{}, 0
	}
	l.height++
	b := client.Block{Header: client.Header{Height: l.height, Time: time.Now().Unix()}}
	l.state.BeginBlock(chain.BlockInfo{Height: b.Header.Height, Time: b.Header.Time})
	var r chain.Result
	if tx != nil {
		r = l.state.Apply(tx)
		b.Txs = []client.Included{{Tx: *tx, Result: r}}
	}
	l.state.EndBlock()
	if err := l.state.Check(); err != nil && l.checked == nil {
		l.checked = err
	}
	for f := range l.followers {
		select {
		case f <- b:
		default:
			l.checked = errors.New("a follower does not read")
		}
	}
	return r, l.height
}

func (l *testLedger) LedgerID() types.Hash { return l.id }

func (l *testLedger) Broadcast(ctx context.Context, tx chain.Tx) (client.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		return client.Receipt{}, l.down
	}
	if r, ok := l.included[tx.ID()]; ok {
		return r, nil
	}
	if err := l.state.Validate(&tx); err != nil {
		return client.Receipt{}, fmt.Errorf("%w: %v", client.ErrRejected, err)
	}
	result, height := l.block(&tx)
	if result.Code != chain.CodeOK {
		return client.Receipt{}, fmt.Errorf("%w: %s", client.ErrRejected, result.Log)
	}
	r := client.Receipt{Tx: tx.ID(), Height: height, Fee: result.Fee}
	l.included[tx.ID()] = r
	if c := tx.Body.Close; c != nil {
		l.closes[c.Channel] = append(l.closes[c.Channel], *c)
	}
	return r, nil
}

// prepare signs a body with the next nonce and the exact fee.
func (l *testLedger) prepare(key types.PrivateKey, body chain.Body) chain.Tx {
	l.mu.Lock()
	defer l.mu.Unlock()
	body.From = key.Address()
	account := l.state.Account(body.From)
	body.Nonce = account.Nonce
	body.Fee = types.XEN / 10
	return body.Sign(key, l.id)
}

func (l *testLedger) Channel(ctx context.Context, id types.Hash) (chain.Channel, client.Header, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		return chain.Channel{}, client.Header{}, l.down
	}
	header := client.Header{Height: l.height, Time: time.Now().Unix()}
	c, ok := l.state.Channel(id)
	if !ok {
		return c, header, client.ErrNotFound
	}
	return c, header, nil
}

func (l *testLedger) Announcements(context.Context) ([]chain.Announcement, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Announcements(), l.down
}

func (l *testLedger) Follow(ctx context.Context) (<-chan client.Block, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := make(chan client.Block, 4096)
	l.followers[f] = struct{}{}
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.followers, f)
		close(f)
	})
	return f, nil
}

// settled is how a channel was closed; all of its CLOSEs that took effect.
func (l *testLedger) settled(id types.Hash) []chain.Close {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closes[id]
}

// setDown makes every call fail with err, and no blocks; nil ends that.
func (l *testLedger) setDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = err
}

func (l *testLedger) balance(a types.Address) types.Amount {
	l.mu.Lock()
	defer l.mu.Unlock()
	account := l.state.Account(a)
	return account.Balance
}
