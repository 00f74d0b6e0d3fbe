package contract

import (
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// ProviderPolicy bounds what a provider agrees to. The rates and the MaxRate that
// it asks are in the Capabilities of the lease (Match).
type ProviderPolicy struct {
	// ReservePPM is the least share of the asked prices that is accepted, in
	// millionths; 0 means 1,000,000: nothing less. The prices come down towards it
	// in four steps, one a counter (all rates in the same proportion, 2.7).
	ReservePPM         uint32
	MinIntervalSeconds uint32 // of |interval|
	MaxIntervalSeconds uint32
	MinGraceSeconds    uint32
	MaxGraceSeconds    uint32
	MaxHoldback        types.Amount
	MaxLeaseSeconds    uint32 // the channel's expiry is at most this far away
}

// PublisherPolicy bounds what a publisher agrees to.
type PublisherPolicy struct {
	MaxRate            types.Amount // nXEN an hour, 0 = any
	MaxIntervalSeconds uint32       // of |interval|
	MaxGraceSeconds    uint32
	MaxDeposit         types.Amount // the first one, 0 = any
	MaxLeaseSeconds    uint32       // the channel's expiry is at most this far away
	// TopUpSeconds is how much service at maxRate one TOP-UP buys, and LeaseSeconds
	// how far from now it sets the expiry (0 leaves it). Both 0: never topped up.
	TopUpSeconds uint32
	LeaseSeconds uint32
	// TrustMeter says that a provider's CPU and fault counts are taken at its word
	// (within what the container's share allows) where the worker never answers.
	TrustMeter bool
}

// million is the whole in parts per million.
const million = 1_000_000

// concessions is how many counters a provider takes to come down to its reserve.
const concessions = 4

// acceptable returns the terms that the provider would take in place of t: t
// itself where it accepts them. asked are its capabilities, given how many
// counters it has sent, now is Unix seconds.
func (p ProviderPolicy) acceptable(t protocol.Terms, asked protocol.Capabilities, given int, margin uint32, now int64) protocol.Terms {
	reserve := uint64(p.ReservePPM)
	if reserve == 0 || reserve > million {
		reserve = million
	}
	scale := million - (million-reserve)*uint64(min(given, concessions))/concessions

	fix := t
	fix.Rates = make(pricing.Rates, len(asked.Rates))
	for c, ask := range asked.Rates {
		want := pricing.Rate{NXEN: scaled(ask.NXEN, scale), Per: ask.Per}
		if got, ok := t.Rates[c]; ok && got.Per == want.Per && got.NXEN >= want.NXEN {
			want = got
		}
		fix.Rates[c] = want
	}
	fix.MaxRate = max(t.MaxRate, types.Amount(scaled(uint64(asked.MaxRate), scale)))
	fix.IntervalSeconds = clampInterval(t.IntervalSeconds, p.MinIntervalSeconds, p.MaxIntervalSeconds)
	fix.GraceSeconds = clamp(t.GraceSeconds, p.MinGraceSeconds, p.MaxGraceSeconds)
	fix.Holdback = min(t.Holdback, p.MaxHoldback)
	fix.Expiry = clamp(t.Expiry, minExpiry(fix, margin, now), now+int64(p.MaxLeaseSeconds))
	fix.Deposit = max(t.Deposit, MinDeposit(fix))
	return fix
}

// acceptable returns the terms that the publisher would take in place of t: t
// itself where it accepts them. own are those that it proposed first.
func (p PublisherPolicy) acceptable(t, own protocol.Terms, now int64) protocol.Terms {
	fix := t
	if p.MaxRate > 0 && t.MaxRate > p.MaxRate {
		fix.Rates = make(pricing.Rates, len(t.Rates))
		for c, r := range t.Rates {
			n, _ := types.Amount(r.NXEN).MulDiv(uint64(p.MaxRate), uint64(t.MaxRate))
			fix.Rates[c] = pricing.Rate{NXEN: uint64(n), Per: r.Per}
		}
		fix.MaxRate = p.MaxRate
	}
	fix.IntervalSeconds = clampInterval(t.IntervalSeconds, 1, p.MaxIntervalSeconds)
	if Prepaid(t) && !Prepaid(own) {
		fix.IntervalSeconds = own.IntervalSeconds
	}
	fix.GraceSeconds = min(t.GraceSeconds, p.MaxGraceSeconds)
	fix.TolerancePPM = min(t.TolerancePPM, own.TolerancePPM)
	fix.Holdback = max(t.Holdback, own.Holdback)
	if p.MaxDeposit > 0 {
		fix.Deposit = min(t.Deposit, p.MaxDeposit)
	}
	fix.Expiry = min(t.Expiry, now+int64(p.MaxLeaseSeconds))
	return fix
}

// MinDeposit is the least first deposit with which a lease lives for a while:
// four exposures, or four intervals where the publisher prepays (3.4).
func MinDeposit(t protocol.Terms) types.Amount {
	e := Exposure(t)
	if Prepaid(t) {
		e = Earned(t.MaxRate, Interval(t))
	}
	return saturate(e.MulDiv(4, 1))
}

// minExpiry leaves eight intervals, and the grace times, before the margin.
func minExpiry(t protocol.Terms, margin uint32, now int64) int64 {
	return now + int64(margin) + (8*Interval(t)+4*Grace(t))/second
}

func sameTerms(a, b protocol.Terms) bool {
	return string(types.Encode(a)) == string(types.Encode(b))
}

// scaled is ⌈n·ppm/10⁶⌉ for ppm ≤ 10⁶.
func scaled(n, ppm uint64) uint64 {
	whole, rest := n/million, n%million
	return whole*ppm + (rest*ppm+million-1)/million
}

func clamp[T uint32 | int64](v, low, high T) T { return min(max(v, low), high) }

// clampInterval bounds |v| and keeps its sign.
func clampInterval(v int32, low, high uint32) int32 {
	if v < 0 {
		return -int32(clamp(uint32(-v), low, high))
	}
	return int32(clamp(uint32(v), low, high))
}
