package channel_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"pgregory.net/rapid"
)

func newKey(name string) types.PrivateKey {
	secret := sha256.Sum256([]byte("zennet test key " + name))
	key, err := types.KeyFromBytes(secret[:])
	if err != nil {
		panic(err)
	}
	return key
}

var (
	alice, bob, carol = newKey("alice"), newKey("bob"), newKey("carol")
	ledger            = types.Hash{1}
	noLimit           = types.Amount(math.MaxUint64)
)

func proven() channel.Proven {
	return channel.Proven{Ledger: ledger, ID: types.Hash{2}, Payer: alice.Address(), Payee: bob.Address(),
		Contract: types.Hash{3}, Deposit: 1000, Expiry: 5000}
}

// ends are a payer and a payee after one voucher of 400 for usage 4.
func ends(t *testing.T) (channel.Payer, channel.Payee) {
	t.Helper()
	payer, v, err := channel.Payer{Proven: proven()}.Sign(alice, 400, types.Hash{4}, noLimit)
	if err != nil {
		t.Fatal(err)
	}
	payee, err := channel.Payee{Proven: proven()}.Accept(v)
	if err != nil {
		t.Fatal(err)
	}
	return payer, payee
}

// PROTOCOL.md 3.2, 1.9.
func TestSign(t *testing.T) {
	payer, _ := ends(t)
	for name, c := range map[string]struct {
		key           types.PrivateKey
		amount, limit types.Amount
		want          error
	}{
		"more":                    {alice, 401, noLimit, nil},
		"as much for other usage": {alice, 400, noLimit, nil},
		"all of the deposit":      {alice, 1000, noLimit, nil},
		"just the cap":            {alice, 700, 700, nil},
		"less":                    {alice, 399, noLimit, channel.ErrFalls},
		"nothing":                 {alice, 0, noLimit, channel.ErrFalls},
		"more than the deposit":   {alice, 1001, noLimit, channel.ErrDeposit},
		"as much as there is":     {alice, math.MaxUint64, noLimit, channel.ErrDeposit},
		"more than the cap":       {alice, 701, 700, channel.ErrCap},
		"by the payee":            {bob, 500, noLimit, channel.ErrKey},
	} {
		next, v, err := payer.Sign(c.key, c.amount, types.Hash{5}, c.limit)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want != nil {
			if next != payer || v != (channel.Voucher{}) {
				t.Errorf("%s: the payer changes with an error", name)
			}
			continue
		}
		if next.Best != v || v.Amount != c.amount || v.Seq != 2 || v.UsageHash != (types.Hash{5}) || v.Channel != payer.Proven.ID {
			t.Errorf("%s: %+v", name, v)
		}
		if err := v.Verify(alice.Address(), ledger); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if again, v, err := payer.Sign(alice, 400, types.Hash{4}, noLimit); err != nil || v != payer.Best || again != payer {
		t.Errorf("the same amount for the same usage again: %+v, %v", v, err)
	}
}

// One valid voucher, one mutation a case (PROTOCOL.md 3.2).
func TestAccept(t *testing.T) {
	_, payee := ends(t)
	base := channel.Voucher{Channel: payee.Proven.ID, Seq: 2, Amount: 500, UsageHash: types.Hash{5}}
	for name, c := range map[string]struct {
		change func(*channel.Voucher)
		signer types.PrivateKey
		ledger types.Hash
		after  func(*channel.Voucher)
		want   error
	}{
		"as it is":              {},
		"equal to the best":     {change: func(v *channel.Voucher) { v.Amount = 400 }},
		"all of the deposit":    {change: func(v *channel.Voucher) { v.Amount = 1000 }},
		"a number left out":     {change: func(v *channel.Voucher) { v.Seq = 9 }},
		"below the best":        {change: func(v *channel.Voucher) { v.Amount = 399 }, want: channel.ErrFalls},
		"above the deposit":     {change: func(v *channel.Voucher) { v.Amount = 1001 }, want: channel.ErrDeposit},
		"overflowing":           {change: func(v *channel.Voucher) { v.Amount = math.MaxUint64 }, want: channel.ErrDeposit},
		"of another channel":    {change: func(v *channel.Voucher) { v.Channel[0]++ }, want: channel.ErrChannel},
		"number used":           {change: func(v *channel.Voucher) { v.Seq = 1 }, want: channel.ErrSeq},
		"number 0":              {change: func(v *channel.Voucher) { v.Seq = 0 }, want: channel.ErrSeq},
		"signed by the payee":   {signer: bob, want: types.ErrSignature},
		"for another ledger":    {ledger: types.Hash{9}, want: types.ErrSignature},
		"not signed":            {after: func(v *channel.Voucher) { v.Sig = types.Signature{} }, want: types.ErrSignature},
		"raised after signing":  {after: func(v *channel.Voucher) { v.Amount++ }, want: types.ErrSignature},
		"usage after signing":   {after: func(v *channel.Voucher) { v.UsageHash[0]++ }, want: types.ErrSignature},
		"number after signing":  {after: func(v *channel.Voucher) { v.Seq++ }, want: types.ErrSignature},
		"signature of the best": {after: func(v *channel.Voucher) { v.Sig = payee.Best.Sig }, want: types.ErrSignature},
	} {
		v := base
		if c.change != nil {
			c.change(&v)
		}
		if c.signer.IsZero() {
			c.signer = alice
		}
		if c.ledger.IsZero() {
			c.ledger = ledger
		}
		v = v.Sign(c.signer, c.ledger)
		if c.after != nil {
			c.after(&v)
		}
		next, err := payee.Accept(v)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && next.Best != v || c.want != nil && next != payee {
			t.Errorf("%s: best is %+v", name, next.Best)
		}
	}
	if again, err := payee.Accept(payee.Best); err != nil || again != payee {
		t.Errorf("the best voucher once more: %v", err)
	}
}

// A restarted payer learns its newest voucher from the payee (PROTOCOL.md 1.11).
func TestAdopt(t *testing.T) {
	payer, _ := ends(t)
	lost, v, err := payer.Sign(alice, 600, types.Hash{6}, noLimit)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := payer.Adopt(v); err != nil || got != lost {
		t.Errorf("its own voucher: %+v, %v", got, err)
	}
	if got, err := lost.Adopt(payer.Best); err == nil || got != lost {
		t.Errorf("an older one: %+v, %v", got, err)
	}
	forged := channel.Voucher{Channel: v.Channel, Seq: 3, Amount: 700}.Sign(bob, ledger)
	if got, err := lost.Adopt(forged); !errors.Is(err, types.ErrSignature) || got != lost {
		t.Errorf("a forged one: %+v, %v", got, err)
	}
}

// A top-up counts once proven, and nothing is ever taken back (PROTOCOL.md 3.4).
func TestRenew(t *testing.T) {
	payer, payee := ends(t)
	for name, c := range map[string]struct {
		change func(*channel.Proven)
		want   error
	}{
		"same":           {func(p *channel.Proven) {}, nil},
		"more, later":    {func(p *channel.Proven) { p.Deposit, p.Expiry = 2000, 6000 }, nil},
		"less":           {func(p *channel.Proven) { p.Deposit-- }, channel.ErrFalls},
		"earlier":        {func(p *channel.Proven) { p.Deposit, p.Expiry = 2000, 4999 }, channel.ErrFalls},
		"other id":       {func(p *channel.Proven) { p.ID[0]++ }, channel.ErrChannel},
		"other ledger":   {func(p *channel.Proven) { p.Ledger[0]++ }, channel.ErrChannel},
		"other payer":    {func(p *channel.Proven) { p.Payer = carol.Address() }, channel.ErrChannel},
		"other payee":    {func(p *channel.Proven) { p.Payee = carol.Address() }, channel.ErrChannel},
		"other contract": {func(p *channel.Proven) { p.Contract[0]++ }, channel.ErrChannel},
	} {
		proof := proven()
		c.change(&proof)
		want := proven()
		if c.want == nil {
			want = proof
		}
		a, err := payer.Renew(proof)
		if !errors.Is(err, c.want) || a.Proven != want || a.Best != payer.Best {
			t.Errorf("payer, %s: %v", name, err)
		}
		b, err := payee.Renew(proof)
		if !errors.Is(err, c.want) || b.Proven != want || b.Best != payee.Best {
			t.Errorf("payee, %s: %v", name, err)
		}
	}
	more := proven()
	more.Deposit = 2000
	payer, _ = payer.Renew(more)
	_, v, err := payer.Sign(alice, 1500, types.Hash{7}, noLimit)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := payee.Accept(v); !errors.Is(err, channel.ErrDeposit) {
		t.Errorf("before its proof: %v", err)
	}
	payee, _ = payee.Renew(more)
	if _, err := payee.Accept(v); err != nil {
		t.Errorf("after its proof: %v", err)
	}
}

// PROTOCOL.md 3.3.
func TestSettle(t *testing.T) {
	_, payee := ends(t)
	for _, c := range []struct {
		claim   types.Amount
		voucher bool
		want    error
	}{{400, true, nil}, {399, true, nil}, {1, true, nil}, {0, false, nil}, {401, false, channel.ErrClaim}, {math.MaxUint64, false, channel.ErrClaim}} {
		v, err := payee.Settle(c.claim)
		if !errors.Is(err, c.want) || (v != nil) != c.voucher || v != nil && *v != payee.Best {
			t.Errorf("claim %d: %v, %v", c.claim, v, err)
		}
	}
	if v, err := (channel.Payee{Proven: proven()}).Settle(0); err != nil || v != nil {
		t.Errorf("nothing of nothing: %v, %v", v, err)
	}
}

// PROTOCOL.md 3.4: deposit − bill ≥ 2E and more than two intervals to expiry − margin.
func TestWindDown(t *testing.T) {
	limits := channel.Limits{Exposure: 100, IntervalSeconds: 10, MarginSeconds: 600}
	for name, c := range map[string]struct {
		now    int64
		bill   types.Amount
		change func(*channel.Proven, *channel.Limits)
		want   error
	}{
		"plenty":                      {now: 1000, bill: 0},
		"just twice the exposure":     {now: 1000, bill: 800},
		"one less":                    {now: 1000, bill: 801, want: channel.ErrDeposit},
		"all billed":                  {now: 1000, bill: 1000, want: channel.ErrDeposit},
		"more billed than there is":   {now: 1000, bill: 1001, want: channel.ErrDeposit},
		"no exposure, all billed":     {now: 1000, bill: 1000, change: func(_ *channel.Proven, l *channel.Limits) { l.Exposure = 0 }},
		"more than two intervals":     {now: 4379},
		"two intervals":               {now: 4380, want: channel.ErrExpiry},
		"past expiry":                 {now: 9000, want: channel.ErrExpiry},
		"longer intervals":            {now: 4379, change: func(_ *channel.Proven, l *channel.Limits) { l.IntervalSeconds = 11 }, want: channel.ErrExpiry},
		"wider margin":                {now: 4379, change: func(_ *channel.Proven, l *channel.Limits) { l.MarginSeconds = 601 }, want: channel.ErrExpiry},
		"exposure beyond half of all": {now: 1000, change: func(_ *channel.Proven, l *channel.Limits) { l.Exposure = math.MaxUint64 }, want: channel.ErrDeposit},
	} {
		p, l := proven(), limits
		if c.change != nil {
			c.change(&p, &l)
		}
		if err := p.WindDown(c.now, c.bill, l); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// PROTOCOL.md 3.3: the payee closes by expiry − margin, and suspends when its
// newest header is older than margin/2.
func TestMargin(t *testing.T) {
	p := proven()
	for _, c := range []struct {
		now  int64
		want bool
	}{{4399, false}, {4400, true}, {5000, true}} {
		if got := p.CloseDue(c.now, 600); got != c.want {
			t.Errorf("close at %d: %t", c.now, got)
		}
	}
	for _, c := range []struct {
		now, header, margin int64
		want                bool
	}{{1300, 1000, 600, false}, {1301, 1000, 600, true}, {1000, 1000, 1, false}, {1001, 1000, 1, true}, {900, 1000, 600, false}} {
		if got := channel.HeaderStale(c.now, c.header, c.margin); got != c.want {
			t.Errorf("header of %d at %d, margin %d: %t", c.header, c.now, c.margin, got)
		}
	}
}

// What both ends persist reads back as it was.
func TestEndsPersist(t *testing.T) {
	payer, payee := ends(t)
	var a channel.Payer
	if err := types.Decode(types.Encode(payer), &a); err != nil || a != payer {
		t.Errorf("payer: %v %s", err, cmp.Diff(payer, a))
	}
	var b channel.Payee
	if err := types.Decode(types.Encode(payee), &b); err != nil || b != payee {
		t.Errorf("payee: %v %s", err, cmp.Diff(payee, b))
	}
}

// The vector is made by testdata/vectors.py of ledger/types, without this code.
func TestVoucherVector(t *testing.T) {
	data, err := os.ReadFile("../types/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Ledger  types.Hash
		Channel struct{ ID types.Hash }
		Voucher struct {
			Seq                         uint64
			Amount                      types.Amount
			Usage                       types.Hash
			Signed, Signature, Encoding string
		}
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	want := all.Voucher
	v := channel.Voucher{Channel: all.Channel.ID, Seq: want.Seq, Amount: want.Amount, UsageHash: want.Usage}
	if got := hex.EncodeToString(v.Signed()); got != want.Signed {
		t.Errorf("signed bytes %s, want %s", got, want.Signed)
	}
	sig, _ := hex.DecodeString(want.Signature)
	v.Sig = types.Signature(sig)
	if err := v.Verify(alice.Address(), all.Ledger); err != nil {
		t.Errorf("a signature by BIP-340's own signing: %v", err)
	}
	if got := hex.EncodeToString(types.Encode(v)); got != want.Encoding {
		t.Errorf("encoding %s, want %s", got, want.Encoding)
	}
}

// Whatever is lost, repeated, reordered or forgotten on the way, paid is
// monotone, at most the deposit, and never more than the payer signed (3.5).
func TestChannelUnderFaults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payer, payee := channel.Payer{Proven: proven()}, channel.Payee{Proven: proven()}
		onLedger := proven()
		stored := payer // what a crash of the payer leaves
		var wire []channel.Voucher
		highest := types.Amount(0)
		t.Repeat(map[string]func(*rapid.T){
			"sign": func(t *rapid.T) {
				amount := types.Amount(rapid.Uint64Range(0, 3000).Draw(t, "amount"))
				limit := types.Amount(rapid.Uint64Range(0, 3000).Draw(t, "limit"))
				next, v, err := payer.Sign(alice, amount, types.Hash{byte(len(wire))}, limit)
				if err == nil {
					if v.Amount > limit || v.Amount > payer.Proven.Deposit || v.Amount < payer.Best.Amount {
						t.Fatalf("signed %d over limit %d, deposit %d, best %d", v.Amount, limit, payer.Proven.Deposit, payer.Best.Amount)
					}
					payer, stored, wire, highest = next, next, append(wire, v), max(highest, v.Amount)
				}
			},
			"deliver": func(t *rapid.T) {
				if len(wire) == 0 {
					t.Skip("nothing on the wire")
				}
				v := wire[rapid.IntRange(0, len(wire)-1).Draw(t, "which")]
				next, err := payee.Accept(v)
				if err == nil && next.Best.Amount < payee.Best.Amount {
					t.Fatalf("paid falls from %d to %d", payee.Best.Amount, next.Best.Amount)
				}
				payee = next
			},
			"top up": func(t *rapid.T) {
				onLedger.Deposit += types.Amount(rapid.Uint64Range(0, 500).Draw(t, "more"))
				payer, _ = payer.Renew(onLedger)
				stored = payer
			},
			"prove": func(t *rapid.T) {
				next, err := payee.Renew(onLedger)
				if err != nil {
					t.Fatal(err)
				}
				payee = next
			},
			"payer crashes": func(t *rapid.T) { payer = stored },
			"resume": func(t *rapid.T) {
				if payee.Best.Seq > 0 {
					payer, _ = payer.Adopt(payee.Best)
				}
			},
			"": func(t *rapid.T) {
				if payee.Best.Amount > payee.Proven.Deposit || payee.Best.Amount > highest {
					t.Fatalf("paid %d of %d, signed %d", payee.Best.Amount, payee.Proven.Deposit, highest)
				}
				if v, err := payee.Settle(payee.Best.Amount); err != nil || v != nil && v.Verify(alice.Address(), ledger) != nil {
					t.Fatalf("the best voucher is not worth its amount: %v", err)
				}
			},
		})
	})
}
