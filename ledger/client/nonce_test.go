package client

import (
	"context"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"pgregory.net/rapid"
)

// TestNonces plays an honest ledger against one account's bookkeeping: no nonce
// is handed out twice while its first holder may still send it, and none is
// left out for good.
func TestNonces(t *testing.T) {
	scalar := [32]byte{31: 1}
	key, err := types.KeyFromBytes(scalar[:])
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := newNonces().of(key.Address())
		ledger := rapid.Uint64Range(0, 5).Draw(t, "ledger")
		ask := func(context.Context) (uint64, error) { return ledger, nil }
		held := map[uint64]func(){} // by a Broadcast
		take := func() {
			nonce, err := a.take(t.Context(), key, ask)
			if err != nil {
				t.Fatal(err)
			}
			if held[nonce] != nil || nonce < ledger {
				t.Fatalf("nonce %d handed out, ledger at %d, held %v", nonce, ledger, held)
			}
			held[nonce] = a.sending(nonce)
		}
		any := func() (nonce uint64, ok bool) {
			for n := range held {
				if !ok || n < nonce {
					nonce, ok = n, true
				}
			}
			return nonce, ok
		}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(*rapid.T) { take() },
			"include": func(*rapid.T) {
				if done := held[ledger]; done != nil {
					done()
					a.used(ledger)
					delete(held, ledger)
					ledger++
				}
			},
			"refuse": func(*rapid.T) {
				if nonce, ok := any(); ok {
					held[nonce]()
					a.refused(nonce)
					delete(held, nonce)
				}
			},
			"another process": func(*rapid.T) {
				if held[ledger] == nil && len(held) == 0 {
					ledger++
					a.refused(ledger - 1) // what a stale transaction says
					a.resync(ledger)
				}
			},
		})
		for i := 0; len(held) > 0; i++ { // drains: the ledger's next nonce is always held, or handed out next
			if held[ledger] == nil {
				if key, ok := a.gap(ledger, time.Hour); ok != !key.IsZero() {
					t.Fatal("gap without a key")
				} else if ok {
					ledger++
					a.resync(ledger)
					continue
				}
				t.Fatalf("ledger waits for %d, which nobody has; held %v", ledger, held)
			}
			held[ledger]()
			a.used(ledger)
			delete(held, ledger)
			ledger++
		}
	})
}
