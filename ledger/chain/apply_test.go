package chain

import (
	"errors"
	"math"
	"testing"

	"github.com/zennet/zennet/ledger/types"
)

// What every kind has in common: one valid transaction of each, one flaw a case
// (PROTOCOL.md 4.2, 4.6).
func TestAdmission(t *testing.T) {
	for kind, c := range ruleCases {
		for name, flaw := range map[string]struct {
			change func(w *world, b *Body)
			sign   func(w *world, b Body) Tx
			want   error
			paying bool // only for kinds that pay a fee
		}{
			"nonce used":        {change: func(w *world, b *Body) { b.Nonce-- }, want: ErrNonce, paying: true},
			"nonce too high":    {change: func(w *world, b *Body) { b.Nonce++ }, want: ErrNonce, paying: true},
			"fee too low":       {change: func(w *world, b *Body) { b.Fee-- }, want: ErrFee, paying: true},
			"no fee":            {change: func(w *world, b *Body) { b.Fee = 0 }, want: ErrFee, paying: true},
			"two payloads":      {change: func(w *world, b *Body) { *b = twoPayloads(*b) }, want: ErrTx},
			"no payload":        {change: func(w *world, b *Body) { *b = Body{From: b.From, Nonce: b.Nonce, Fee: b.Fee} }, want: ErrTx},
			"not signed":        {sign: func(w *world, b Body) Tx { return Tx{Body: b} }, want: types.ErrSignature},
			"signed by a third": {sign: func(w *world, b Body) Tx { return b.Sign(newKey("carol"), w.Ledger()) }, want: types.ErrSignature},
			"another ledger's":  {sign: func(w *world, b Body) Tx { return b.Sign(newKey(c.who), types.Hash{9}) }, want: types.ErrSignature},
			"another message's": {sign: func(w *world, b Body) Tx {
				return Tx{Body: b, Sig: newKey(c.who).Sign("voucher", w.Ledger(), types.Encode(b))}
			}, want: types.ErrSignature},
		} {
			rule, _ := ruleOf(&Body{})
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				payload := c.given(w)
				if rule, _ = ruleOf(&payload); rule.free && flaw.paying {
					return
				}
				if w.Account(addr(c.who)).Nonce == 0 && !rule.free { // so that there is a lower nonce
					w.do(c.who, Body{Transfer: &Transfer{To: addr("carol"), Amount: 1}})
				}
				w.begin(0)
				b := w.body(c.who, payload)
				if flaw.change != nil {
					flaw.change(w, &b)
				}
				tx := b.Sign(newKey(c.who), w.Ledger())
				if flaw.sign != nil {
					tx = flaw.sign(w, b)
				}
				w.expect(tx, flaw.want, CodeRejected)
			})
		}
	}
}

func twoPayloads(b Body) Body {
	if b.Resign == nil {
		b.Resign = &Resign{}
	} else {
		b.Unjail = &Unjail{}
	}
	return b
}

func TestFeeNeedsSpendableBalance(t *testing.T) {
	for name, c := range map[string]struct {
		spare types.Amount
		want  error
		code  uint32
	}{"just the fee": {0, ErrNotFound, CodeFailed}, "one less": {1, ErrBalance, CodeRejected}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			// A resignation of one who is no delegate fails, and pays its fee.
			b := w.body("alice", Body{Resign: &Resign{}})
			away := Body{Transfer: &Transfer{To: addr("bob"), Amount: 900 * types.XEN}}
			away.Transfer.Amount = w.most("alice", away) - b.Fee + c.spare
			w.do("alice", away)
			w.begin(0)
			b.Nonce++
			w.expect(b.Sign(newKey("alice"), w.Ledger()), c.want, c.code)
			if got := w.Account(addr("alice")).Balance; c.code == CodeFailed && got != w.Params().MinBalance {
				t.Errorf("%d is left of an account whose minimum is %d", got, w.Params().MinBalance)
			}
		})
	}
}

// The offered fee is a limit; the exact fee is charged, and shared (4.6).
func TestExactFee(t *testing.T) {
	w := newWorld(t)
	alice, producer := w.Account(addr("alice")), w.Account(addr("d0"))
	b := w.body("alice", Body{Transfer: &Transfer{To: addr("bob"), Amount: 77}})
	due := b.Fee
	b.Fee = math.MaxUint64
	w.begin(1)
	w.expect(b.Sign(newKey("alice"), w.Ledger()), nil, CodeOK)
	if got := w.Account(addr("alice")).Balance; got != alice.Balance-due-77 {
		t.Errorf("alice has %d, want %d − %d − 77", got, alice.Balance, due)
	}
	if got := w.Account(addr("d0")).Balance; got != producer.Balance+due*10/100 {
		t.Errorf("the producer has %d, want %d and a tenth of %d", got, producer.Balance, due)
	}
	if got := w.Supply().Burned; got != due-due*10/100 {
		t.Errorf("%d burned of %d", got, due)
	}
}

func TestUnknownProducerGetsNothing(t *testing.T) {
	for name, proposer := range map[string][]byte{"nobody": nil, "a stranger": validatorOf("stranger"), "no address": {1, 2}} {
		w := newWorld(t)
		w.begin(1, func(info *BlockInfo) { info.Proposer = proposer })
		r := w.do("alice", Body{Transfer: &Transfer{To: addr("bob"), Amount: 1}})
		if got := w.Supply().Burned; got != r.Fee {
			t.Errorf("%s: %d burned of %d", name, got, r.Fee)
		}
	}
}

func TestShareSchedule(t *testing.T) {
	p := DefaultParams()
	first := p.Shares[1].Height
	for _, c := range []struct {
		height int64
		want   uint64
	}{{0, 10}, {1, 10}, {first - 1, 10}, {first, 20}, {2 * first, 40}, {3 * first, 80}, {4*first - 1, 80}, {4 * first, 100}, {math.MaxInt64, 100}} {
		if got := p.ShareAt(c.height); got != c.want {
			t.Errorf("share at %d: %d, want %d", c.height, got, c.want)
		}
	}
	if got := (Params{}).ShareAt(5); got != 0 {
		t.Errorf("share of nothing: %d", got)
	}
	w := newWorld(t, func(g *Genesis) { g.Params.Shares = []Share{{0, 0}, {3, 33}, {5, 100}} })
	for height := int64(1); height <= 6; height++ {
		before := w.Account(addr("d0")).Balance
		r := w.do("alice", Body{Transfer: &Transfer{To: addr("bob"), Amount: 1}})
		want := r.Fee * types.Amount(w.Params().ShareAt(height)) / 100
		if got := w.Account(addr("d0")).Balance - before; got != want {
			t.Errorf("height %d: the producer gets %d of %d, want %d", height, got, r.Fee, want)
		}
	}
}

// The producer may be the one who signs: both sides of its fee count.
func TestProducerPaysItself(t *testing.T) {
	w := newWorld(t)
	before := w.Account(addr("d0")).Balance
	r := w.do("d0", Body{Transfer: &Transfer{To: addr("bob"), Amount: 1}})
	if got, want := w.Account(addr("d0")).Balance, before-1-r.Fee+r.Fee/10; got != want {
		t.Errorf("it has %d, want %d", got, want)
	}
}

func TestFeeOf(t *testing.T) {
	p := testGenesis().Params
	transfer := Body{From: addr("alice"), Transfer: &Transfer{To: addr("bob"), Amount: 5}}
	bytes := types.Amount(len(EncodeTx(Tx{Body: Body{From: transfer.From, Nonce: math.MaxUint64, Fee: math.MaxUint64, Transfer: transfer.Transfer}})))
	if got, want := FeeOf(p, transfer, 0), p.FeeBase+bytes*p.FeeByte; got != want {
		t.Errorf("transfer: %d, want %d", got, want)
	}
	changed := transfer
	changed.Nonce, changed.Fee = 1<<40, 1<<50
	if FeeOf(p, changed, 0) != FeeOf(p, transfer, 0) {
		t.Error("the fee depends on nonce or fee")
	}
	ann := Body{From: addr("alice"), Announce: &Announce{Body: []byte("x"), LifetimeSeconds: 1}}
	short := FeeOf(p, ann, 0)
	ann.Announce.LifetimeSeconds = 24 // as long in CBOR as the hour
	if longer := FeeOf(p, ann, 0); longer <= short {
		t.Errorf("%d for 24 seconds, %d for one", longer, short)
	}
	open := Body{From: addr("alice"), Open: &Open{Payee: addr("bob"), Deposit: 1, Expiry: 10_000}}
	late, early, past := FeeOf(p, open, 9_000), FeeOf(p, open, 1_000), FeeOf(p, open, 20_000)
	if early <= late || late <= past {
		t.Errorf("fees fall with a shorter life: %d, %d, %d", early, late, past)
	}
	if past <= CloseFee(p) {
		t.Errorf("OPEN costs %d, with the prepaid %d", past, CloseFee(p))
	}
	for name, b := range map[string]Body{
		"close": {Close: &Close{}}, "refund": {Refund: &Refund{}}, "nothing": {}, "two": {Close: &Close{}, Resign: &Resign{}},
	} {
		if got := FeeOf(p, b, 0); got != 0 {
			t.Errorf("%s costs %d", name, got)
		}
	}
	open.Open.Expiry = math.MaxInt64
	for _, now := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		if got := FeeOf(p, open, now); got < FeeOf(p, open, math.MaxInt64) {
			t.Errorf("at %d the fee wraps around to %d", now, got)
		}
	}
	p.FeeBase, p.FeeByte, p.FeeStore = 1<<40, 1<<40, 1<<40
	if got := FeeOf(p, open, 0); got != math.MaxUint64 {
		t.Errorf("a fee beyond 64 bits is %d", got)
	}
}

func TestStoreFeeRoundsUp(t *testing.T) {
	p := Params{FeeStore: 1}
	for _, c := range []struct {
		bytes   int
		seconds int64
		want    types.Amount
	}{{1, 1, 1}, {1, 3600, 1}, {1, 3601, 2}, {3600, 1, 1}, {100, 0, 0}, {100, -5, 0}, {1 << 16, math.MaxInt64, math.MaxUint64}, {1, math.MaxInt64, math.MaxInt64/3600 + 1}} {
		if got := storeFee(p, c.bytes, c.seconds); got != c.want {
			t.Errorf("%d bytes for %d s: %d, want %d", c.bytes, c.seconds, got, c.want)
		}
	}
	p.FeeStore = math.MaxUint64
	if got := storeFee(p, 3, 3600); got != math.MaxUint64 {
		t.Errorf("beyond 64 bits: %d", got)
	}
}

// The mempool keeps transactions that wait for others of their signer.
func TestCheckTx(t *testing.T) {
	w := newWorld(t)
	w.do("alice", Body{Transfer: &Transfer{To: addr("bob"), Amount: 1}})
	rich := Body{Transfer: &Transfer{To: addr("bob"), Amount: 999_999 * types.XEN}}
	for name, c := range map[string]struct {
		body  Body
		nonce uint64
		fee   types.Amount // less
		key   string
		want  error
	}{
		"next":                   {body: Body{Resign: &Resign{}}, nonce: 1, want: ErrNotFound}, // fails now: is told now
		"later, may fail":        {body: Body{Resign: &Resign{}}, nonce: 2},
		"next, too dear":         {body: rich, nonce: 1, want: ErrBalance},
		"later, too dear so far": {body: rich, nonce: 2},
		"last of the window":     {body: Body{Vote: &Vote{}}, nonce: 1 + NonceWindow},
		"beyond the window":      {body: Body{Vote: &Vote{}}, nonce: 2 + NonceWindow, want: ErrNonce},
		"far beyond":             {body: Body{Vote: &Vote{}}, nonce: math.MaxUint64, want: ErrNonce},
		"used":                   {body: Body{Vote: &Vote{}}, nonce: 0, want: ErrNonce},
		"later, forged":          {body: Body{Vote: &Vote{}}, nonce: 2, key: "bob", want: types.ErrSignature},
		"later, fee too low":     {body: Body{Vote: &Vote{}}, nonce: 2, fee: 1, want: ErrFee},
		"later, malformed":       {body: Body{Transfer: &Transfer{To: addr("bob")}}, nonce: 2, want: ErrAmount},
	} {
		b := w.body("alice", c.body)
		b.Nonce, b.Fee = c.nonce, b.Fee-c.fee
		key := "alice"
		if c.key != "" {
			key = c.key
		}
		tx := b.Sign(newKey(key), w.Ledger())
		before := dump(w.kv)
		if err := w.CheckTx(&tx); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if len(before) != len(dump(w.kv)) {
			t.Errorf("%s: the check writes", name)
		}
	}
	poor := w.body("nobody", Body{Vote: &Vote{}})
	poor.Nonce = 5
	tx := poor.Sign(newKey("nobody"), w.Ledger())
	if err := w.CheckTx(&tx); !errors.Is(err, ErrBalance) {
		t.Errorf("who cannot pay: %v", err)
	}
}

// A node may verify signatures elsewhere: every one goes through its verifier.
func TestVerifierSeesEverySignature(t *testing.T) {
	w := newWorld(t)
	c := w.open()
	var kinds []string
	w.SetVerifier(func(by types.Address, kind string, ledger types.Hash, body []byte, sig types.Signature) error {
		kinds = append(kinds, kind)
		return types.Verify(by, kind, ledger, body, sig)
	})
	w.begin(1)
	tx := w.tx("bob", Body{Close: &Close{Channel: c.ID, Claim: 1, Voucher: w.voucher(c, 1)}})
	if r := w.Apply(&tx); r.Code != CodeOK || len(kinds) != 2 || kinds[0] != "tx" || kinds[1] != "voucher" {
		t.Errorf("%+v, signatures %q", r, kinds)
	}
}
