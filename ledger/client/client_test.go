package client_test

import (
	"testing"
	"time"

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
	if want := 995*types.XEN - receipt.Fee; got.Balance != want || got.Nonce != 1 {
		t.Errorf("payer has %s, nonce %d; want %s, 1", got.Balance, got.Nonce, want)
	}
	if header.Height <= receipt.Height {
		t.Errorf("proven by header %d, included in %d", header.Height, receipt.Height)
	}
	if got, _, err := w.client.Account(t.Context(), b.Address()); err != nil || got.Balance != 1005*types.XEN {
		t.Errorf("payee has %s (%v)", got.Balance, err)
	}
}

func BenchmarkFinality(b *testing.B) {
	w := newWorld(b, 2)
	for b.Loop() {
		if _, err := w.client.Submit(b.Context(), w.keys[0], transfer(w.keys[1].Address(), 1)); err != nil {
			b.Fatal(err)
		}
	}
}

var _ = time.Second
