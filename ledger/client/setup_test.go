package client_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
)

// world is a ledger of one delegate with a client, for one test.
type world struct {
	home    string
	genesis chain.Genesis
	keys    []types.PrivateKey // funded with 1000 XEN each
	node    *node.Node
	client  *client.Client
}

func newKey(t testing.TB) types.PrivateKey {
	t.Helper()
	key, err := types.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// logger prints warnings where ZENNET_TEST_LOG is set.
func logger() *slog.Logger {
	if os.Getenv("ZENNET_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func newWorld(t testing.TB, accounts int) *world {
	t.Helper()
	return newWorldWith(t, accounts, chain.DevParams())
}

func newWorldWith(t testing.TB, accounts int, params chain.Params) *world {
	t.Helper()
	w := &world{home: t.TempDir()}
	consensus, err := node.ConsensusKey(w.home)
	if err != nil {
		t.Fatal(err)
	}
	delegate := newKey(t)
	w.genesis = chain.Genesis{
		Params:    params,
		Time:      time.Now().Unix(),
		Random:    types.HashOf("test", []byte(t.Name())),
		Accounts:  []chain.GenesisAccount{{Address: delegate.Address(), Amount: 10 * types.XEN}},
		Delegates: []chain.GenesisDelegate{{Address: delegate.Address(), ConsensusKey: consensus, Name: "test"}},
	}
	for range accounts {
		key := newKey(t)
		w.keys = append(w.keys, key)
		w.genesis.Accounts = append(w.genesis.Accounts, chain.GenesisAccount{Address: key.Address(), Amount: 1000 * types.XEN})
	}
	w.start(t, "127.0.0.1:0")
	w.client = w.open(t)
	return w
}

func (w *world) start(t testing.TB, rpc string) {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{Home: w.home, RPC: rpc, Genesis: w.genesis, Check: true, Log: logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := n.Err(); err != nil {
			t.Errorf("halted: %v", err)
		}
	})
	w.node = n
}

func (w *world) open(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.Open(t.Context(), client.Config{RPC: w.node.RPC(), Genesis: w.genesis, Log: logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func transfer(to types.Address, amount types.Amount) chain.Body {
	return chain.Body{Transfer: &chain.Transfer{To: to, Amount: amount}}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
