package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
)

func TestFollow(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 60*time.Second)
	live, err := w.client.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[types.Hash]int64{}
	for range 5 {
		r, err := w.client.Submit(ctx, w.keys[0], transfer(w.keys[1].Address(), types.XEN))
		if err != nil {
			t.Fatal(err)
		}
		want[r.Tx] = r.Height
	}
	collect := func(name string, blocks <-chan client.Block) {
		t.Helper()
		missing := len(want)
		last := int64(0)
		for missing > 0 {
			block, ok := <-blocks
			if !ok {
				t.Fatalf("%s: channel closed", name)
			}
			if last != 0 && block.Header.Height != last+1 {
				t.Fatalf("%s: block %d after %d", name, block.Header.Height, last)
			}
			last = block.Header.Height
			for _, tx := range block.Txs {
				if want[tx.Tx.ID()] != last || tx.Result.Code != chain.CodeOK {
					t.Errorf("%s: %+v in block %d", name, tx, last)
				}
				missing--
			}
		}
	}
	collect("live", live)
	past, err := w.client.FollowFrom(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	collect("past", past)
}

// TestRestart stops the node under a client that follows and submits: both go
// on without gaps, and nothing happens twice.
func TestRestart(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 60*time.Second)
	rpc := strings.TrimPrefix(w.node.RPC(), "http://")
	blocks, err := w.client.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := w.client.Prepare(ctx, w.keys[0], transfer(w.keys[1].Address(), types.XEN))
	if err != nil {
		t.Fatal(err)
	}
	first, err := w.client.Broadcast(ctx, tx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, _, err := w.client.Account(short, w.keys[0].Address()); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("account of a node that is down: %v", err)
	}
	var all sync.WaitGroup
	all.Go(func() { // waits for the node to come back
		if _, err := w.client.Submit(ctx, w.keys[0], transfer(w.keys[1].Address(), types.XEN)); err != nil {
			t.Error(err)
		}
	})
	w.start(t, rpc)
	all.Wait()
	if again, err := w.client.Broadcast(ctx, tx); err != nil || again != first {
		t.Errorf("after the restart: %+v (%v), before %+v", again, err, first)
	}
	txs, last := 0, int64(0)
	for txs < 2 {
		block, ok := <-blocks
		if !ok {
			t.Fatal("no longer followed")
		}
		if last != 0 && block.Header.Height != last+1 {
			t.Fatalf("block %d after %d", block.Header.Height, last)
		}
		last, txs = block.Header.Height, txs+len(block.Txs)
	}
	if got, _, err := w.open(t).Account(ctx, w.keys[1].Address()); err != nil || got.Balance != 1002*types.XEN {
		t.Errorf("payee has %s (%v)", got.Balance, err)
	}
}

func TestUnavailable(t *testing.T) {
	w := newWorld(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := client.Open(ctx, client.Config{RPC: "http://127.0.0.1:1", Genesis: w.genesis})
	if !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
	w.client.Close()
	if _, err := w.client.Broadcast(t.Context(), chain.Tx{Body: transfer(w.keys[0].Address(), 1)}); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := w.client.Follow(t.Context()); err == nil {
		t.Error("followed after Close")
	}
}

func TestOtherLedger(t *testing.T) {
	w := newWorld(t, 1)
	other := w.genesis
	other.Random[0] ^= 1
	if _, err := client.Open(t.Context(), client.Config{RPC: w.node.RPC(), Genesis: other}); !errors.Is(err, client.ErrProof) {
		t.Errorf("opened another ledger: %v", err)
	}
}

// TestHome keeps the newest header and goes on from there.
func TestHome(t *testing.T) {
	w := newWorld(t, 1)
	home := t.TempDir()
	for range 2 {
		c, err := client.Open(t.Context(), client.Config{RPC: w.node.RPC(), Genesis: w.genesis, Home: home})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	// A trust period that is over leaves nothing to start from.
	_, err := client.Open(t.Context(), client.Config{RPC: w.node.RPC(), Genesis: w.genesis, TrustPeriod: time.Nanosecond})
	if !errors.Is(err, client.ErrProof) {
		t.Errorf("trusted for ever: %v", err)
	}
}

// liar passes calls on to a node and changes the answers of one method.
func liar(t *testing.T, node, method string, change func(result map[string]any)) string {
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	proxy.ModifyResponse = func(resp *http.Response) error {
		if resp.Request.Header.Get("X-Method") != method {
			return nil
		}
		var answer map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return err
		}
		if result, ok := answer["result"].(map[string]any); ok {
			change(result)
		}
		data, err := json.Marshal(answer)
		resp.Body = io.NopCloser(bytes.NewReader(data))
		resp.ContentLength = int64(len(data))
		resp.Header.Set("Content-Length", "")
		resp.Header.Del("Content-Length")
		return err
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var call struct{ Method string }
		_ = json.Unmarshal(body, &call)
		r.Header.Set("X-Method", call.Method)
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestLiar changes one answer at a time: each lie about what can be checked is
// found.
func TestLiar(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 60*time.Second)
	a, b := w.keys[0], w.keys[1]
	receipt, err := w.client.Submit(ctx, a, transfer(b.Address(), types.XEN))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Submit(ctx, a, chain.Body{Announce: &chain.Announce{Body: []byte("need"), LifetimeSeconds: 600}}); err != nil {
		t.Fatal(err)
	}
	account := func(c *client.Client) error { _, _, err := c.Account(ctx, a.Address()); return err }
	absent := func(c *client.Client) error { _, _, err := c.Channel(ctx, types.Hash{7}); return err }
	tx := func(c *client.Client) error { _, _, err := c.Tx(ctx, receipt.Tx); return err }
	anns := func(c *client.Client) error { _, err := c.Announcements(ctx); return err }
	at := func(m map[string]any, path ...string) map[string]any {
		for _, p := range path {
			m = m[p].(map[string]any)
		}
		return m
	}
	for _, lie := range []struct {
		name, method string
		change       func(map[string]any)
		ask          func(*client.Client) error
	}{
		{"value", "zennet_value", func(r map[string]any) { r["value"] = "oWEA" }, account},
		{"no value", "zennet_value", func(r map[string]any) { r["value"] = nil }, account},
		{"absent value", "zennet_value", func(r map[string]any) { r["value"] = "oWEA" }, absent},
		{"no proof", "zennet_value", func(r map[string]any) { r["proof"] = "" }, account},
		{"garbage proof", "zennet_value", func(r map[string]any) { r["proof"] = "ChQKAA==" }, absent},
		{"older state", "zennet_value", func(r map[string]any) { r["height"] = "1" }, account},
		{"header time", "commit", func(r map[string]any) { at(r, "signed_header", "header")["time"] = "2001-01-01T00:00:00Z" }, account},
		{"application hash", "commit", func(r map[string]any) {
			at(r, "signed_header", "header")["app_hash"] = strings.Repeat("AB", 32)
		}, account},
		{"no signature", "commit", func(r map[string]any) {
			sigs := at(r, "signed_header", "commit")["signatures"].([]any)
			sigs[0].(map[string]any)["signature"] = strings.Repeat("A", 86) + "=="
		}, account},
		{"place", "zennet_tx", func(r map[string]any) { r["height"] = "1" }, tx},
		{"block", "block", func(r map[string]any) { at(r, "block", "data")["txs"] = []any{} }, tx},
		{"results", "block_results", func(r map[string]any) {
			r["txs_results"].([]any)[0].(map[string]any)["code"] = 1
		}, tx},
		{"announcement", "zennet_values", func(r map[string]any) {
			r["values"].([]any)[0].(map[string]any)["value"] = "oWEA"
		}, anns},
	} {
		t.Run(lie.name, func(t *testing.T) {
			var mu sync.Mutex
			on := false
			url := liar(t, w.node.RPC(), lie.method, func(r map[string]any) {
				mu.Lock()
				defer mu.Unlock()
				if on {
					lie.change(r)
				}
			})
			c, err := client.Open(ctx, client.Config{RPC: url, Genesis: w.genesis, Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := lie.ask(c); err != nil && !errors.Is(err, client.ErrNotFound) {
				t.Fatalf("honest: %v", err)
			}
			c2, err := client.Open(ctx, client.Config{RPC: url, Genesis: w.genesis, Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer c2.Close()
			mu.Lock()
			on = true
			mu.Unlock()
			// A new header, so that none is known already.
			if _, err := w.client.Submit(ctx, b, transfer(a.Address(), 1)); err != nil {
				t.Fatal(err)
			}
			if err := lie.ask(c2); !errors.Is(err, client.ErrProof) {
				t.Errorf("believed: %v", err)
			}
		})
	}
}

// TestPruned lets a ledger grow until its first blocks are forgotten: a fresh
// client needs only the genesis, and a restarted node goes on.
func TestPruned(t *testing.T) {
	params := chain.DevParams()
	params.TrustSeconds, params.EvidenceSeconds, params.UnbondSeconds = 1, 2, 2
	w := newWorldWith(t, 2, params)
	ctx := within(t, 2*time.Minute)
	first, err := w.client.Submit(ctx, w.keys[0], transfer(w.keys[1].Address(), types.XEN))
	if err != nil {
		t.Fatal(err)
	}
	pruned := func() bool {
		_, _, err := w.open(t).Tx(ctx, first.Tx)
		return errors.Is(err, client.ErrNotFound)
	}
	blocks, err := w.client.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		r, err := w.client.Submit(ctx, w.keys[0], transfer(w.keys[1].Address(), 1))
		if err != nil {
			t.Fatal(err)
		}
		for b := range blocks { // the reader keeps up, or its blocks are forgotten too
			if b.Header.Height >= r.Height {
				break
			}
		}
		if i%20 == 0 && pruned() {
			break
		}
	}
	rpc := strings.TrimPrefix(w.node.RPC(), "http://")
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	w.start(t, rpc)
	c := w.open(t)
	if _, err := c.Submit(ctx, w.keys[1], transfer(w.keys[0].Address(), 1)); err != nil {
		t.Error(err)
	}
	past, err := c.FollowFrom(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := <-past; ok {
		t.Errorf("a forgotten block came: %+v", b)
	}
}
