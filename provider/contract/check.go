package contract

import (
	"fmt"
	"math"
	"math/bits"
	"strings"

	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// crossCheck is the publisher's own view of a lease's counters (5.4). Counters
// never fall, so the value at a report's time lies between the readings before
// and after it. What the provider claims is compared with the most that these
// allow: however uneven the load, an honest provider is never in the wrong, and
// because the comparison goes on from what was granted, nothing can be claimed
// twice. Beyond the readings a lying provider gains the tolerance, every interval.
type crossCheck struct {
	prev, last reading       // of the worker; last.usage nil = none yet
	stagedIn   uint64        // the publisher's own counts, bytes
	stagedOut  uint64        //
	report     pricing.Usage // counters of the last compared report
	granted    pricing.Usage // accepted in all, before the cap
	used       map[pricing.Counter]uint64
	since      int64 // when the channel was final, Unix ns
	resumed    bool  // after a restart: the next report only sets the base
}

// reading is the worker's counters at a time of its own clock, Unix ns.
type reading struct {
	timeNS int64
	usage  pricing.Usage
}

// Absolute tolerances, abs_j of 5.4.
const (
	absCPU    = 200_000_000 // ns: the resolution of /proc and two quota periods
	absFaults = 200_000     // kernels count them apart for a cgroup and for its processes
	absStaged = 64 << 20    // bytes: what windows and sockets may hold, in all and not every interval
)

// subject is what is compared together: its counters' sum, and what the
// publisher knows of it.
type subject struct {
	names     []pricing.Counter
	low, high uint64 // the sum at the report's time is between these
	abs       uint64
	word      bool // nothing is known: the provider's word
	exact     bool // counted by the publisher itself: the tolerance is for the whole lease
}

// read takes a reading of the worker (usage nil: none could be had) and the
// publisher's own counts of staged bytes.
func (c crossCheck) read(timeNS int64, usage pricing.Usage, stagedIn, stagedOut uint64) crossCheck {
	if usage != nil && timeNS >= c.last.timeNS {
		c.prev, c.last = c.last, reading{timeNS, usage.Clone()}
	}
	c.stagedIn, c.stagedOut = max(c.stagedIn, stagedIn), max(c.stagedOut, stagedOut)
	return c
}

// compare grants what a report claims beyond the one before, as far as it holds,
// and says what of it is disputed, or "". now is Unix ns.
func (c crossCheck) compare(u protocol.UsageReport, k protocol.Contract, trust bool, now int64) (crossCheck, string) {
	granted, used := c.granted.Clone(), make(map[pricing.Counter]uint64, len(c.used))
	var disputed []string
	for _, s := range c.subjects(u, k, trust, now) {
		var claim uint64
		for _, n := range s.names {
			claim = add(claim, rise(c.report[n], u.Usage[n]))
		}
		before := c.used[s.names[0]]
		take, covered := claim, claim
		if !s.word && !c.resumed {
			allowed := rise(before, s.high)
			covered = min(claim, allowed)
			tolerance := max(s.abs, share(claim, uint64(k.Terms.TolerancePPM), million))
			beyond := rise(allowed, claim)
			if s.exact {
				// What is on its way was claimed and not yet seen; it stays claimed.
				covered, tolerance, beyond = claim, s.abs, rise(s.high, add(before, claim))
			}
			if beyond > tolerance {
				take, covered = allowed, allowed
				disputed = append(disputed, fmt.Sprintf("%s: %d claimed, %d seen", s.names[0], claim, allowed))
			}
		}
		for _, n := range s.names {
			granted[n] = add(granted[n], share(rise(c.report[n], u.Usage[n]), take, max(claim, 1)))
		}
		// The next comparison begins where the readings cover this one. What they
		// did not cover is forgiven, being within the tolerance; what was bridged
		// without a reading is not: later readings have to make up for it.
		if c.resumed {
			before, covered = s.high, 0
		}
		used[s.names[0]] = max(add(before, covered), rise(s.abs, s.low))
	}
	for n, v := range granted {
		if v == 0 {
			delete(granted, n)
		}
	}
	c.granted, c.used, c.resumed, c.report = granted, used, false, u.Usage.Clone()
	return c, strings.Join(disputed, "; ")
}

// subjects lists every counter once. User and system time are one sum, because
// a kernel that samples them splits them differently in different places.
func (c crossCheck) subjects(u protocol.UsageReport, k protocol.Contract, trust bool, now int64) []subject {
	elapsed := max(now-c.since, 0) + second
	list := []subject{
		c.inside(u.TimeNS, k, trust, elapsed, absCPU, pricing.CPUUser, pricing.CPUSystem),
		c.inside(u.TimeNS, k, trust, elapsed, absFaults, pricing.FaultsMinor),
		c.inside(u.TimeNS, k, trust, elapsed, absFaults, pricing.FaultsMajor),
		{names: []pricing.Counter{pricing.StagedIn}, low: c.stagedIn, high: c.stagedIn, abs: absStaged, exact: true},
		{names: []pricing.Counter{pricing.StagedOut}, low: c.stagedOut, high: c.stagedOut, abs: absStaged, exact: true},
		// Memory cannot be read from inside, but the container has a limit.
		{names: []pricing.Counter{pricing.Memory}, high: share(k.Spec.Memory, uint64(elapsed), uint64(second)), abs: k.Spec.Memory},
	}
	for _, n := range []pricing.Counter{pricing.BlockRead, pricing.BlockWrite, pricing.BlockReadOps, pricing.BlockWriteOps, pricing.NetRx, pricing.NetTx} {
		list = append(list, subject{names: []pricing.Counter{n}, word: true})
	}
	return list
}

// inside bounds counters that the worker reads. A reading that did not come is
// bridged for an interval and grace: CPU time by the container's share, faults,
// which have no limit, by the provider's word. After that nothing more is granted,
// unless the worker never answered and the publisher's policy is trust.
func (c crossCheck) inside(at int64, k protocol.Contract, trust bool, elapsed int64, abs uint64, names ...pricing.Counter) subject {
	s := subject{names: names, abs: abs}
	bridge := Interval(k.Terms) + Grace(k.Terms)
	beyond := at - c.last.timeNS
	switch {
	case c.last.usage == nil && trust:
		bridge, beyond = elapsed, elapsed
	case c.last.usage == nil:
		beyond = elapsed
	case !seen(c.last.usage, names):
		s.word = true
		return s
	case beyond <= 0:
		if at >= c.prev.timeNS {
			s.low = sum(c.prev.usage, names)
		}
		s.high = sum(c.last.usage, names)
		return s
	}
	s.low = sum(c.last.usage, names)
	if names[0] == pricing.CPUUser {
		s.high = s.low + share(uint64(min(beyond, bridge)), uint64(k.Spec.MilliCPU)*11, 10_000) // and a tenth
	} else if s.high = s.low; beyond <= bridge {
		s.word = true
	}
	return s
}

// limit lowers what is agreed so that its bill by rates is at most most. last is
// what was agreed before, with its bill; it is within most already.
func limit(rates pricing.Rates, want, last pricing.Usage, most uint64) (pricing.Usage, uint64, error) {
	bill, err := rates.Bill(want)
	if err == nil && uint64(bill) <= most {
		return want, uint64(bill), nil
	}
	before, lastErr := rates.Bill(last)
	if lastErr != nil {
		return nil, 0, lastErr
	}
	// Every counter's term is rounded down, so a share of the differences may bill
	// one nXEN a counter more than that share of the money.
	terms := uint64(len(rates))
	if err == nil && most > uint64(before)+terms {
		num, den := most-uint64(before)-terms, uint64(bill)-uint64(before)+terms
		part := last.Clone()
		for n, v := range want {
			part[n] += share(rise(last[n], v), num, den)
		}
		if bill, err := rates.Bill(part); err == nil && uint64(bill) <= most {
			return part, uint64(bill), nil
		}
	}
	return last.Clone(), uint64(before), nil
}

// seen reports whether any of the counters is in a reading.
func seen(u pricing.Usage, names []pricing.Counter) bool {
	for _, n := range names {
		if _, ok := u[n]; ok {
			return true
		}
	}
	return false
}

// sum adds counters, saturating.
func sum(u pricing.Usage, names []pricing.Counter) uint64 {
	var total uint64
	for _, n := range names {
		total = add(total, u[n])
	}
	return total
}

// add is a + b, saturating.
func add(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return s
}

// rise is b - a, 0 where b is not above a.
func rise(a, b uint64) uint64 {
	if b <= a {
		return 0
	}
	return b - a
}

// share is ⌊n·num/den⌋, saturating.
func share(n, num, den uint64) uint64 {
	hi, lo := bits.Mul64(n, num)
	if den == 0 || hi >= den {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, den)
	return q
}
