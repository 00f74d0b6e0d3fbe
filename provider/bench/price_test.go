package bench

import (
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/meter"
)

var twoCores = meter.Hardware{CPU: "test", Cores: 2, Memory: 8 << 30}

func TestPrice(t *testing.T) {
	const coreHour = 3600 * 1000 // 1000 nXEN a core-second
	for _, c := range []struct {
		name string
		row  Measured
		want types.Amount
	}{
		{"a second of CPU", Measured{Usage: pricing.Usage{pricing.CPUUser: 6e8, pricing.CPUSystem: 4e8}}, 1000},
		{"wall time costs nothing", Measured{WallNS: 1e12, Usage: pricing.Usage{pricing.CPUUser: 1e9}}, 1000},
		{"all memory is half of all cores", Measured{Usage: pricing.Usage{pricing.Memory: 8 << 30}}, 1000},
		{"a busy disk is a quarter of a core", Measured{DiskNS: 1e9, Usage: pricing.Usage{pricing.BlockWrite: 1 << 30}}, 250},
		{"a disk that is slow beyond belief", Measured{DiskNS: 100e9, Usage: pricing.Usage{pricing.BlockRead: 512 << 20, pricing.BlockWrite: 512 << 20}}, 250},
		{"small requests that are slow beyond belief", Measured{DiskNS: 100e9, Usage: pricing.Usage{pricing.BlockReadOps: 4000, pricing.BlockWriteOps: 4000}}, 250},
		{"nothing", Measured{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Price([]Measured{c.row}, twoCores, coreHour)
			if len(got) != 1 || got[0].Price != c.want {
				t.Errorf("%+v, want %d", got, c.want)
			}
		})
	}
}

// measured is a report like a real machine's, with the shares of user and system
// time, faults and requests that the kernels show there.
func measured() []Measured {
	usage := func(user, system, memory, faults, read, write, reads, writes uint64) pricing.Usage {
		return pricing.Usage{pricing.CPUUser: user * 1e6, pricing.CPUSystem: system * 1e6, pricing.Memory: memory << 20,
			pricing.FaultsMinor: faults, pricing.BlockRead: read, pricing.BlockWrite: write,
			pricing.BlockReadOps: reads, pricing.BlockWriteOps: writes}
	}
	return []Measured{
		{"integer", 713e6, 0, usage(520, 9, 1, 0, 0, 0, 0, 0)},
		{"float", 722e6, 0, usage(414, 2, 1, 99, 0, 0, 0, 0)},
		{"bandwidth", 532e6, 0, usage(321, 27, 45, 20746, 0, 0, 0, 0)},
		{"random", 741e6, 0, usage(511, 14, 24, 7059, 0, 0, 0, 0)},
		{"hash", 563e6, 0, usage(448, 0, 2, 1, 0, 0, 0, 0)},
		{"disk", 413e6, 128e6, usage(71, 133, 1, 254, 100671488, 100671488, 82, 87)},
		{"mixed", 542e6, 12e6, usage(339, 46, 20, 16222, 16384, 24010752, 4, 23)},
		{"hold", 643e6, 0, usage(10, 148, 115, 63356, 0, 0, 0, 0)},
		{"fault", 613e6, 0, usage(31, 446, 2, 205242, 0, 0, 0, 0)},
		{"sync", 563e6, 340e6, usage(12, 92, 1, 222, 4112384, 8196096, 13, 3001)},
	}
}

// loads are what a container of one core and 512 MiB does in a second at worst, as
// measured, scaled to a machine of its own.
var loads = []struct {
	name  string
	usage pricing.Usage
}{
	{"spin", pricing.Usage{pricing.CPUUser: 1e9}},
	{"gromacs", pricing.Usage{pricing.CPUUser: 989e6, pricing.CPUSystem: 11e6, pricing.Memory: 12 << 20, pricing.FaultsMinor: 500}},
	{"fork and exec", pricing.Usage{pricing.CPUUser: 380e6, pricing.CPUSystem: 620e6, pricing.FaultsMinor: 80_000}},
	{"fork alone", pricing.Usage{pricing.CPUUser: 50e6, pricing.CPUSystem: 950e6, pricing.FaultsMinor: 150_000}},
	{"touching memory", pricing.Usage{pricing.CPUSystem: 1e9, pricing.Memory: 512 << 20, pricing.FaultsMinor: 430_000}},
	{"dd with fsync", pricing.Usage{pricing.CPUSystem: 1e9, pricing.BlockWrite: 1800 << 20, pricing.BlockWriteOps: 1500}},
	{"dd, direct", pricing.Usage{pricing.CPUSystem: 300e6, pricing.BlockWrite: 1500 << 20, pricing.BlockRead: 1500 << 20, pricing.BlockWriteOps: 3000, pricing.BlockReadOps: 3000}},
	{"dd with sync of each 4 KiB", pricing.Usage{pricing.CPUUser: 40e6, pricing.CPUSystem: 900e6, pricing.BlockWrite: 40 << 20, pricing.BlockWriteOps: 12_000}},
}

// The rates that follow ask about the price of a core for what keeps a core
// busy, whatever it does, and no honest load comes over the full rate: neither
// where the machine was quiet when it was measured, nor where it was not.
func TestRatesOfLoads(t *testing.T) {
	quiet, busy := measured(), measured()
	for k := range busy {
		busy[k].WallNS *= 5
		busy[k].DiskNS *= 10
		busy[k].Usage[pricing.Memory] *= 2
	}
	for i, asked := range []types.Amount{DefaultCoreHour, types.XEN / 1000, 40 * types.XEN, DefaultCoreHour} {
		rows := quiet
		if i == 3 {
			rows = busy
		}
		rates, fit, err := Rates(Price(rows, twoCores, asked))
		if err != nil {
			t.Fatal(err)
		}
		full := pricing.FullRate(rates, 1000, 512<<20)
		for _, load := range loads {
			hour := load.usage.Clone()
			for c := range hour {
				hour[c] *= 3600
			}
			bill, err := rates.Bill(hour)
			if err != nil {
				t.Fatal(err)
			}
			if ratio := float64(bill) / float64(asked); ratio < 1./3 || ratio > 3 {
				t.Errorf("%s costs %.2f times the price of a core (rates %v, fit %+v)", load.name, ratio, rates, fit)
			}
			if bill > full {
				t.Errorf("%s costs %v an hour, more than the full rate %v", load.name, bill, full)
			}
		}
		if limit := 2 * asked; full > limit {
			t.Errorf("full rate %v of one core and 512 MiB, want at most %v", full, limit)
		}
	}
}
