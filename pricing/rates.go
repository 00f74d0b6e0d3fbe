package pricing

import (
	"fmt"
	"math"

	"github.com/zennet/zennet/ledger/types"
)

// Row is one canonical benchmark: what it used and what that shall cost.
type Row struct {
	Usage Usage
	Price types.Amount
}

// scales are the units d_j that columns are scaled by before the SVD (PROTOCOL.md
// 2.4): amounts that load a machine about equally. They are not the units that
// rates are quoted in (Units), which are for people.
var scales = map[Counter]float64{
	CPUUser:       1e9,
	CPUSystem:     1e9,
	Memory:        1 << 30,
	FaultsMinor:   1e6,
	FaultsMajor:   1e6,
	BlockRead:     1 << 30,
	BlockWrite:    1 << 30,
	BlockReadOps:  1e6,
	BlockWriteOps: 1e6,
	NetRx:         1 << 30,
	NetTx:         1 << 30,
	StagedIn:      1 << 30,
	StagedOut:     1 << 30,
}

// FromBenchmarks finds the rates by which each benchmark costs its price as
// nearly as can be, none of them negative, rounded once to nXEN per unit
// (PROTOCOL.md 2.2–2.6). The columns of the fit are Counters. A counter that no
// benchmark used, or all the same, gets no rate and so costs nothing. The
// residuals are in nXEN, and before rounding.
func FromBenchmarks(rows []Row) (Rates, Fit, error) {
	v, s, units := make([][]float64, len(rows)), make([]float64, len(rows)), make([]float64, len(Counters))
	for j, c := range Counters {
		units[j] = scales[c]
	}
	for k, row := range rows {
		if err := row.Usage.Validate(); err != nil {
			return nil, Fit{}, fmt.Errorf("benchmark %d: %w", k, err)
		}
		v[k], s[k] = make([]float64, len(Counters)), float64(row.Price)
		for j, c := range Counters {
			v[k][j] = float64(row.Usage[c])
		}
	}
	fit, err := Solve(v, s, Options{Units: units})
	if err != nil {
		return nil, Fit{}, err
	}
	rates := Rates{}
	for j, c := range Counters {
		per := Units[c].Per
		n := math.RoundToEven(fit.Rates[j] * float64(per))
		if n >= 1<<63 {
			return nil, Fit{}, fmt.Errorf("%w: %s would cost %g nXEN per %s", ErrFit, c, n, Units[c].Name)
		}
		if n > 0 {
			rates[c] = Rate{NXEN: uint64(n), Per: per}
		}
	}
	return rates, fit, nil
}

// The margins of FullRate.
const (
	fullMarginPercent = 125     // of CPU time, memory and faults
	fullFaults        = 400_000 // minor page faults a second that one core can cause
	fullDevicePercent = 50      // of one core's price: the disk, used without a pause
)

// FullRate is what an hour of a container costs by these rates under full load,
// with a margin: the MaxRate that a provider asks. milliCPU 1000 is one core,
// memory is in bytes. It is the sum of
//
//   - the whole CPU share in the dearer of the two modes, the whole memory, and
//     400,000 minor page faults a second and core (about as many as the kernel can
//     serve), all times 1.25: a CPU quota is kept over its periods, not in each,
//     and counters are read a moment apart;
//   - half of a core for the disk, whatever the CPU share: package bench prices
//     an always busy disk at a quarter of a core, and a disk may be
//     twice as fast as it was when it was measured.
//
// What exceeds 64 bits is the greatest amount.
func FullRate(rates Rates, milliCPU uint32, memory uint64) types.Amount {
	const hour = 3600
	per := func(c Counter, n float64) float64 {
		rate, ok := rates[c]
		if !ok || rate.Per == 0 {
			return 0
		}
		return float64(rate.NXEN) * n / float64(rate.Per)
	}
	core := max(per(CPUUser, hour*1e9), per(CPUSystem, hour*1e9))
	cores := float64(milliCPU) / 1000
	load := core*cores + per(Memory, hour*float64(memory)) + per(FaultsMinor, hour*fullFaults*cores)
	sum := math.Ceil(load*fullMarginPercent/100 + core*fullDevicePercent/100)
	if sum >= math.MaxUint64 {
		return math.MaxUint64
	}
	return types.Amount(sum)
}
