package pricing

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/zennet/zennet/ledger/types"
)

// machine makes n benchmarks of a made-up machine: random loads, priced by known
// rates of 0.05 XEN a CPU hour, 0.004 a GiB hour and 10⁻⁶ a GiB written, with
// multiplicative noise.
func machine(n int, noise float64) []Row {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([]Row, n)
	for k := range rows {
		u := Usage{
			CPUUser:     uint64(rng.Float64() * 1e9),
			CPUSystem:   uint64(rng.Float64() * 1e9),
			Memory:      uint64(rng.Float64() * (1 << 30)),
			FaultsMinor: uint64(rng.Float64() * 1e5),
			BlockWrite:  uint64(rng.Float64() * (1 << 28)),
		}
		price := 5e7/3600*(float64(u[CPUUser]+u[CPUSystem])/1e9) + 4e6/3600*float64(u[Memory])/(1<<30) +
			1000*float64(u[BlockWrite])/(1<<30)
		rows[k] = Row{u, types.Amount(price * (1 + noise*rng.NormFloat64()))}
	}
	return rows
}

func TestFromBenchmarks(t *testing.T) {
	rates, fit, err := FromBenchmarks(machine(12, 0))
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range map[Counter]float64{CPUUser: 5e7, CPUSystem: 5e7, Memory: 4e6, BlockWrite: 1000} {
		if got := float64(rates[c].NXEN); math.Abs(got-want) > 1e-2*want {
			t.Errorf("%s: %v nXEN, want about %v", c, got, want)
		}
		if rates[c].Per != Units[c].Per {
			t.Errorf("%s: per %d, want %d", c, rates[c].Per, Units[c].Per)
		}
	}
	if _, ok := rates[NetRx]; ok {
		t.Error("a counter that no benchmark used has a rate")
	}
	if fit.HoldOut > 1e-3 || fit.Rank != 5 {
		t.Errorf("hold-out %v, rank %d", fit.HoldOut, fit.Rank)
	}
	if err := rates.Validate(); err != nil {
		t.Error(err)
	}
}

// 2.5 and 2.8: with noise some rate often comes out negative; the bills stay
// close to the prices.
func TestFromBenchmarksNoisy(t *testing.T) {
	rows := machine(12, 0.05)
	rates, _, err := FromBenchmarks(rows)
	if err != nil {
		t.Fatal(err)
	}
	for k, row := range rows {
		bill, err := rates.Bill(row.Usage)
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(bill) / float64(row.Price); ratio < 0.8 || ratio > 1.25 {
			t.Errorf("benchmark %d: bill %d, price %d", k, bill, row.Price)
		}
	}
}

func TestFromBenchmarksRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []Row
		want error
	}{
		{"none", nil, ErrShape},
		{"unknown counter", []Row{{Usage{"gold": 1}, 1}}, ErrCounter},
		{"idle", []Row{{Usage{}, 1}, {Usage{CPUUser: 0}, 1}}, ErrFit},
		{"beyond all bounds", []Row{{Usage{CPUUser: 1}, math.MaxUint64}}, ErrFit},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := FromBenchmarks(c.rows); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// Every rate is finite, none negative, and the rows reproduce whatever is
// measured.
func TestFromBenchmarksProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := make([]Row, rapid.IntRange(1, 10).Draw(t, "rows"))
		for k := range rows {
			rows[k] = Row{drawUsage(t, 1<<40), types.Amount(rapid.Uint64Range(0, 1<<40).Draw(t, "price"))}
		}
		rates, fit, err := FromBenchmarks(rows)
		if errors.Is(err, ErrFit) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := rates.Validate(); err != nil {
			t.Fatal(err)
		}
		for j, r := range fit.Rates {
			if !(r >= 0) || math.IsInf(r, 0) {
				t.Fatalf("%s: rate %v", Counters[j], r)
			}
		}
	})
}

func drawUsage(t *rapid.T, limit uint64) Usage {
	u := Usage{}
	for _, c := range Counters {
		if rapid.Bool().Draw(t, "has "+string(c)) {
			u[c] = rapid.Uint64Range(0, limit).Draw(t, string(c))
		}
	}
	return u
}

func drawRates(t *rapid.T) Rates {
	r := Rates{}
	for _, c := range Counters {
		if rapid.Bool().Draw(t, "prices "+string(c)) {
			r[c] = Rate{rapid.Uint64Range(0, 1<<40).Draw(t, "nXEN"), rapid.Uint64Range(1, 1<<45).Draw(t, "per")}
		}
	}
	return r
}

// 2.6: the bill is exactly Σ⌊r·c/d⌋, and grows with every counter.
func TestBillProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates, usage := drawRates(t), drawUsage(t, 1<<60)
		want := new(big.Int)
		for c, n := range usage {
			if rate, ok := rates[c]; ok {
				term := new(big.Int).Mul(new(big.Int).SetUint64(rate.NXEN), new(big.Int).SetUint64(n))
				want.Add(want, term.Div(term, new(big.Int).SetUint64(rate.Per)))
			}
		}
		bill, err := rates.Bill(usage)
		if !want.IsUint64() {
			if !errors.Is(err, types.ErrOverflow) {
				t.Fatalf("bill %d, error %v; want overflow of %s", bill, err, want)
			}
			return
		}
		if err != nil || uint64(bill) != want.Uint64() {
			t.Fatalf("bill %d, error %v; want %s", bill, err, want)
		}
		more := usage.Clone()
		c := rapid.SampledFrom(Counters).Draw(t, "counter")
		more[c] += rapid.Uint64Range(0, 1<<60).Draw(t, "growth")
		if later, err := rates.Bill(more); err == nil && later < bill {
			t.Fatalf("bill falls from %d to %d when %s grows", bill, later, c)
		}
	})
}

func TestBillRefuses(t *testing.T) {
	if _, err := (Rates{CPUUser: {NXEN: 1}}).Bill(Usage{CPUUser: 1}); !errors.Is(err, ErrRate) {
		t.Errorf("error %v, want %v", err, ErrRate)
	}
	most := Rates{CPUUser: {1, 1}, CPUSystem: {1, 1}}
	if _, err := most.Bill(Usage{CPUUser: math.MaxUint64, CPUSystem: 1}); !errors.Is(err, types.ErrOverflow) {
		t.Errorf("error %v, want %v", err, types.ErrOverflow)
	}
}

func TestFullRate(t *testing.T) {
	hour := Units[CPUUser].Per
	for _, c := range []struct {
		name     string
		rates    Rates
		milliCPU uint32
		memory   uint64
		want     types.Amount
	}{
		{"nothing priced", Rates{}, 1000, 1 << 30, 0},
		{"CPU, and half a core for the disk", Rates{CPUUser: {1000, hour}}, 1000, 1 << 30, 1750},
		{"the dearer mode", Rates{CPUUser: {1000, hour}, CPUSystem: {2000, hour}}, 1000, 0, 3500},
		{"two cores", Rates{CPUUser: {1000, hour}}, 2000, 0, 3000},
		{"memory", Rates{Memory: {1000, Units[Memory].Per}}, 1000, 2 << 30, 2500},
		{"faults", Rates{FaultsMinor: {1, 1e6}}, 1000, 0, 1800},
		{"beyond 64 bits", Rates{CPUUser: {math.MaxUint64, 1}}, 1000, 0, math.MaxUint64},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := FullRate(c.rates, c.milliCPU, c.memory); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// Whatever a container does with its CPU share and memory for an hour stays
// below its full rate.
func TestFullRateBounds(t *testing.T) {
	rates, _, err := FromBenchmarks(machine(12, 0.05))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		milli := rapid.Uint32Range(1, 64000).Draw(t, "milliCPU")
		memory := rapid.Uint64Range(0, 1<<40).Draw(t, "memory")
		cpu := uint64(milli) * 3600e6
		user := rapid.Uint64Range(0, cpu).Draw(t, "user")
		u := Usage{CPUUser: user, CPUSystem: cpu - user, Memory: 3600 * memory,
			FaultsMinor: uint64(milli) * 1440 * 1000}
		bill, err := rates.Bill(u)
		if err != nil {
			t.Fatal(err)
		}
		if full := FullRate(rates, milli, memory); bill > full {
			t.Fatalf("bill %d, full rate %d", bill, full)
		}
	})
}

func TestUsageSorted(t *testing.T) {
	u := Usage{StagedIn: 1, CPUUser: 2, BlockRead: 3}
	if d := cmp.Diff([]Counter{CPUUser, BlockRead, StagedIn}, u.Sorted()); d != "" {
		t.Error(d)
	}
	if err := u.Validate(); err != nil {
		t.Error(err)
	}
	if err := (Usage{"gold": 1}).Validate(); !errors.Is(err, ErrCounter) {
		t.Errorf("error %v, want %v", err, ErrCounter)
	}
}
