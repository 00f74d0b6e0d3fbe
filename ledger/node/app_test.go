package node

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

func testKey(t testing.TB) types.PrivateKey {
	t.Helper()
	key, err := types.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// testApp is the application without an engine, with one funded key.
func testApp(t testing.TB, dir string) (*app, types.PrivateKey) {
	t.Helper()
	key := testKey(t)
	consensus := ed25519.GenPrivKeyFromSecret([]byte("test")).PubKey().Bytes()
	g := chain.Genesis{
		Params:    chain.DevParams(),
		Time:      1_000_000,
		Accounts:  []chain.GenesisAccount{{Address: key.Address(), Amount: 100 * types.XEN}},
		Delegates: []chain.GenesisDelegate{{Address: key.Address(), ConsensusKey: consensus}},
	}
	s := mustOpen(t, dir)
	t.Cleanup(func() { s.close() })
	a, err := newApp(Config{Genesis: g, Check: true, Log: slog.New(slog.DiscardHandler)}, s, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	return a, key
}

// run makes blocks, the first with the given transactions.
func run(t testing.TB, a *app, blocks int, txs ...[]byte) []*abci.ExecTxResult {
	t.Helper()
	var results []*abci.ExecTxResult
	for range blocks {
		height := a.store.version + 1
		resp, err := a.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{
			Height: height, Time: time.Unix(1_000_000+height, 0), Txs: txs})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Commit(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		results, txs = append(results, resp.TxResults...), nil
	}
	return results
}

func signed(a *app, key types.PrivateKey, nonce uint64, to types.Address) []byte {
	body := chain.Body{From: key.Address(), Nonce: nonce, Fee: types.XEN, Transfer: &chain.Transfer{To: to, Amount: types.XEN}}
	return chain.EncodeTx(body.Sign(key, a.ledger))
}

// TestProposal makes blocks of a mempool in any order, and refuses blocks that
// are not made so.
func TestProposal(t *testing.T) {
	a, key := testApp(t, t.TempDir())
	run(t, a, 1)
	to := testKey(t).Address()
	first, second := signed(a, key, 0, to), signed(a, key, 1, to)
	prepared, err := a.PrepareProposal(t.Context(), &abci.RequestPrepareProposal{
		Height: 2, Time: time.Unix(1_000_002, 0), MaxTxBytes: 1 << 20,
		Txs: [][]byte{second, []byte("garbage"), signed(a, key, 7, to), first}})
	if err != nil || len(prepared.Txs) != 2 {
		t.Fatalf("%d transactions (%v)", len(prepared.Txs), err)
	}
	for _, c := range []struct {
		name string
		txs  [][]byte
		want abci.ResponseProcessProposal_ProposalStatus
	}{
		{"ours", prepared.Txs, abci.ResponseProcessProposal_ACCEPT},
		{"empty", nil, abci.ResponseProcessProposal_ACCEPT},
		{"order", [][]byte{second, first}, abci.ResponseProcessProposal_REJECT},
		{"twice", [][]byte{first, first}, abci.ResponseProcessProposal_REJECT},
		{"garbage", [][]byte{[]byte("garbage")}, abci.ResponseProcessProposal_REJECT},
	} {
		resp, err := a.ProcessProposal(t.Context(), &abci.RequestProcessProposal{
			Height: 2, Time: time.Unix(1_000_002, 0), Txs: c.txs})
		if err != nil || resp.Status != c.want {
			t.Errorf("%s: %v (%v)", c.name, resp, err)
		}
	}
	for i, r := range run(t, a, 1, prepared.Txs...) {
		result, err := wire.Result(r)
		if err != nil || result.Code != chain.CodeOK || result.Fee == 0 {
			t.Errorf("transaction %d: %+v (%v)", i, result, err)
		}
	}
}

func TestCheckTx(t *testing.T) {
	a, key := testApp(t, t.TempDir())
	run(t, a, 1)
	to := testKey(t).Address()
	bad := signed(a, key, 0, to)
	bad[len(bad)-1] ^= 1
	for _, c := range []struct {
		name  string
		tx    []byte
		ok    bool
		space string
	}{
		{"next", signed(a, key, 0, to), true, ""},
		{"later", signed(a, key, chain.NonceWindow, to), true, ""},
		{"too far", signed(a, key, chain.NonceWindow+1, to), false, wire.NonceRefused},
		{"signature", bad, false, ""},
		{"garbage", []byte("garbage"), false, ""},
		{"nothing", nil, false, ""},
	} {
		resp, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: c.tx})
		if err != nil || (resp.Code == 0) != c.ok || resp.Codespace != c.space {
			t.Errorf("%s: %+v (%v)", c.name, resp, err)
		}
	}
}

// TestHalt breaks the state on disk: the next block stops the node, and nothing
// of it is stored.
func TestHalt(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(kv chain.KV, key types.PrivateKey)
	}{
		{"money from nothing", func(kv chain.KV, key types.PrivateKey) {
			kv.Set(chain.AccountKey(key.Address()), types.Encode(chain.Account{Balance: 1000 * types.XEN}))
		}},
		{"record that is none", func(kv chain.KV, key types.PrivateKey) {
			kv.Set(chain.AccountKey(key.Address()), []byte("garbage"))
		}},
		{"no head", func(kv chain.KV, _ types.PrivateKey) { kv.Delete([]byte("h")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, key := testApp(t, t.TempDir())
			run(t, a, 1)
			changes := chain.NewOverlay(a.store.view())
			c.damage(changes, key)
			if _, err := a.store.stage(changes); err != nil {
				t.Fatal(err)
			}
			if err := a.store.save(2, 2, nil); err != nil {
				t.Fatal(err)
			}
			var halted error
			a.halted = func(err error) { halted = err }
			_, err := a.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{Height: 3, Time: time.Unix(1_000_003, 0)})
			if !errors.Is(err, ErrHalted) || !errors.Is(halted, ErrHalted) {
				t.Errorf("went on: %v, %v", err, halted)
			}
			if a.store.version != 2 {
				t.Errorf("stored version %d", a.store.version)
			}
		})
	}
}

// TestVerifyOnce looks whether executing a block finds its signatures known.
func TestVerifyOnce(t *testing.T) {
	a, key := testApp(t, t.TempDir())
	run(t, a, 1)
	tx := signed(a, key, 0, testKey(t).Address())
	if resp, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: tx}); err != nil || resp.Code != 0 {
		t.Fatalf("%+v (%v)", resp, err)
	}
	known := len(a.verifier.young)
	a.verifier.warm(a.ledger, decodeAll([][]byte{tx}))
	run(t, a, 1, tx)
	if known != 1 || len(a.verifier.young) != known {
		t.Errorf("%d signatures checked, then %d", known, len(a.verifier.young))
	}
}

func TestVerifierForgets(t *testing.T) {
	v := newVerifier()
	key := testKey(t)
	sig := key.Sign("test", types.Hash{}, []byte("body"))
	if err := v.verify(key.Address(), "test", types.Hash{}, []byte("body"), sig); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind, body string
		ledger     types.Hash
	}{{"tests", "body", types.Hash{}}, {"test", "bodi", types.Hash{}}, {"test", "body", types.Hash{1}}} {
		if err := v.verify(key.Address(), c.kind, c.ledger, []byte(c.body), sig); !errors.Is(err, types.ErrSignature) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for i := range 3 {
		for j := len(v.young); j < maxVerified; j++ {
			v.young[[32]byte{byte(i), byte(j), byte(j >> 8)}] = struct{}{}
		}
		body := []byte{byte(i)}
		if err := v.verify(key.Address(), "test", types.Hash{}, body, key.Sign("test", types.Hash{}, body)); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.young)+len(v.old) > 2*maxVerified {
		t.Errorf("%d kept", len(v.young)+len(v.old))
	}
}
