package contract

import (
	"testing"

	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// The cross-check of 5.4, one report after another: u is what the provider
// reports at a second, in what the worker showed after it.
func TestCrossCheck(t *testing.T) {
	cpu := func(ms uint64) pricing.Usage { return pricing.Usage{pricing.CPUUser: ms * 1e6} }
	type step struct {
		at       int64 // seconds
		report   pricing.Usage
		inside   pricing.Usage // nil: no reading
		out      uint64        // staged out, the publisher's own count
		granted  pricing.Usage
		disputed bool
	}
	for name, c := range map[string]struct {
		trust bool
		steps []step
	}{
		"honest": {steps: []step{
			{2, cpu(2000), cpu(2020), 0, cpu(2000), false},
			{4, cpu(4000), cpu(4020), 0, cpu(4000), false}}},
		"within the tolerance": {steps: []step{
			{2, cpu(2190), cpu(2000), 0, cpu(2190), false},
			{4, cpu(4380), cpu(4000), 0, cpu(4380), false}}},
		"beyond it": {steps: []step{
			{2, cpu(2300), cpu(2000), 0, cpu(2000), true},
			{4, cpu(4300), cpu(4000), 0, cpu(4000), false}}}, // the difference agrees again
		"uneven load, late readings": {steps: []step{
			{2, cpu(100), cpu(1500), 0, cpu(100), false},
			{4, cpu(2000), cpu(2020), 0, cpu(2000), false}}},
		"nothing is claimed twice": {steps: []step{
			{2, cpu(100), cpu(1500), 0, cpu(100), false},
			{4, cpu(1500), cpu(1500), 0, cpu(1500), false},
			{6, cpu(2900), cpu(1500), 0, cpu(1500), true}}},
		"user and system split differently": {steps: []step{
			{2, pricing.Usage{pricing.CPUUser: 15e8, pricing.CPUSystem: 5e8}, pricing.Usage{pricing.CPUUser: 5e8, pricing.CPUSystem: 15e8}, 0,
				pricing.Usage{pricing.CPUUser: 15e8, pricing.CPUSystem: 5e8}, false}}},
		"a missing reading is bridged": {steps: []step{
			{2, cpu(2000), cpu(2000), 0, cpu(2000), false},
			{4, cpu(4000), nil, 0, cpu(4000), false},
			{6, cpu(6000), cpu(6000), 0, cpu(6000), false}}},
		"within the container's share": {steps: []step{
			{2, cpu(2000), cpu(2000), 0, cpu(2000), false},
			{4, cpu(6000), nil, 0, cpu(4200), true}}},
		"what was bridged is made up for": {steps: []step{
			{2, cpu(0), cpu(0), 0, pricing.Usage{}, false},
			{4, cpu(2000), nil, 0, cpu(2000), false},
			{6, cpu(2500), cpu(0), 0, cpu(2000), true}}},
		"not for ever": {steps: []step{
			{2, cpu(2000), cpu(2000), 0, cpu(2000), false},
			{12, cpu(12000), nil, 0, cpu(8600), true}, // interval + grace = 6 s at 1.1 cores
			{14, cpu(14000), nil, 0, cpu(8600), true}}},
		"a worker that never answers": {steps: []step{
			{20, cpu(20000), nil, 0, cpu(6600), true}}},
		"a worker that never answers, trusted": {trust: true, steps: []step{
			{20, cpu(20000), nil, 0, cpu(20000), false},
			{22, cpu(29000), nil, 0, cpu(25300), true}}},
		"faults": {steps: []step{
			{2, pricing.Usage{pricing.FaultsMinor: 500_000}, pricing.Usage{pricing.FaultsMinor: 450_000}, 0, pricing.Usage{pricing.FaultsMinor: 500_000}, false},
			{4, pricing.Usage{pricing.FaultsMinor: 5_000_000}, pricing.Usage{pricing.FaultsMinor: 900_000}, 0, pricing.Usage{pricing.FaultsMinor: 950_000}, true}}},
		"counters that the worker cannot see": {steps: []step{
			{2, pricing.Usage{pricing.BlockRead: 1 << 40, pricing.FaultsMajor: 9}, cpu(0), 0, pricing.Usage{pricing.BlockRead: 1 << 40, pricing.FaultsMajor: 9}, false}}},
		"staging": {steps: []step{
			{2, pricing.Usage{pricing.StagedOut: 70 << 20}, cpu(0), 10 << 20, pricing.Usage{pricing.StagedOut: 70 << 20}, false}, // on its way
			{4, pricing.Usage{pricing.StagedOut: 80 << 20}, cpu(0), 80 << 20, pricing.Usage{pricing.StagedOut: 80 << 20}, false},
			{6, pricing.Usage{pricing.StagedOut: 140 << 20}, cpu(0), 80 << 20, pricing.Usage{pricing.StagedOut: 140 << 20}, false},
			{8, pricing.Usage{pricing.StagedOut: 150 << 20}, cpu(0), 81 << 20, pricing.Usage{pricing.StagedOut: 140 << 20}, true}}}, // not again
		"memory beyond its limit": {steps: []step{
			{2, pricing.Usage{pricing.Memory: 3 << 30}, cpu(0), 0, pricing.Usage{pricing.Memory: 3 << 30}, false},
			{3, pricing.Usage{pricing.Memory: 9 << 30}, cpu(0), 0, pricing.Usage{pricing.Memory: 4 << 30}, true}}},
	} {
		k := protocol.Contract{Spec: protocol.Spec{MilliCPU: 1000, Memory: 1 << 30}, Terms: someTerms()}
		check := crossCheck{}
		for i, s := range c.steps {
			check = check.read(s.at*second, s.inside, 0, s.out)
			var disputed string
			check, disputed = check.compare(protocol.UsageReport{TimeNS: s.at * second, Usage: s.report}, k, c.trust, s.at*second)
			if (disputed != "") != s.disputed {
				t.Errorf("%s, report %d: disputed %q", name, i+1, disputed)
			}
			for _, n := range pricing.Counters {
				if check.granted[n] != s.granted[n] {
					t.Errorf("%s, report %d: %s granted %d, want %d", name, i+1, n, check.granted[n], s.granted[n])
				}
			}
		}
	}
}

// After a restart the publisher knows no readings of before: the first report
// sets the base.
func TestCrossCheckAfterRestart(t *testing.T) {
	k := protocol.Contract{Spec: protocol.Spec{MilliCPU: 1000, Memory: 1 << 30}, Terms: someTerms()}
	before := pricing.Usage{pricing.CPUUser: 50e9, pricing.StagedOut: 1 << 30}
	c := crossCheck{resumed: true, report: before, granted: before}
	c = c.read(60*second, pricing.Usage{pricing.CPUUser: 60e9}, 0, 0)
	c, disputed := c.compare(protocol.UsageReport{TimeNS: 60 * second, Usage: pricing.Usage{pricing.CPUUser: 60e9, pricing.StagedOut: 1<<30 + 1}}, k, false, 60*second)
	if disputed != "" || c.granted[pricing.CPUUser] != 60e9 {
		t.Errorf("first report: disputed %q, granted %d", disputed, c.granted[pricing.CPUUser])
	}
	c = c.read(62*second, pricing.Usage{pricing.CPUUser: 61e9}, 0, 0)
	c, disputed = c.compare(protocol.UsageReport{TimeNS: 62 * second, Usage: pricing.Usage{pricing.CPUUser: 65e9, pricing.StagedOut: 1<<30 + 1}}, k, false, 62*second)
	if disputed == "" || c.granted[pricing.CPUUser] != 61e9 {
		t.Errorf("second report: disputed %q, granted %d, want what the worker showed", disputed, c.granted[pricing.CPUUser])
	}
}
