package lease

import (
	"crypto/rand"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// choose takes as many of the waiting offers as are still wanted: spread over
// providers first, then the cheapest.
func (q *request) choose() {
	q.mu.Lock()
	defer q.mu.Unlock()
	want := q.Count - q.given - len(q.pending) - len(q.ready)
	if len(q.offers) == 0 || want <= 0 || q.broke != nil || time.Now().Before(q.choice) && len(q.offers) < maxOffers {
		return
	}
	held := q.m.held(q.Job, q.pending)
	for ; want > 0; want-- {
		i := q.best(held, want)
		if i < 0 {
			return
		}
		o := q.offers[i]
		terms, err := q.terms(o.caps, want)
		if err != nil && len(q.settles) > 0 {
			return // until a deposit is back
		}
		q.offers = slices.Delete(q.offers, i, i+1)
		if err != nil {
			q.broke = err
			q.nudge()
			q.decline(o.s, "not affordable")
			return
		}
		choice := contract.Choose{At: o.s.at(), Terms: terms}
		rand.Read(choice.Nonce[:])
		held[o.s.provider]++
		q.pending[o.s] = true
		if q.programs == nil && len(o.caps.Programs) > 0 {
			q.programs = maps.Clone(o.caps.Programs)
			q.drop()
		}
		// The session may be waiting for q.mu, and its queue be full.
		q.m.begin(func() { o.s.tell(choice) })
	}
}

// gathering is how long offers are collected after the first, which took so long
// to come: as far away as providers are, so far apart they come. At most most.
func gathering(took, most time.Duration) time.Duration {
	return min(most, max(leastGather, 3*took))
}

// drop declines the waiting offers that do not fit any more.
func (q *request) drop() {
	kept := q.offers[:0]
	for _, o := range q.offers {
		if reason := q.unfit(o.s.provider, o.caps); reason != "" {
			q.refuse(o.s.provider, reason)
			q.decline(o.s, reason)
			continue
		}
		kept = append(kept, o)
	}
	q.offers = kept
}

// prices rates the offers: the highest rate that each asks, for the work that
// its machine does in an hour. Work is measured by the canonical benchmarks that
// all of them have run; where there are none, machines count as equally fast.
func prices(offers []offer) []float64 {
	out := make([]float64, len(offers))
	common := map[string]int{}
	for _, o := range offers {
		for _, b := range o.caps.Benchmarks {
			if b.WallNS > 0 {
				common[b.Name]++
			}
		}
	}
	for i, o := range offers {
		logs, n := 0.0, 0
		for _, b := range o.caps.Benchmarks {
			if b.WallNS > 0 && common[b.Name] == len(offers) {
				logs += math.Log(float64(b.WallNS))
				n++
			}
		}
		out[i] = float64(o.caps.MaxRate) * math.Exp(logs/float64(max(n, 1)))
	}
	return out
}

// best is the index of the offer to take next, or -1: not to be avoided, of the
// network that failed least in this request, of a network, then a provider, with
// the fewest leases of this job, the cheapest for what it has already. Where as many distinct providers are
// still missing as containers, a known one will not do.
func (q *request) best(held map[types.Address]int, want int) int {
	price := prices(q.offers)
	near := map[string]int{} // negotiations by network
	for s := range q.pending {
		near[s.group]++
	}
	order := make([]int, len(q.offers))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		x, y := q.offers[order[a]], q.offers[order[b]]
		if ax, ay := slices.Contains(q.Avoid, x.s.provider), slices.Contains(q.Avoid, y.s.provider); ax != ay {
			return ay
		}
		if fx, fy := q.failed[x.s.group], q.failed[y.s.group]; fx != fy {
			return fx < fy
		}
		if nx, ny := near[x.s.group], near[y.s.group]; nx != ny {
			return nx < ny
		}
		if hx, hy := held[x.s.provider], held[y.s.provider]; hx != hy {
			return hx < hy
		}
		return price[order[a]]/(1+q.Near[x.s.provider]) < price[order[b]]/(1+q.Near[y.s.provider])
	})
	for _, i := range order {
		if held[q.offers[i].s.provider] > 0 && q.MinProviders-len(held) >= want {
			continue
		}
		return i
	}
	return -1
}

// held counts a job's live leases by provider, with those that are being
// negotiated.
func (m *Market) held(job string, pending map[*session]bool) map[types.Address]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[types.Address]int{}
	for s := range pending {
		out[s.provider]++
	}
	for _, s := range m.sessions {
		if v := s.view.Load(); s.job == job && !pending[s] && v.phase != contract.Closing && !v.phase.Ended() {
			out[s.provider]++
		}
	}
	return out
}

// terms is what is offered to a provider, want containers being still missing.
func (q *request) terms(caps protocol.Capabilities, want int) (protocol.Terms, error) {
	m := q.m
	t := protocol.Terms{Rates: caps.Rates, MaxRate: caps.MaxRate, IntervalSeconds: int32(m.cfg.Interval / time.Second),
		GraceSeconds: uint32(m.cfg.Grace / time.Second), TolerancePPM: m.cfg.TolerancePPM,
		Expiry: m.cfg.Now().Add(m.cfg.Lifetime).Unix()}
	if q.MaxRate > 0 && caps.MaxRate > q.MaxRate {
		t.MaxRate, t.Rates = q.MaxRate, pricing.Rates{}
		for c, r := range caps.Rates {
			n, err := types.Amount(r.NXEN).MulDiv(uint64(q.MaxRate), uint64(caps.MaxRate))
			if err != nil {
				return t, err
			}
			t.Rates[c] = pricing.Rate{NXEN: uint64(n), Per: r.Per}
		}
	}
	least := contract.MinDeposit(t)
	fee := m.feeOf(chain.Body{Open: &chain.Open{Deposit: least, Expiry: t.Expiry}})
	left := q.purse.available()
	if need, err := least.Add(fee); err != nil || need > left {
		return t, fmt.Errorf("%w: a lease at %s an hour needs a deposit of %s and %s of fees, %s of the budget of %s is left",
			ErrNotAffordable, t.MaxRate, least, fee, left, q.Budget)
	}
	share := left / types.Amount(want)
	t.Deposit = max(least, min(contract.Earned(t.MaxRate, int64(m.cfg.Service)), share-min(share, 4*fee)))
	return t, nil
}
