package contract

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

func someTerms() protocol.Terms {
	return protocol.Terms{Rates: pricing.Rates{pricing.CPUUser: {NXEN: 1000, Per: 3600e9}}, MaxRate: 3_600_000, IntervalSeconds: 2, GraceSeconds: 4,
		TolerancePPM: 50_000, Deposit: 1_000_000, Expiry: 10_000}
}

// The sums of 1.9 and 1.13.
func TestExposureAndCap(t *testing.T) {
	terms := someTerms() // maxRate is 1000 nXEN a second
	if e := Exposure(terms); e != 6000 {
		t.Errorf("E = %d, want maxRate·(interval+grace) = 6000", e)
	}
	terms.Holdback = 500
	if e := Exposure(terms); e != 6500 {
		t.Errorf("E with holdback = %d, want 6500", e)
	}
	if c := Cap(terms, 10*second); c != 10_000 {
		t.Errorf("cap after 10 s = %d, want 10000", c)
	}
	if c := Cap(terms, -second); c != 0 {
		t.Errorf("cap before the channel = %d", c)
	}
	terms.IntervalSeconds = -2
	if e := Exposure(terms); e != 0 {
		t.Errorf("E of a prepaid lease = %d, want 0", e)
	}
	if c := Cap(terms, 10*second); c != 12_000 {
		t.Errorf("prepaid cap after 10 s = %d, want an interval more", c)
	}
	terms.MaxRate = ^types.Amount(0)
	if c := Cap(terms, 1<<62); c != ^types.Amount(0) {
		t.Errorf("a cap that overflows is %d", c)
	}
}

func TestProviderPolicy(t *testing.T) {
	asked := protocol.Capabilities{Rates: someTerms().Rates, MaxRate: someTerms().MaxRate}
	policy := ProviderPolicy{ReservePPM: 600_000, MinIntervalSeconds: 2, MaxIntervalSeconds: 60, MinGraceSeconds: 2, MaxGraceSeconds: 60,
		MaxHoldback: 10, MaxLeaseSeconds: 3600}
	const now, margin = 1000, 12
	base := someTerms()
	base.Expiry = now + 600
	fix := func(terms protocol.Terms, given int) protocol.Terms {
		return policy.acceptable(terms, asked, given, margin, now)
	}
	if !sameTerms(fix(base, 0), base) {
		t.Errorf("asked terms are not taken: %+v", fix(base, 0))
	}
	for name, c := range map[string]struct {
		change func(*protocol.Terms)
		given  int
		want   func(protocol.Terms) bool
	}{
		"cheaper":          {func(x *protocol.Terms) { x.Rates = rate(700) }, 0, func(x protocol.Terms) bool { return x.Rates[pricing.CPUUser].NXEN == 1000 }},
		"after a counter":  {func(x *protocol.Terms) { x.Rates = rate(700) }, 1, func(x protocol.Terms) bool { return x.Rates[pricing.CPUUser].NXEN == 900 }},
		"after four":       {func(x *protocol.Terms) { x.Rates = rate(500) }, 9, func(x protocol.Terms) bool { return x.Rates[pricing.CPUUser].NXEN == 600 }},
		"dearer":           {func(x *protocol.Terms) { x.Rates = rate(2000) }, 0, func(x protocol.Terms) bool { return x.Rates[pricing.CPUUser].NXEN == 2000 }},
		"a counter less":   {func(x *protocol.Terms) { x.Rates = pricing.Rates{} }, 0, func(x protocol.Terms) bool { return len(x.Rates) == 1 }},
		"a counter more":   {func(x *protocol.Terms) { x.Rates = rate(1000); x.Rates[pricing.NetRx] = pricing.Rate{NXEN: 1, Per: 1} }, 0, func(x protocol.Terms) bool { return len(x.Rates) == 1 }},
		"another unit":     {func(x *protocol.Terms) { x.Rates = pricing.Rates{pricing.CPUUser: {NXEN: 5000, Per: 7200e9}} }, 0, func(x protocol.Terms) bool { return x.Rates[pricing.CPUUser].Per == 3600e9 }},
		"lower maxRate":    {func(x *protocol.Terms) { x.MaxRate = 5 }, 0, func(x protocol.Terms) bool { return x.MaxRate == asked.MaxRate }},
		"long interval":    {func(x *protocol.Terms) { x.IntervalSeconds = 900 }, 0, func(x protocol.Terms) bool { return x.IntervalSeconds == 60 }},
		"short prepayment": {func(x *protocol.Terms) { x.IntervalSeconds = -1 }, 0, func(x protocol.Terms) bool { return x.IntervalSeconds == -2 }},
		"short grace":      {func(x *protocol.Terms) { x.GraceSeconds = 1 }, 0, func(x protocol.Terms) bool { return x.GraceSeconds == 2 }},
		"holdback":         {func(x *protocol.Terms) { x.Holdback = 11 }, 0, func(x protocol.Terms) bool { return x.Holdback == 10 }},
		"small deposit":    {func(x *protocol.Terms) { x.Deposit = 1 }, 0, func(x protocol.Terms) bool { return x.Deposit == 24_000 }},
		"expires soon":     {func(x *protocol.Terms) { x.Expiry = now + 20 }, 0, func(x protocol.Terms) bool { return x.Expiry == now+12+16+16 }},
		"expires late":     {func(x *protocol.Terms) { x.Expiry = now + 1e6 }, 0, func(x protocol.Terms) bool { return x.Expiry == now+3600 }},
	} {
		terms := base
		c.change(&terms)
		got := fix(terms, c.given)
		if !c.want(got) {
			t.Errorf("%s: got %+v", name, got)
		}
		if again := fix(got, c.given); !sameTerms(again, got) {
			t.Errorf("%s: its own counter is not acceptable: %+v, then %+v", name, got, again)
		}
	}
}

func rate(n uint64) pricing.Rates {
	return pricing.Rates{pricing.CPUUser: {NXEN: n, Per: 3600e9}}
}

func TestPublisherPolicy(t *testing.T) {
	policy := PublisherPolicy{MaxRate: 1_800_000, MaxIntervalSeconds: 10, MaxGraceSeconds: 10, MaxDeposit: 50_000, MaxLeaseSeconds: 3600}
	own := someTerms()
	for name, c := range map[string]struct {
		change func(*protocol.Terms)
		want   func(protocol.Terms) bool
	}{
		"too dear":       {func(x *protocol.Terms) {}, func(x protocol.Terms) bool { return x.MaxRate == 1_800_000 && x.Rates[pricing.CPUUser].NXEN == 500 }},
		"long interval":  {func(x *protocol.Terms) { x.IntervalSeconds = 20 }, func(x protocol.Terms) bool { return x.IntervalSeconds == 10 }},
		"prepayment":     {func(x *protocol.Terms) { x.IntervalSeconds = -2 }, func(x protocol.Terms) bool { return x.IntervalSeconds == own.IntervalSeconds }},
		"long grace":     {func(x *protocol.Terms) { x.GraceSeconds = 20 }, func(x protocol.Terms) bool { return x.GraceSeconds == 10 }},
		"more tolerance": {func(x *protocol.Terms) { x.TolerancePPM = 900_000 }, func(x protocol.Terms) bool { return x.TolerancePPM == own.TolerancePPM }},
		"large deposit":  {func(x *protocol.Terms) { x.Deposit = 1e6 }, func(x protocol.Terms) bool { return x.Deposit == 50_000 }},
		"late expiry":    {func(x *protocol.Terms) { x.Expiry = 1e6 }, func(x protocol.Terms) bool { return x.Expiry == 1000+3600 }},
	} {
		terms := someTerms()
		c.change(&terms)
		got := policy.acceptable(terms, own, 1000)
		if !c.want(got) {
			t.Errorf("%s: got %+v", name, got)
		}
		if again := policy.acceptable(got, own, 1000); !sameTerms(again, got) {
			t.Errorf("%s: its own counter is not acceptable: %+v, then %+v", name, got, again)
		}
	}
}

// A talk: whose turn it is, how often, and whose signature counts.
func TestTalk(t *testing.T) {
	a, b := testKey("publisher"), testKey("provider")
	ledger := types.Hash{1}
	k := protocol.Contract{Ledger: ledger, Publisher: a.Address(), Provider: b.Address(), Terms: someTerms()}
	other := someTerms()
	other.MaxRate++
	if err := (&talk{contract: k}).counter(other); !errors.Is(err, ErrPeer) {
		t.Errorf("counter to one's own proposal: %v", err)
	}
	if err := (&talk{contract: k, mine: true, accepted: true}).counter(other); !errors.Is(err, ErrPeer) {
		t.Errorf("counter after Accept: %v", err)
	}
	if err := (&talk{contract: k, mine: true, counters: MaxCounters}).counter(other); !errors.Is(err, ErrPeer) {
		t.Errorf("ninth counter: %v", err)
	}
	good := &protocol.Accept{Contract: k.ID(), Sig: signContract(b, ledger, k)}
	mine := talk{contract: k, mine: true}
	if err := mine.accept(good, b.Address(), ledger); err != nil {
		t.Errorf("accept: %v", err)
	}
	if err := (&talk{contract: k}).accept(good, b.Address(), ledger); !errors.Is(err, ErrPeer) {
		t.Errorf("accept of the accepter's own proposal: %v", err)
	}
	if err := mine.accept(&protocol.Accept{Contract: types.Hash{9}, Sig: good.Sig}, b.Address(), ledger); !errors.Is(err, ErrPeer) {
		t.Errorf("accept of another contract: %v", err)
	}
	if err := mine.accept(&protocol.Accept{Contract: k.ID(), Sig: signContract(a, ledger, k)}, b.Address(), ledger); !errors.Is(err, types.ErrSignature) {
		t.Errorf("accept by another: %v", err)
	}
	full := talk{contract: k, counters: MaxCounters}
	if m, no := full.answer(a, ledger, other).(*protocol.Reject); !no {
		t.Errorf("after eight counters: %T", m)
	}
}

// limit never bills more than it may, never lowers what was agreed, and gives
// nearly all that it may.
func TestLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := pricing.Rates{}
		last, want := pricing.Usage{}, pricing.Usage{}
		for _, c := range []pricing.Counter{pricing.CPUUser, pricing.Memory, pricing.BlockRead} {
			rates[c] = pricing.Rate{NXEN: rapid.Uint64Range(0, 1e6).Draw(t, "nxen"), Per: rapid.Uint64Range(1, 1e6).Draw(t, "per")}
			last[c] = rapid.Uint64Range(0, 1e6).Draw(t, "last")
			want[c] = last[c] + rapid.Uint64Range(0, 1e6).Draw(t, "more")
		}
		before, err := rates.Bill(last)
		if err != nil {
			t.Fatal(err)
		}
		most := uint64(before) + rapid.Uint64Range(0, 1e9).Draw(t, "room")
		got, bill, err := limit(rates, want, last, most)
		if err != nil {
			t.Fatal(err)
		}
		again, err := rates.Bill(got)
		if err != nil || uint64(again) != bill || bill > most {
			t.Fatalf("bill %d, again %d (%v), at most %d", bill, again, err, most)
		}
		for c := range want {
			if got[c] < last[c] || got[c] > want[c] {
				t.Fatalf("%s: %d is not within %d and %d", c, got[c], last[c], want[c])
			}
		}
		whole, _ := rates.Bill(want)
		// A unit of a counter may cost much: what is missing is less than one unit of
		// each, and the nXEN that roundings cost.
		slack := uint64(8)
		for _, r := range rates {
			slack += r.NXEN/r.Per + 1
		}
		if short := min(uint64(whole), most) - bill; short > slack+uint64(len(rates)) {
			t.Fatalf("%d of %d agreed, %d short", bill, min(uint64(whole), most), short)
		}
	})
}
