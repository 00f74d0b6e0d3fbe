package bench

import (
	"math"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
)

// DefaultCoreHour is what a core asks for an hour where its operator says
// nothing.
const DefaultCoreHour = types.XEN / 20

// The weights of what a run holds besides CPU time, in cores.
const (
	// memoryWeight prices a machine's whole memory as this share of all its cores.
	memoryWeight = 0.5
	// diskWeight prices a disk that is always busy, as this share of one core.
	diskWeight = 0.25
)

// The disk's time is priced up to what these speeds give: a disk that seems
// slower worked for others too, or waited for a CPU. Without this ceiling a
// measurement on a busy machine would make requests so dear that a later load at
// the disk's true speed came over pricing.FullRate.
const (
	slowestBytes = 1 << 30 // bytes a second
	slowestOps   = 8000    // requests a second
)

// Measured is what one kernel did in its container.
type Measured struct {
	Name   string        `json:"name"`
	WallNS uint64        `json:"wall_ns"`      // from its start to its last use of CPU or disk; for people
	DiskNS uint64        `json:"disk_busy_ns"` // that the scratch volume's device was at work
	Usage  pricing.Usage `json:"usage"`
}

// Price makes the benchmark report: the price s_k of a row is
//
//	coreHour/3600 · (CPU + ½·M + ¼·D)
//
// in core-seconds that the run takes from the machine: its CPU time; the share
// of the memory that it holds, over time and in cores, M = byte-seconds · cores /
// memory; and the time D that its disk is at work. Wall time does not enter, and D
// is bounded: what else runs on the machine meanwhile changes little. Raw rows and
// prices are apart so that another price needs no other measurement.
func Price(rows []Measured, machine meter.Hardware, coreHour types.Amount) []protocol.Benchmark {
	out := make([]protocol.Benchmark, len(rows))
	for k, row := range rows {
		price := float64(coreHour) / 3600 * coreSeconds(row, machine)
		out[k] = protocol.Benchmark{Name: row.Name, WallNS: row.WallNS, Usage: row.Usage.Clone(),
			Price: types.Amount(math.RoundToEven(price))}
	}
	return out
}

func coreSeconds(row Measured, machine meter.Hardware) float64 {
	u := row.Usage
	cpu := float64(u[pricing.CPUUser]+u[pricing.CPUSystem]) / 1e9
	held := 0.0
	if machine.Memory > 0 {
		held = float64(u[pricing.Memory]) * float64(machine.Cores) / float64(machine.Memory)
	}
	return cpu + memoryWeight*held + diskWeight*diskTime(row)
}

// diskTime is the priced time of the disk in seconds.
func diskTime(row Measured) float64 {
	u := row.Usage
	slowest := float64(u[pricing.BlockRead]+u[pricing.BlockWrite])/slowestBytes +
		float64(u[pricing.BlockReadOps]+u[pricing.BlockWriteOps])/slowestOps
	return min(float64(row.DiskNS)/1e9, slowest)
}

// Rates are the rates that a benchmark report leads to, with the report of the
// fit.
func Rates(report []protocol.Benchmark) (pricing.Rates, pricing.Fit, error) {
	rows := make([]pricing.Row, len(report))
	for k, b := range report {
		rows[k] = pricing.Row{Usage: b.Usage, Price: b.Price}
	}
	return pricing.FromBenchmarks(rows)
}
