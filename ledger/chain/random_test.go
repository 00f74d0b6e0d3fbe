package chain

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"pgregory.net/rapid"
)

// people take part in the random ledger; some begin without an account.
var people = []string{"alice", "bob", "carol", "d0", "d1", "d2", "d3", "new", "poor"}

// gambler makes random transactions, most of them nearly right.
type gambler struct {
	*world
	twin     *State // computes the same blocks over an overlay
	under    *Overlay
	channels []Channel // every one ever opened
	engine   map[string]bool
	keys     int // consensus keys ever made
}

func newGambler(t *rapid.T) *gambler {
	w := newWorld(t, func(g *Genesis) {
		g.Params.MinBalance = types.XEN
		g.Params.MaxAnnouncementSeconds, g.Params.ReceiptSeconds, g.Params.MaxReceiptSeconds = 20, 20, 20
		g.Params.MaxChannelSeconds = 30
		g.Params.TrustSeconds, g.Params.EvidenceSeconds, g.Params.UnbondSeconds = 10, 20, 30
	})
	w.SetVerifier(signed)
	g := &gambler{world: w, under: NewOverlay(NewMemKV()), engine: make(map[string]bool)}
	twin, err := Init(g.under, w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	g.twin = twin
	g.twin.SetVerifier(signed)
	g.told(t, w.Validators())
	return g
}

// signed stands in for curve arithmetic, which has its own tests: the first half
// of a signature is the address that makes it.
func signed(by types.Address, _ string, _ types.Hash, _ []byte, sig types.Signature) error {
	if types.Address(sig[:32]) != by {
		return types.ErrSignature
	}
	return nil
}

func sign(who string) (sig types.Signature) {
	a := addr(who)
	copy(sig[:], a[:])
	return sig
}

// told keeps the engine's set by the updates alone.
func (g *gambler) told(t *rapid.T, updates []ValidatorUpdate) {
	for _, u := range updates {
		key := string(u.ConsensusKey)
		if g.engine[key] == (u.Power > 0) {
			t.Fatalf("power %d for a key of which the engine has %t", u.Power, g.engine[key])
		}
		if g.engine[key] = u.Power > 0; u.Power == 0 {
			delete(g.engine, key)
		}
	}
	if len(g.engine) == 0 {
		t.Fatalf("the engine has no validators")
	}
}

func person() *rapid.Generator[string] { return rapid.SampledFrom(people) }

func (g *gambler) money(t *rapid.T, around types.Amount) types.Amount {
	return types.Amount(rapid.OneOf(
		rapid.Uint64Range(0, 50*uint64(types.XEN)),
		rapid.SampledFrom([]uint64{0, 1, uint64(around), uint64(around) + 1, uint64(around) - 1, uint64(g.Params().MinBalance), math.MaxUint64, math.MaxInt64}),
	).Draw(t, "amount"))
}

func (g *gambler) time(t *rapid.T) int64 {
	return g.Time() + rapid.OneOf(rapid.Int64Range(-2, 40), rapid.SampledFrom([]int64{math.MinInt64 / 2, math.MaxInt64 / 4})).Draw(t, "seconds from now")
}

func (g *gambler) anyChannel(t *rapid.T) (Channel, bool) {
	if len(g.channels) == 0 {
		return Channel{}, false
	}
	c := rapid.SampledFrom(g.channels).Draw(t, "channel")
	if now, open := g.Channel(c.ID); open {
		return now, true
	}
	return c, true
}

func nameOf(a types.Address) string {
	i := slices.IndexFunc(people, func(p string) bool { return addr(p) == a })
	return people[i]
}

// oneOf is mostly the right one.
func oneOf(t *rapid.T, right string) string {
	if rapid.IntRange(0, 5).Draw(t, "stranger") == 0 {
		return person().Draw(t, "who")
	}
	return right
}

func (g *gambler) payload(t *rapid.T) (string, Body) {
	who := person().Draw(t, "from")
	c, any := g.anyChannel(t)
	kind := rapid.SampledFrom(rules[:]).Draw(t, "kind").kind
	if !any && (kind == KindTopUp || kind == KindClose || kind == KindRefund || kind == KindReceipt) {
		kind = KindOpen
	}
	switch kind {
	case KindTransfer:
		return who, Body{Transfer: &Transfer{addr(person().Draw(t, "to")), g.money(t, g.spendable(g.Account(addr(who))))}}
	case KindOpen:
		return who, Body{Open: &Open{addr(person().Draw(t, "payee")), types.Hash{1}, g.money(t, 10), g.time(t)}}
	case KindTopUp:
		return oneOf(t, nameOf(c.Payer)), Body{TopUp: &TopUp{c.ID, g.money(t, 10), rapid.SampledFrom([]int64{0, c.Expiry, g.time(t)}).Draw(t, "expiry")}}
	case KindClose:
		claim := g.money(t, c.Deposit)
		v := &channel.Voucher{Channel: c.ID, Seq: 1, Amount: g.money(t, claim), Sig: sign(oneOf(t, nameOf(c.Payer)))}
		if rapid.Bool().Draw(t, "enough") {
			v.Amount = claim
		}
		if claim == 0 && rapid.Bool().Draw(t, "bare") {
			v = nil
		}
		return oneOf(t, nameOf(c.Payee)), Body{Close: &Close{c.ID, claim, v}}
	case KindRefund:
		return oneOf(t, nameOf(c.Payer)), Body{Refund: &Refund{c.ID}}
	case KindAnnounce:
		return who, Body{Announce: &Announce{make([]byte, rapid.IntRange(0, 3).Draw(t, "bytes")), rapid.Uint32Range(0, 21).Draw(t, "life")}}
	case KindWithdraw:
		if all := g.Announcements(); len(all) > 0 {
			a := rapid.SampledFrom(all).Draw(t, "announcement")
			return oneOf(t, nameOf(a.From)), Body{Withdraw: &Withdraw{a.ID}}
		}
		return who, Body{Withdraw: &Withdraw{}}
	case KindReceipt:
		return oneOf(t, nameOf(c.Payer)), Body{Receipt: &Receipt{c.ID, types.Hash{2}, VerdictOK, g.time(t)}}
	case KindRegister:
		g.keys++
		name := who + string(rune('A'+rapid.IntRange(g.keys-1, g.keys).Draw(t, "key")))
		return who, Body{Register: register(g.world, who, name)}
	case KindResign:
		return who, Body{Resign: &Resign{}}
	case KindUnjail:
		return who, Body{Unjail: &Unjail{}}
	default:
		names := rapid.SliceOfNDistinct(person(), 0, 4, rapid.ID[string]).Draw(t, "votes")
		return who, Body{Vote: &Vote{sorted(names...)}}
	}
}

// act applies one random transaction to both states, and holds the result
// against the rules that all kinds share.
func (g *gambler) act(t *rapid.T) {
	who, b := g.payload(t)
	b = g.body(who, b)
	switch rapid.IntRange(0, 15).Draw(t, "flaw") {
	case 0:
		b.Nonce++
	case 1:
		b.Fee /= 2
	}
	tx := Tx{Body: b, Sig: sign(oneOf(t, who))}
	valid := g.Validate(&tx)
	before, burned := g.Account(b.From), g.Supply().Burned
	r, again := g.Apply(&tx), g.twin.Apply(&tx)
	if r != again {
		t.Fatalf("%+v and %+v for one transaction", r, again)
	}
	after := g.Account(b.From)
	rule, _ := ruleOf(&b)
	switch {
	case (r.Code == CodeOK) != (valid == nil):
		t.Fatalf("%s: Validate says %v, Apply %+v", b.Kind(), valid, r)
	case r.Code == CodeRejected && (after != before || g.Supply().Burned != burned):
		t.Fatalf("a rejected %s makes %+v of %+v", b.Kind(), after, before)
	case r.Code == CodeFailed && (r.Fee == 0 || r.Fee > b.Fee || after.Nonce != before.Nonce+1 || before.Balance-after.Balance > r.Fee):
		t.Fatalf("a failed %s makes %+v of %+v with %+v", b.Kind(), after, before, r)
	case r.Code == CodeOK && !rule.free && (r.Fee > b.Fee || after.Nonce != before.Nonce+1):
		t.Fatalf("a good %s makes %+v of %+v with %+v", b.Kind(), after, before, r)
	}
	if least := g.Params().MinBalance; after.Balance < least && after.Balance < before.Balance {
		t.Fatalf("%s spends below the minimum: %d", b.Kind(), after.Balance)
	}
	if r.Code == CodeOK && b.Open != nil {
		c, ok := g.Channel(ChannelID(g.Ledger(), b.From, b.Nonce))
		if !ok {
			t.Fatalf("no channel after OPEN")
		}
		g.channels = append(g.channels, c)
	}
	g.check()
}

func (g *gambler) block(t *rapid.T) {
	info := BlockInfo{Height: g.Height() + 1, Time: g.Time() + rapid.Int64Range(0, 5).Draw(t, "seconds"),
		Proposer: validatorOf(rapid.SampledFrom([]string{"d0", "d1", "stranger"}).Draw(t, "producer"))}
	for _, s := range g.head.Set {
		switch rapid.IntRange(0, 30).Draw(t, "conduct") {
		case 0:
			info.DoubleSigned = append(info.DoubleSigned, ConsensusAddress(s.ConsensusKey))
		case 1, 2, 3, 4, 5, 6, 7, 8:
			info.Missed = append(info.Missed, ConsensusAddress(s.ConsensusKey))
		}
	}
	g.BeginBlock(info)
	g.twin.BeginBlock(info)
	g.check()
	for range rapid.IntRange(0, 6).Draw(t, "transactions") {
		g.act(t)
	}
	updates, again := g.EndBlock(), g.twin.EndBlock()
	if diff := cmp.Diff(updates, again); diff != "" {
		t.Fatalf("two nodes update the engine differently: %s", diff)
	}
	g.told(t, updates)
	g.check()
	g.under.Flush()
	if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
		g.reload()
		g.SetVerifier(signed)
	}
}

// Any transactions in any order leave a state that passes Check after every one,
// and two nodes, one of them restarted now and then, always agree (4.9).
func TestRandomLedger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGambler(t)
		blocks := rapid.IntRange(1, 25).Draw(t, "blocks")
		for range blocks {
			g.block(t)
		}
		if diff := cmp.Diff(dump(g.kv), dump(g.under)); diff != "" {
			t.Fatalf("two nodes disagree: %s", diff)
		}
	})
}
