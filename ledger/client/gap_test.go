package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
)

// TestLostTransactions: transactions that the node took and lost, because it
// restarted before they were in a block, do not hold up the account: the next one
// brings them in, each once, and costs nothing but itself.
func TestLostTransactions(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 2*time.Minute)
	rpc := strings.TrimPrefix(w.node.RPC(), "http://")
	var deaf atomic.Bool // what is sent is taken and forgotten
	front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		if err != nil {
			return
		}
		var call struct {
			ID     any
			Method string
		}
		if json.Unmarshal(body, &call) == nil && deaf.Load() && call.Method == "broadcast_tx_sync" {
			json.NewEncoder(out).Encode(map[string]any{"jsonrpc": "2.0", "id": call.ID, "result": map[string]any{"code": 0, "data": "", "log": "", "codespace": "", "hash": ""}})
			return
		}
		resp, err := http.Post("http://"+rpc, "application/json", strings.NewReader(string(body)))
		if err != nil {
			out.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		io.Copy(out, resp.Body)
	}))
	t.Cleanup(front.Close)
	c, err := client.Open(ctx, client.Config{RPC: front.URL, Genesis: w.genesis, Log: logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	from, to := w.keys[0], w.keys[1].Address()
	before, _, err := c.Account(ctx, from.Address())
	if err != nil {
		t.Fatal(err)
	}
	deaf.Store(true)
	for range 2 {
		short, cancel := context.WithTimeout(ctx, time.Second)
		tx, err := c.Prepare(ctx, from, transfer(to, types.XEN))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Broadcast(short, tx); !errors.Is(err, client.ErrUnavailable) {
			t.Fatalf("sent into nothing: %v", err)
		}
		cancel()
	}
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	w.start(t, rpc)
	deaf.Store(false)
	last, err := c.Submit(ctx, from, transfer(to, types.XEN))
	if err != nil {
		t.Fatalf("the account stands still: %v", err)
	}
	account, _, err := c.Account(ctx, from.Address())
	if err != nil {
		t.Fatal(err)
	}
	if payee, _, err := c.Account(ctx, to); err != nil || payee.Balance != 1003*types.XEN || account.Nonce != before.Nonce+3 {
		t.Errorf("payee has %s, the payer's next nonce is %d (%v)", payee.Balance, account.Nonce, err)
	}
	if cost := before.Balance - account.Balance; cost > 3*types.XEN+10*last.Fee {
		t.Errorf("it cost %s, a fee is %s", cost, last.Fee)
	}
}
