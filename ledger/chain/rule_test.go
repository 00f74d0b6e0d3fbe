package chain

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/types"
)

// ruleCase is one valid transaction of a kind, and what each named mutation of
// it, or of the world before it, leads to.
type ruleCase struct {
	who    string
	given  func(w *world) Body // prepares the world, returns the valid payload
	mutate map[string]mutation
}

type mutation struct {
	who    string         // another signer
	world  func(w *world) // after given
	change func(w *world, b *Body)
	want   error  // nil: still valid
	code   uint32 // of Apply; CodeFailed where it is not said and want is set
}

// ruleCases cites PROTOCOL.md 3 and 4 by one valid base and one mutation a case.
var ruleCases = map[Kind]ruleCase{
	KindTransfer: {"alice", func(w *world) Body {
		return Body{Transfer: &Transfer{To: addr("bob"), Amount: 5 * types.XEN}}
	}, map[string]mutation{
		"to a new account":         {change: func(_ *world, b *Body) { b.Transfer.To = addr("new") }},
		"the least to a new one":   {change: func(w *world, b *Body) { b.Transfer.To, b.Transfer.Amount = addr("new"), w.Params().MinBalance }},
		"less to a new one":        {change: func(w *world, b *Body) { b.Transfer.To, b.Transfer.Amount = addr("new"), w.Params().MinBalance-1 }, want: ErrAmount},
		"less to an old one":       {change: func(w *world, b *Body) { b.Transfer.Amount = 1 }},
		"all that can be spent":    {change: func(w *world, b *Body) { b.Transfer.Amount = w.most("alice", *b) }},
		"one more":                 {change: func(w *world, b *Body) { b.Transfer.Amount = w.most("alice", *b) + 1 }, want: ErrBalance},
		"sum overflows":            {change: func(_ *world, b *Body) { b.Transfer.Amount = math.MaxUint64 }, want: ErrBalance},
		"sum with fee overflows":   {change: func(_ *world, b *Body) { b.Transfer.Amount = math.MaxUint64 - 20_000 }, want: ErrBalance},
		"nothing":                  {change: func(_ *world, b *Body) { b.Transfer.Amount = 0 }, want: ErrAmount, code: CodeRejected},
		"to oneself":               {change: func(_ *world, b *Body) { b.Transfer.To = b.From }, want: ErrTx, code: CodeRejected},
		"to where nobody can sign": {change: func(_ *world, b *Body) { b.Transfer.To = types.Address(bytes.Repeat([]byte{0xff}, 32)) }, want: types.ErrAddress, code: CodeRejected},
	}},
	KindOpen: {"alice", func(w *world) Body {
		return Body{Open: &Open{Payee: addr("bob"), Contract: types.Hash{7}, Deposit: 5 * types.XEN, Expiry: w.Time() + 3600}}
	}, map[string]mutation{
		"to a new account":         {change: func(_ *world, b *Body) { b.Open.Payee = addr("new") }},
		"all that can be spent":    {change: func(w *world, b *Body) { b.Open.Deposit = w.most("alice", *b) }},
		"one more":                 {change: func(w *world, b *Body) { b.Open.Deposit = w.most("alice", *b) + 1 }, want: ErrBalance},
		"sum overflows":            {change: func(_ *world, b *Body) { b.Open.Deposit = math.MaxUint64 }, want: ErrBalance},
		"longest":                  {change: func(w *world, b *Body) { b.Open.Expiry = w.Time() + w.Params().MaxChannelSeconds }},
		"longer":                   {change: func(w *world, b *Body) { b.Open.Expiry = w.Time() + w.Params().MaxChannelSeconds + 1 }, want: ErrTime},
		"shortest":                 {change: func(w *world, b *Body) { b.Open.Expiry = w.Time() + 1 }},
		"expired":                  {change: func(w *world, b *Body) { b.Open.Expiry = w.Time() }, want: ErrTime},
		"expired long ago":         {change: func(_ *world, b *Body) { b.Open.Expiry = math.MinInt64 }, want: ErrTime},
		"for ever":                 {change: func(_ *world, b *Body) { b.Open.Expiry = math.MaxInt64 }, want: ErrBalance, code: CodeRejected},
		"without a deposit":        {change: func(_ *world, b *Body) { b.Open.Deposit = 0 }, want: ErrAmount, code: CodeRejected},
		"to oneself":               {change: func(_ *world, b *Body) { b.Open.Payee = b.From }, want: ErrTx, code: CodeRejected},
		"to where nobody can sign": {change: func(_ *world, b *Body) { b.Open.Payee = types.Address{} }, want: types.ErrAddress, code: CodeRejected},
		"fee without the prepaid":  {change: func(w *world, b *Body) { b.Fee -= CloseFee(w.Params()) }, want: ErrFee, code: CodeRejected},
	}},
	KindTopUp: {"alice", func(w *world) Body {
		return Body{TopUp: &TopUp{Channel: w.open().ID, Amount: types.XEN, Expiry: w.Time() + 7200}}
	}, map[string]mutation{
		"amount only": {change: func(_ *world, b *Body) { b.TopUp.Expiry = 0 }},
		"expiry only": {change: func(_ *world, b *Body) { b.TopUp.Amount = 0 }},
		"same expiry": {change: func(w *world, b *Body) { c, _ := w.Channel(b.TopUp.Channel); b.TopUp.Expiry = c.Expiry }},
		"one second later": {change: func(w *world, b *Body) {
			c, _ := w.Channel(b.TopUp.Channel)
			b.TopUp.Amount, b.TopUp.Expiry = 0, c.Expiry+1
		}},
		"one more":      {change: func(w *world, b *Body) { b.TopUp.Amount = w.most("alice", *b) + 1 }, want: ErrBalance},
		"sum overflows": {change: func(_ *world, b *Body) { b.TopUp.Amount = math.MaxUint64 }, want: ErrBalance},
		"nothing":       {change: func(_ *world, b *Body) { b.TopUp.Amount, b.TopUp.Expiry = 0, 0 }, want: ErrAmount, code: CodeRejected},
		"nothing new": {change: func(w *world, b *Body) {
			c, _ := w.Channel(b.TopUp.Channel)
			b.TopUp.Amount, b.TopUp.Expiry = 0, c.Expiry
		}, want: ErrTime},
		"earlier expiry":     {change: func(w *world, b *Body) { c, _ := w.Channel(b.TopUp.Channel); b.TopUp.Expiry = c.Expiry - 1 }, want: ErrTime},
		"negative expiry":    {change: func(_ *world, b *Body) { b.TopUp.Expiry = -1 }, want: ErrTime},
		"too late an expiry": {change: func(w *world, b *Body) { b.TopUp.Expiry = w.Time() + w.Params().MaxChannelSeconds + 1 }, want: ErrTime},
		"unknown channel":    {change: func(_ *world, b *Body) { b.TopUp.Channel[0]++ }, want: ErrNotFound},
		"by the payee":       {who: "bob", want: ErrOwner},
		"by a third":         {who: "carol", want: ErrOwner},
	}},
	KindClose: {"bob", func(w *world) Body {
		c := w.open()
		return Body{Close: &Close{Channel: c.ID, Claim: 30 * types.XEN, Voucher: w.voucher(c, 30*types.XEN)}}
	}, map[string]mutation{
		"less than the voucher":   {change: func(_ *world, b *Body) { b.Close.Claim-- }},
		"nothing, no voucher":     {change: func(_ *world, b *Body) { b.Close.Claim, b.Close.Voucher = 0, nil }},
		"nothing, with a voucher": {change: func(_ *world, b *Body) { b.Close.Claim = 0 }},
		"after expiry":            {world: func(w *world) { w.begin(4000); w.end() }},
		"whole deposit":           {change: func(w *world, b *Body) { w.reclaim(b, 100*types.XEN, 100*types.XEN) }},
		"voucher over deposit":    {change: func(w *world, b *Body) { w.reclaim(b, 100*types.XEN, 500*types.XEN) }},
		"claim over deposit":      {change: func(w *world, b *Body) { w.reclaim(b, 100*types.XEN+1, 500*types.XEN) }, want: ErrClaim, code: CodeRejected},
		"claim over voucher":      {change: func(_ *world, b *Body) { b.Close.Claim++ }, want: ErrClaim, code: CodeRejected},
		"claim without voucher":   {change: func(_ *world, b *Body) { b.Close.Voucher = nil }, want: ErrClaim, code: CodeRejected},
		"voucher raised":          {change: func(_ *world, b *Body) { b.Close.Voucher.Amount++; b.Close.Claim++ }, want: types.ErrSignature, code: CodeRejected},
		"voucher not signed":      {change: func(_ *world, b *Body) { b.Close.Voucher.Sig = types.Signature{} }, want: types.ErrSignature, code: CodeRejected},
		"voucher by the payee":    {change: func(w *world, b *Body) { v := b.Close.Voucher.Sign(newKey("bob"), w.Ledger()); b.Close.Voucher = &v }, want: types.ErrSignature, code: CodeRejected},
		"voucher of elsewhere": {change: func(_ *world, b *Body) {
			v := b.Close.Voucher.Sign(newKey("alice"), types.Hash{9})
			b.Close.Voucher = &v
		}, want: types.ErrSignature, code: CodeRejected},
		"voucher of another":   {change: func(w *world, b *Body) { b.Close.Channel = w.open().ID }, want: ErrTx, code: CodeRejected},
		"nothing, bad voucher": {change: func(_ *world, b *Body) { b.Close.Claim = 0; b.Close.Voucher.Seq++ }, want: types.ErrSignature, code: CodeRejected},
		"unknown channel":      {change: func(_ *world, b *Body) { b.Close.Channel[0]++; b.Close.Claim, b.Close.Voucher = 0, nil }, want: ErrNotFound, code: CodeRejected},
		"closed already":       {world: func(w *world) { w.do("bob", Body{Close: &Close{Channel: w.only().ID}}) }, want: ErrNotFound, code: CodeRejected},
		"by the payer":         {who: "alice", want: ErrOwner, code: CodeRejected},
		"by a third":           {who: "carol", want: ErrOwner, code: CodeRejected},
		"with a nonce":         {change: func(_ *world, b *Body) { b.Nonce = 1 }, want: ErrTx, code: CodeRejected},
		"with a fee":           {change: func(_ *world, b *Body) { b.Fee = 1 }, want: ErrTx, code: CodeRejected},
	}},
	KindRefund: {"alice", func(w *world) Body {
		c := w.open()
		w.begin(c.Expiry - w.Time()) // this header has the expiry's time
		w.end()
		w.pass(2) // and the next block finds it RefundDepth = 3 blocks back
		return Body{Refund: &Refund{Channel: c.ID}}
	}, map[string]mutation{
		"later":          {world: func(w *world) { w.pass(10) }},
		"topped up":      {world: func(w *world) { w.do("alice", Body{TopUp: &TopUp{Channel: w.only().ID, Expiry: w.Time() + 100}}) }, want: ErrTime, code: CodeRejected},
		"unknown":        {change: func(_ *world, b *Body) { b.Refund.Channel[0]++ }, want: ErrNotFound, code: CodeRejected},
		"closed already": {world: func(w *world) { w.do("bob", Body{Close: &Close{Channel: w.only().ID}}) }, want: ErrNotFound, code: CodeRejected},
		"by the payee":   {who: "bob", want: ErrOwner, code: CodeRejected},
		"by a third":     {who: "carol", want: ErrOwner, code: CodeRejected},
		"with a nonce":   {change: func(_ *world, b *Body) { b.Nonce = 1 }, want: ErrTx, code: CodeRejected},
	}},
	KindAnnounce: {"alice", func(w *world) Body {
		return Body{Announce: &Announce{Body: []byte("wanted: a machine"), LifetimeSeconds: 60}}
	}, map[string]mutation{
		"longest":                 {change: func(w *world, b *Body) { b.Announce.Body = make([]byte, w.Params().MaxAnnouncement) }},
		"too long":                {change: func(w *world, b *Body) { b.Announce.Body = make([]byte, w.Params().MaxAnnouncement+1) }, want: ErrLimit, code: CodeRejected},
		"empty":                   {change: func(_ *world, b *Body) { b.Announce.Body = nil }, want: ErrLimit, code: CodeRejected},
		"longest life":            {change: func(w *world, b *Body) { b.Announce.LifetimeSeconds = w.Params().MaxAnnouncementSeconds }},
		"too long a life":         {change: func(w *world, b *Body) { b.Announce.LifetimeSeconds = w.Params().MaxAnnouncementSeconds + 1 }, want: ErrTime, code: CodeRejected},
		"no life":                 {change: func(_ *world, b *Body) { b.Announce.LifetimeSeconds = 0 }, want: ErrTime, code: CodeRejected},
		"the third of an account": {world: func(w *world) { w.announce(2) }},
		"the fourth":              {world: func(w *world) { w.announce(3) }, want: ErrLimit},
		"after one expired":       {world: func(w *world) { w.announce(3); w.begin(60); w.end() }},
		"after a withdrawal":      {world: func(w *world) { w.announce(3); w.do("alice", Body{Withdraw: &Withdraw{w.Announcements()[0].ID}}) }},
		"another account's":       {world: func(w *world) { w.announce(3) }, who: "bob"},
	}},
	KindWithdraw: {"alice", func(w *world) Body {
		w.announce(1)
		return Body{Withdraw: &Withdraw{Announcement: w.Announcements()[0].ID}}
	}, map[string]mutation{
		"another's": {who: "bob", want: ErrOwner},
		"unknown":   {change: func(_ *world, b *Body) { b.Withdraw.Announcement[0]++ }, want: ErrNotFound},
		"expired":   {world: func(w *world) { w.begin(60); w.end() }, want: ErrNotFound},
	}},
	KindReceipt: {"alice", func(w *world) Body {
		c := w.open()
		w.do("bob", Body{Close: &Close{Channel: c.ID, Claim: 1, Voucher: w.voucher(c, 1)}})
		return Body{Receipt: &Receipt{Channel: c.ID, Lease: types.Hash{8}, Verdict: VerdictOK, Expiry: w.Time() + 3600}}
	}, map[string]mutation{
		"lost":             {change: func(_ *world, b *Body) { b.Receipt.Verdict = VerdictLost }},
		"dispute":          {change: func(_ *world, b *Body) { b.Receipt.Verdict = VerdictDispute }},
		"mismatch":         {change: func(_ *world, b *Body) { b.Receipt.Verdict = VerdictMismatch }},
		"no verdict":       {change: func(_ *world, b *Body) { b.Receipt.Verdict = "" }, want: ErrTx, code: CodeRejected},
		"own verdict":      {change: func(_ *world, b *Body) { b.Receipt.Verdict = "fine" }, want: ErrTx, code: CodeRejected},
		"longest":          {change: func(w *world, b *Body) { b.Receipt.Expiry = w.Time() + w.Params().MaxReceiptSeconds }},
		"longer":           {change: func(w *world, b *Body) { b.Receipt.Expiry = w.Time() + w.Params().MaxReceiptSeconds + 1 }, want: ErrTime},
		"expired":          {change: func(w *world, b *Body) { b.Receipt.Expiry = w.Time() }, want: ErrTime},
		"by the payee":     {who: "bob", want: ErrOwner},
		"by a third":       {who: "carol", want: ErrOwner},
		"a second time":    {world: func(w *world) { w.receipt(w.Time() + 3600) }, want: ErrNotFound},
		"after it expired": {world: func(w *world) { w.receipt(w.Time() + 10); w.begin(10); w.end() }, want: ErrNotFound},
		"too late": {world: func(w *world) { w.begin(w.Params().ReceiptSeconds); w.end() },
			change: func(w *world, b *Body) { b.Receipt.Expiry = w.Time() + 1 }, want: ErrNotFound},
		"open channel": {change: func(w *world, b *Body) { b.Receipt.Channel = w.open().ID }, want: ErrNotFound},
	}},
	KindRegister: {"alice", func(w *world) Body {
		return Body{Register: register(w, "alice", "k")}
	}, map[string]mutation{
		"without a name":      {change: func(_ *world, b *Body) { b.Register.Name = "" }},
		"longest name":        {change: func(_ *world, b *Body) { b.Register.Name = strings.Repeat("x", MaxName) }},
		"longer name":         {change: func(_ *world, b *Body) { b.Register.Name = strings.Repeat("x", MaxName+1) }, want: ErrLimit, code: CodeRejected},
		"name with a control": {change: func(_ *world, b *Body) { b.Register.Name = "a\x1b[31m" }, want: ErrLimit, code: CodeRejected},
		"short key":           {change: func(_ *world, b *Body) { b.Register.ConsensusKey = b.Register.ConsensusKey[1:] }, want: ErrTx, code: CodeRejected},
		"no signature":        {change: func(_ *world, b *Body) { b.Register.ConsensusSig = nil }, want: ErrTx, code: CodeRejected},
		"another's signature": {change: func(w *world, b *Body) { b.Register.ConsensusSig = register(w, "bob", "k").ConsensusSig }, want: types.ErrSignature},
		"for another ledger": {change: func(_ *world, b *Body) {
			b.Register.ConsensusSig = ed25519.Sign(consensus("k"), RegisterMessage(types.Hash{9}, b.From))
		}, want: types.ErrSignature},
		"key of a delegate": {change: func(w *world, b *Body) { b.Register = register(w, "alice", "d0") }, want: ErrDelegate},
		"twice":             {world: func(w *world) { w.do("alice", Body{Register: register(w, "alice", "j")}) }, want: ErrDelegate},
		"after it resigned": {world: func(w *world) {
			w.do("alice", Body{Register: register(w, "alice", "j")})
			w.do("alice", Body{Resign: &Resign{}})
			w.pass(2) // it never sat: the bond is back at once
		}},
		"with the old key": {world: func(w *world) {
			w.do("alice", Body{Register: register(w, "alice", "k")})
			w.do("alice", Body{Resign: &Resign{}})
			w.pass(2)
		}, want: ErrDelegate},
		"just the bond":  {world: func(w *world) { w.impoverish("alice", Body{Register: register(w, "alice", "k")}, 0) }},
		"less than that": {world: func(w *world) { w.impoverish("alice", Body{Register: register(w, "alice", "k")}, 1) }, want: ErrBalance},
	}},
	KindResign: {"d1", func(w *world) Body { return Body{Resign: &Resign{}} }, map[string]mutation{
		"no delegate": {who: "alice", want: ErrNotFound},
		"twice":       {world: func(w *world) { w.do("d1", Body{Resign: &Resign{}}) }, want: ErrDelegate},
		"banned":      {world: func(w *world) { w.pass(1, convict("d1")) }, want: ErrDelegate},
		"jailed":      {world: func(w *world) { w.pass(3, absent("d1")) }},
	}},
	KindUnjail: {"d1", func(w *world) Body {
		w.pass(3, absent("d1")) // jailed in round 0, for JailRounds = 2 rounds of 5 blocks
		w.pass(7)
		return Body{Unjail: &Unjail{}}
	}, map[string]mutation{
		"later":       {world: func(w *world) { w.pass(20) }},
		"no delegate": {who: "alice", want: ErrNotFound},
		"not jailed":  {who: "d2", want: ErrDelegate},
		"twice":       {world: func(w *world) { w.do("d1", Body{Unjail: &Unjail{}}) }, want: ErrDelegate},
		"banned":      {world: func(w *world) { w.pass(1, convict("d1")) }, want: ErrDelegate},
	}},
	KindVote: {"alice", func(w *world) Body { return Body{Vote: &Vote{sorted("d0", "d1")}} }, map[string]mutation{
		"as many as seats": {change: func(_ *world, b *Body) { b.Vote.Delegates = sorted(fourDelegates...) }},
		"for none":         {change: func(_ *world, b *Body) { b.Vote.Delegates = nil }},
		"once more":        {world: func(w *world) { w.do("alice", Body{Vote: &Vote{sorted("d2")}}) }},
		"one too many": {world: func(w *world) { w.do("bob", Body{Register: register(w, "bob", "k")}) },
			change: func(_ *world, b *Body) { b.Vote.Delegates = sorted("d0", "d1", "d2", "d3", "bob") }, want: ErrLimit, code: CodeRejected},
		"twice for one":   {change: func(_ *world, b *Body) { b.Vote.Delegates = sorted("d0", "d0") }, want: ErrTx, code: CodeRejected},
		"not sorted":      {change: func(_ *world, b *Body) { slices.Reverse(b.Vote.Delegates) }, want: ErrTx, code: CodeRejected},
		"for no delegate": {change: func(_ *world, b *Body) { b.Vote.Delegates = sorted("bob") }, want: ErrNotFound},
	}},
}

// most is all that a person can spend beside the fees of the transaction.
func (w *world) most(who string, b Body) types.Amount {
	return w.spendable(w.Account(addr(who))) - FeeOf(w.Params(), b, w.Time())
}

func (w *world) reclaim(b *Body, claim, voucher types.Amount) {
	b.Close.Claim, b.Close.Voucher = claim, w.voucher(w.only(), voucher)
}

// only is the one open channel.
func (w *world) only() Channel { return list[Channel](w.State, prefixChannel)[0] }

func (w *world) announce(count int) {
	for range count {
		w.do("alice", Body{Announce: &Announce{Body: []byte("wanted"), LifetimeSeconds: 60}})
	}
}

func (w *world) receipt(expiry int64) {
	left := list[Settlement](w.State, prefixSettlement)[0]
	w.do("alice", Body{Receipt: &Receipt{Channel: left.Channel, Verdict: VerdictOK, Expiry: expiry}})
}

// impoverish leaves a person just what a transaction takes, less some nXEN.
func (w *world) impoverish(who string, b Body, less types.Amount) {
	r, _ := ruleOf(&b)
	b = w.body(who, b)
	away := Body{Transfer: &Transfer{To: addr("carol")}}
	away.Transfer.Amount = math.MaxUint64 / 2 // as long as the amount that follows
	rest := FeeOf(w.Params(), b, w.Time()) + r.cost(&b, w.Params()) - less
	away.Transfer.Amount = w.most(who, away) - rest
	w.do(who, away)
}

func absent(names ...string) func(*BlockInfo) {
	return func(info *BlockInfo) {
		for _, n := range names {
			info.Missed = append(info.Missed, validatorOf(n))
		}
	}
}

func convict(names ...string) func(*BlockInfo) {
	return func(info *BlockInfo) {
		for _, n := range names {
			info.DoubleSigned = append(info.DoubleSigned, validatorOf(n))
		}
	}
}

func TestRules(t *testing.T) {
	if len(ruleCases) != len(rules) {
		t.Errorf("%d kinds have cases, of %d", len(ruleCases), len(rules))
	}
	for kind, c := range ruleCases {
		c.mutate["as it is"] = mutation{}
		for name, m := range c.mutate {
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				b := c.given(w)
				if m.world != nil {
					m.world(w)
				}
				who := c.who
				if m.who != "" {
					who = m.who
				}
				w.begin(0)
				b = w.body(who, b)
				if m.change != nil {
					m.change(w, &b)
					if r, err := ruleOf(&b); err == nil && !r.free && !errors.Is(m.want, ErrFee) {
						b.Nonce, b.Fee = w.Account(b.From).Nonce, FeeOf(w.Params(), b, w.Time())
					}
				}
				if b.Kind() != kind {
					t.Fatalf("a %s among those of %s", b.Kind(), kind)
				}
				w.expect(b.Sign(newKey(who), w.Ledger()), m.want, m.code)
			})
		}
	}
}

// expect applies a transaction and holds its effect against what became of it.
func (w *world) expect(tx Tx, want error, code uint32) {
	w.t.Helper()
	if want != nil && code == CodeOK {
		code = CodeFailed
	}
	if err := w.Validate(&tx); !errors.Is(err, want) {
		w.t.Fatalf("%v, want %v", err, want)
	}
	before, supply := dump(w.kv), w.Supply()
	payer, producer := w.Account(tx.Body.From), w.Account(addr("d0"))
	r := w.Apply(&tx)
	if r.Code != code || (r.Log == "") != (code == CodeOK) {
		w.t.Fatalf("%+v, want code %d", r, code)
	}
	w.check()
	switch rule, _ := ruleOf(&tx.Body); {
	case code == CodeOK && !rule.free:
		if got := w.Account(tx.Body.From); got.Nonce != payer.Nonce+1 || r.Fee == 0 {
			w.t.Fatalf("nonce %d after %d, fee %d", got.Nonce, payer.Nonce, r.Fee)
		}
	case code == CodeRejected:
		if r.Fee != 0 || w.Supply() != supply {
			w.t.Fatalf("a rejected transaction moves money: %+v", r)
		}
		if diff := cmp.Diff(before, dump(w.kv)); diff != "" {
			w.t.Fatalf("a rejected transaction changes the state: %s", diff)
		}
	case code == CodeFailed:
		w.expectOnlyFee(tx, r, before, payer, producer)
	}
	w.end()
	w.reload()
}

// PROTOCOL.md 4.3: a failed transaction pays its fee and uses its nonce, nothing else.
func (w *world) expectOnlyFee(tx Tx, r Result, before map[string]string, payer, producer Account) {
	w.t.Helper()
	share := r.Fee / 10 // of the first blocks
	got := w.Account(tx.Body.From)
	paid := payer.Balance - got.Balance
	if tx.Body.From == addr("d0") {
		paid += share
	} else if earned := w.Account(addr("d0")).Balance - producer.Balance; earned != share {
		w.t.Fatalf("the producer gets %d of %d", earned, r.Fee)
	}
	if paid != r.Fee || r.Fee == 0 || got.Nonce != payer.Nonce+1 || got.Announcements != payer.Announcements {
		w.t.Fatalf("%+v becomes %+v for a fee of %d", payer, got, r.Fee)
	}
	after := dump(w.kv)
	for _, a := range []types.Address{tx.Body.From, addr("d0")} {
		delete(before, string(AccountKey(a)))
		delete(after, string(AccountKey(a)))
	}
	if diff := cmp.Diff(before, after); diff != "" {
		w.t.Fatalf("a failed transaction changes more than two accounts: %s", diff)
	}
}
