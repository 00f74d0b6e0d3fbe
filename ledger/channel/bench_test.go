package channel_test

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// BenchmarkAccept measures vouchers accepted a second, and how much of that time
// a bare BIP-340 verification of the same signatures takes.
func BenchmarkAccept(b *testing.B) {
	const count = 256
	proof := proven()
	proof.Deposit = 1 << 40
	payer, payee := channel.Payer{Proven: proof}, channel.Payee{Proven: proof}
	vouchers := make([]channel.Voucher, count)
	var err error
	for i := range vouchers {
		if payer, vouchers[i], err = payer.Sign(alice, types.Amount(i+1), types.Hash{byte(i)}, noLimit); err != nil {
			b.Fatal(err)
		}
	}
	address := alice.Address()
	key, err := schnorr.ParsePubKey(address[:])
	if err != nil {
		b.Fatal(err)
	}
	digest := types.Hash{7}
	secret, _ := btcec.PrivKeyFromBytes(alice.Bytes())
	signed, err := schnorr.Sign(secret, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	var accepting, bare time.Duration
	for b.Loop() {
		start := time.Now()
		one := payee
		for _, v := range vouchers {
			if one, err = one.Accept(v); err != nil {
				b.Fatal(err)
			}
		}
		accepting += time.Since(start)
		start = time.Now()
		for range vouchers {
			if !signed.Verify(digest[:], key) {
				b.Fatal("not valid")
			}
		}
		bare += time.Since(start)
	}
	b.ReportMetric(float64(b.N*count)/accepting.Seconds(), "vouchers/s")
	b.ReportMetric(float64(b.N*count)/bare.Seconds(), "bare/s")
	b.ReportMetric(bare.Seconds()/accepting.Seconds(), "ratio")
}
