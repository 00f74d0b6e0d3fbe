package client_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
)

func TestTransfer(t *testing.T) {
	w := newWorld(t, 2)
	a, b := w.keys[0], w.keys[1]
	receipt, err := w.client.Submit(t.Context(), a, transfer(b.Address(), 5*types.XEN))
	if err != nil {
		t.Fatal(err)
	}
	got, header, err := w.client.Account(t.Context(), a.Address())
	if err != nil {
		t.Fatal(err)
	}
	if want := 995*types.XEN - receipt.Fee; got.Balance != want || got.Nonce != 1 || receipt.Fee == 0 {
		t.Errorf("payer has %s, nonce %d; want %s, 1", got.Balance, got.Nonce, want)
	}
	if header.Height <= receipt.Height {
		t.Errorf("proven by header %d, included in %d", header.Height, receipt.Height)
	}
	if got, _, err := w.client.Account(t.Context(), b.Address()); err != nil || got.Balance != 1005*types.XEN {
		t.Errorf("payee has %s (%v)", got.Balance, err)
	}
	checkSupply(t, w)
}

// checkSupply holds PROTOCOL.md 4.9.
func checkSupply(t *testing.T, w *world) {
	t.Helper()
	s, err := w.client.Supply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Balances+s.Deposits+s.PrepaidFees+s.Bonds+s.Burned != s.Genesis {
		t.Errorf("supply %+v does not add up", s)
	}
}

// TestChannel walks PROTOCOL.md 3 as both sides see it: OPEN, proven by the
// payee, CLOSE with a voucher from an account without money, absence proven.
func TestChannel(t *testing.T) {
	w := newWorld(t, 1)
	ctx := within(t, 30*time.Second)
	payer, payee := w.keys[0], newKey(t)
	contract := types.HashOf("contract", []byte("test"))
	tx, err := w.client.Prepare(ctx, payer, chain.Body{Open: &chain.Open{
		Payee: payee.Address(), Contract: contract, Deposit: 10 * types.XEN, Expiry: time.Now().Unix() + 3600}})
	if err != nil {
		t.Fatal(err)
	}
	id := chain.ChannelID(w.client.LedgerID(), payer.Address(), tx.Body.Nonce)
	if _, _, err := w.client.Channel(ctx, id); !errors.Is(err, client.ErrNotFound) {
		t.Fatalf("before OPEN: %v", err)
	}
	opened, err := w.client.Broadcast(ctx, tx)
	if err != nil {
		t.Fatal(err)
	}
	other := w.open(t) // the payee's own client sees what the payer's Broadcast returned
	ch, header, err := other.Channel(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if ch.Deposit != 10*types.XEN || ch.Payee != payee.Address() || ch.Contract != contract || ch.Height != opened.Height {
		t.Errorf("channel %+v", ch)
	}
	if header.Height <= opened.Height {
		t.Errorf("header %d proves block %d", header.Height, opened.Height)
	}
	voucher := channel.Voucher{Channel: id, Seq: 1, Amount: 3 * types.XEN}.Sign(payer, w.client.LedgerID())
	closing, err := other.Prepare(ctx, payee, chain.Body{Close: &chain.Close{Channel: id, Claim: 3 * types.XEN, Voucher: &voucher}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := other.Broadcast(ctx, closing)
	if err != nil {
		t.Fatal(err)
	}
	again, err := other.Broadcast(ctx, closing)
	if err != nil || again != first {
		t.Errorf("CLOSE again: %+v (%v), first %+v", again, err, first)
	}
	if _, _, err := w.client.Channel(ctx, id); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("after CLOSE: %v", err)
	}
	if got, _, err := other.Account(ctx, payee.Address()); err != nil || got.Balance != 3*types.XEN {
		t.Errorf("payee has %s (%v)", got.Balance, err)
	}
	checkSupply(t, w)
}

func TestIdempotent(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 30*time.Second)
	a, b := w.keys[0], w.keys[1]
	tx, err := w.client.Prepare(ctx, a, transfer(b.Address(), types.XEN))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	receipts := make([]client.Receipt, 8)
	for i := range receipts {
		all.Go(func() {
			c := w.client
			if i%2 == 1 {
				c = w.open(t)
			}
			var err error
			if receipts[i], err = c.Broadcast(ctx, tx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, r := range receipts {
		if r != receipts[0] || r.Tx != tx.ID() {
			t.Errorf("receipts differ: %+v, %+v", r, receipts[0])
		}
	}
	if _, err := w.client.Submit(ctx, a, transfer(b.Address(), types.XEN)); err != nil {
		t.Fatal(err)
	}
	if r, err := w.client.Broadcast(ctx, tx); err != nil || r != receipts[0] {
		t.Errorf("later: %+v (%v)", r, err)
	}
	included, height, err := w.client.Tx(ctx, tx.ID())
	if err != nil || height != receipts[0].Height || included.Tx.ID() != tx.ID() || included.Result.Fee != receipts[0].Fee {
		t.Errorf("found %+v at %d (%v)", included, height, err)
	}
	if got, _, _ := w.client.Account(ctx, b.Address()); got.Balance != 1002*types.XEN {
		t.Errorf("payee has %s", got.Balance)
	}
	if _, _, err := w.client.Tx(ctx, types.Hash{1}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("unknown transaction: %v", err)
	}
}

// TestConcurrent submits from many goroutines for one account, beyond the
// window in which nodes keep later nonces.
func TestConcurrent(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 5*time.Minute) // signatures are slow under the race detector
	const n = chain.NonceWindow + 100
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if _, err := w.client.Submit(ctx, w.keys[0], transfer(w.keys[1].Address(), 7)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, _, err := w.client.Account(ctx, w.keys[0].Address()); err != nil || got.Nonce != n {
		t.Errorf("nonce %d (%v)", got.Nonce, err)
	}
	checkSupply(t, w)
}

// TestTwoProcesses lets two clients use one key at once: each loses some races
// for a nonce, and prepares again.
func TestTwoProcesses(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 60*time.Second)
	var all sync.WaitGroup
	for range 2 {
		c := w.open(t)
		all.Go(func() {
			for range 10 {
				if _, err := c.Submit(ctx, w.keys[0], transfer(w.keys[1].Address(), 7)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got, _, err := w.client.Account(ctx, w.keys[0].Address()); err != nil || got.Nonce != 20 {
		t.Errorf("nonce %d (%v)", got.Nonce, err)
	}
}

func TestRejected(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 30*time.Second)
	a, b := w.keys[0], w.keys[1]
	if _, err := w.client.Submit(ctx, a, transfer(b.Address(), 5000*types.XEN)); !errors.Is(err, client.ErrRejected) {
		t.Errorf("too much: %v", err)
	}
	if _, err := w.client.Submit(ctx, newKey(t), transfer(b.Address(), types.XEN)); !errors.Is(err, client.ErrRejected) {
		t.Errorf("no account: %v", err)
	}
	tx, err := w.client.Prepare(ctx, a, transfer(b.Address(), types.XEN))
	if err != nil {
		t.Fatal(err)
	}
	forged := tx
	forged.Body.Transfer = &chain.Transfer{To: b.Address(), Amount: 2 * types.XEN}
	if _, err := w.client.Broadcast(ctx, forged); !errors.Is(err, client.ErrRejected) {
		t.Errorf("forged: %v", err)
	}
	if _, err := w.client.Broadcast(ctx, tx); err != nil {
		t.Errorf("after refusals: %v", err)
	}
	// One that is valid when it is sent and fails in its block pays its fee.
	whole := transfer(b.Address(), 600*types.XEN)
	var all sync.WaitGroup
	failures := make([]error, 2)
	receipts := make([]client.Receipt, 2)
	txs := make([]chain.Tx, 2)
	for i := range txs {
		if txs[i], err = w.client.Prepare(ctx, a, whole); err != nil {
			t.Fatal(err)
		}
	}
	for i := range txs {
		all.Go(func() { receipts[i], failures[i] = w.client.Broadcast(ctx, txs[i]) })
	}
	all.Wait()
	if failures[0] != nil || !errors.Is(failures[1], client.ErrRejected) {
		t.Errorf("two of 600 XEN: %v, %v", failures[0], failures[1])
	}
	if _, err := w.client.Submit(ctx, a, transfer(b.Address(), types.XEN)); err != nil {
		t.Errorf("after a failure: %v", err)
	}
	checkSupply(t, w)
}

// TestGap prepares a transaction and forgets it: later ones must not wait for
// ever. A discarded one holds up nothing.
func TestGap(t *testing.T) {
	w := newWorld(t, 2)
	ctx := within(t, 30*time.Second)
	a, body := w.keys[0], transfer(w.keys[1].Address(), types.XEN)
	discarded, err := w.client.Prepare(ctx, a, body)
	if err != nil {
		t.Fatal(err)
	}
	w.client.Discard(discarded)
	if r, err := w.client.Submit(ctx, a, body); err != nil {
		t.Fatal(err)
	} else if got, _, _ := w.client.Tx(ctx, r.Tx); got.Tx.Body.Nonce != 0 {
		t.Errorf("nonce %d after a discard", got.Tx.Body.Nonce)
	}
	if _, err := w.client.Prepare(ctx, a, body); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Submit(ctx, a, body); err != nil {
		t.Errorf("behind a forgotten one: %v", err)
	}
}

func TestAnnouncements(t *testing.T) {
	w := newWorld(t, 1)
	ctx := within(t, 30*time.Second)
	if anns, err := w.client.Announcements(ctx); err != nil || len(anns) != 0 {
		t.Fatalf("%d at the start (%v)", len(anns), err)
	}
	var want []types.Hash
	for i := range 3 {
		body := chain.Body{Announce: &chain.Announce{Body: fmt.Append(nil, "need ", i), LifetimeSeconds: 600}}
		r, err := w.client.Submit(ctx, w.keys[0], body)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r.Tx)
	}
	gone := want[1]
	if _, err := w.client.Submit(ctx, w.keys[0], chain.Body{Withdraw: &chain.Withdraw{Announcement: gone}}); err != nil {
		t.Fatal(err)
	}
	want = slices.Delete(want, 1, 2)
	anns, err := w.client.Announcements(ctx)
	if err != nil || len(anns) != 2 {
		t.Fatalf("%d announcements (%v)", len(anns), err)
	}
	for _, a := range anns {
		if !slices.Contains(want, a.ID) || a.From != w.keys[0].Address() {
			t.Errorf("announcement %+v", a)
		}
	}
}

// BenchmarkFinality measures from Submit to a result that a header proves, one
// after another.
func BenchmarkFinality(b *testing.B) {
	w := newWorld(b, 2)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := w.client.Submit(b.Context(), w.keys[0], transfer(w.keys[1].Address(), 1)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkThroughput measures final transactions a second with 200 under way.
func BenchmarkThroughput(b *testing.B) {
	w := newWorld(b, 9)
	var all sync.WaitGroup
	start := time.Now()
	for i := range 200 {
		all.Go(func() {
			for range (b.N + 199) / 200 {
				if _, err := w.client.Submit(b.Context(), w.keys[1+i%8], transfer(w.keys[0].Address(), 1)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64((b.N+199)/200*200)/time.Since(start).Seconds(), "tx/s")
}
