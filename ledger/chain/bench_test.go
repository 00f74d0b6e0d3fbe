package chain

import (
	"fmt"
	"testing"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// Beside BenchmarkVerify, the bare signature, this shows what a transaction costs.
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name string
		body func(w *world) Body
	}{
		{"transfer", func(*world) Body { return Body{Transfer: &Transfer{addr("bob"), 1}} }},
		{"open", func(w *world) Body {
			return Body{Open: &Open{addr("bob"), types.Hash{}, 1, w.Time() + 60}}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b)
			w.begin(1)
			txs := make([]Tx, b.N)
			key, from, nonce := newKey("alice"), addr("alice"), w.Account(addr("alice")).Nonce
			for i := range txs {
				body := c.body(w)
				body.From, body.Nonce, body.Fee = from, nonce+uint64(i), 1_000_000
				txs[i] = body.Sign(key, w.Ledger())
			}
			b.ResetTimer()
			for i := range txs {
				if r := w.Apply(&txs[i]); r.Code != CodeOK {
					b.Fatalf("%+v", r)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	v := channel.Voucher{Amount: 5}.Sign(newKey("alice"), types.Hash{})
	for b.Loop() {
		if err := v.Verify(addr("alice"), types.Hash{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeTx(b *testing.B) {
	w := newWorld(b)
	data := EncodeTx(w.tx("alice", Body{Transfer: &Transfer{addr("bob"), 1}}))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := DecodeTx(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTally(b *testing.B) {
	for _, voters := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(voters), func(b *testing.B) {
			w := newWorld(b)
			for i := range voters {
				voter := types.Address{byte(i), byte(i >> 8), 1}
				w.put(AccountKey(voter), Account{Balance: types.Amount(i)})
				w.put(voteKey(voter), ballot{sorted(fourDelegates...)})
			}
			for b.Loop() {
				w.tally()
			}
		})
	}
}
