package contract

import (
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Params are the numbers of the life cycle that are not in the contract.
type Params struct {
	// MarginSeconds is how long before the channel's expiry the provider has
	// closed it (3.3): 600, smaller in tests and the devnet.
	MarginSeconds uint32
	// SamplesPerInterval is how often the provider reads its meter in an interval.
	SamplesPerInterval uint32
	// Strikes is how many disputed reports end a lease (5.4).
	Strikes uint32
	// TimeoutSeconds bounds each phase that waits for somebody; 0 takes the
	// default. Active and Suspended are bounded by interval and grace instead.
	TimeoutSeconds map[Phase]uint32
	// StartSeconds is how long a publisher waits for a container whose start does not
	// get on; 0 = 30. The phase's timeout bounds the start as a whole.
	StartSeconds uint32
	// RetrySeconds is the wait before an unanswered ledger action is begun again.
	RetrySeconds uint32
}

// DefaultParams are the values for a real network.
func DefaultParams() Params {
	return Params{MarginSeconds: 600, SamplesPerInterval: 4, Strikes: 3, RetrySeconds: 5}
}

// defaultTimeout bounds the phases, in seconds.
var defaultTimeout = map[Phase]uint32{
	Matched:      30,  // to dial
	Announced:    30,  // an incoming stream says who it is
	Capabilities: 300, // the publisher collects offers
	Negotiating:  30,  // all of it
	Channel:      120, // OPEN to be final and proven
	Confirmed:    180, // publisher: until Ready
	Provisioning: 120, // provider: image, container, worker
	Closing:      30,  // publisher: until the provider settles, then the ledger is asked
}

// timeout is the bound of a phase in nanoseconds.
func (p Params) timeout(ph Phase) int64 {
	if s := p.TimeoutSeconds[ph]; s > 0 {
		return int64(s) * second
	}
	return int64(defaultTimeout[ph]) * second
}

// defaultStart is in seconds: nothing but an image takes long, and of that its
// provider tells.
const defaultStart = 30

// start is StartSeconds in nanoseconds.
func (p Params) start() int64 {
	if p.StartSeconds == 0 {
		return defaultStart * second
	}
	return int64(p.StartSeconds) * second
}

func (p Params) retry() int64 { return int64(max(p.RetrySeconds, 1)) * second }

// second is one second in nanoseconds, the unit of all times here.
const second = int64(1_000_000_000)

// Interval is the payment interval in nanoseconds, without its sign.
func Interval(t protocol.Terms) int64 {
	return int64(max(t.IntervalSeconds, -t.IntervalSeconds)) * second
}

// Grace is the grace time in nanoseconds.
func Grace(t protocol.Terms) int64 { return int64(t.GraceSeconds) * second }

// Prepaid reports whether the publisher pays ahead (1.13).
func Prepaid(t protocol.Terms) bool { return t.IntervalSeconds < 0 }

// Exposure is E of 1.9: what the provider may have delivered without a voucher.
// It is 0 where the publisher prepays, for then the provider risks nothing.
func Exposure(t protocol.Terms) types.Amount {
	if Prepaid(t) {
		return 0
	}
	return saturate(Earned(t.MaxRate, Interval(t)+Grace(t)).Add(t.Holdback))
}

// Earned is the most that maxRate (nXEN an hour) allows in d nanoseconds,
// rounded down; 0 for a negative d.
func Earned(maxRate types.Amount, d int64) types.Amount {
	if d <= 0 {
		return 0
	}
	return saturate(maxRate.MulDiv(uint64(d), 3600*uint64(second)))
}

// Cap is the most that the publisher has signed at a time since nanoseconds
// after the channel was final (1.9, 1.13).
func Cap(t protocol.Terms, since int64) types.Amount {
	if Prepaid(t) {
		since += Interval(t)
	}
	return Earned(t.MaxRate, since)
}

// saturate reads an overflow as the largest amount.
func saturate(a types.Amount, err error) types.Amount {
	if err != nil {
		return ^types.Amount(0)
	}
	return a
}
