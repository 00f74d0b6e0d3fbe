package pricing

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/zennet/zennet/ledger/types"
)

// Counter names one cumulative, measured quantity of a container (PROTOCOL.md
// 2, "Counters"). Its values are integers in the base unit given here.
type Counter string

const (
	CPUUser       Counter = "cpu_user"        // ns of CPU time in user mode
	CPUSystem     Counter = "cpu_system"      // ns of CPU time in the kernel
	Memory        Counter = "memory"          // byte-seconds: memory in use, integrated over time
	FaultsMinor   Counter = "faults_minor"    // page faults served from memory
	FaultsMajor   Counter = "faults_major"    // page faults that read a disk
	BlockRead     Counter = "block_read"      // bytes read from block devices
	BlockWrite    Counter = "block_write"     // bytes written to block devices
	BlockReadOps  Counter = "block_read_ops"  // read requests to block devices
	BlockWriteOps Counter = "block_write_ops" // write requests to block devices
	NetRx         Counter = "net_rx"          // bytes received on the container's network
	NetTx         Counter = "net_tx"          // bytes sent on the container's network
	StagedIn      Counter = "staged_in"       // bytes that came into the lease: blobs and worker frames, and what it pulled from others
	StagedOut     Counter = "staged_out"      // bytes that the lease sent: outputs, logs, frames, and what others pulled from it
)

// Unit says how many base units make the unit that rates are quoted in, and
// its name for people.
type Unit struct {
	Per  uint64 // base units in one priced unit
	Name string // "CPU hour", "GiB hour", …
}

// Units is every counter with the unit of its rate (PROTOCOL.md 2.4, 2.6).
var Units = map[Counter]Unit{
	CPUUser:       {3600e9, "CPU hour"},
	CPUSystem:     {3600e9, "CPU hour"},
	Memory:        {3600 << 30, "GiB hour"},
	FaultsMinor:   {1e6, "million"},
	FaultsMajor:   {1e6, "million"},
	BlockRead:     {1 << 30, "GiB"},
	BlockWrite:    {1 << 30, "GiB"},
	BlockReadOps:  {1e6, "million"},
	BlockWriteOps: {1e6, "million"},
	NetRx:         {1 << 30, "GiB"},
	NetTx:         {1 << 30, "GiB"},
	StagedIn:      {1 << 30, "GiB"},
	StagedOut:     {1 << 30, "GiB"},
}

// Counters lists the known counters in a fixed order, for tables.
var Counters = []Counter{CPUUser, CPUSystem, Memory, FaultsMinor, FaultsMajor, BlockRead, BlockWrite,
	BlockReadOps, BlockWriteOps, NetRx, NetTx, StagedIn, StagedOut}

// Usage is cumulative counters in base units. A missing counter is 0.
type Usage map[Counter]uint64

// Validate refuses unknown counters.
func (u Usage) Validate() error {
	for c := range u {
		if _, ok := Units[c]; !ok {
			return fmt.Errorf("%w: %q", ErrCounter, string(c))
		}
	}
	return nil
}

// Clone is an independent copy.
func (u Usage) Clone() Usage {
	out := make(Usage, len(u))
	for c, n := range u {
		out[c] = n
	}
	return out
}

// Rate is an integer price: NXEN for every Per base units of a counter.
type Rate struct {
	NXEN uint64 `cbor:"1,keyasint" json:"nxen"`
	Per  uint64 `cbor:"2,keyasint" json:"per"`
}

// Rates prices counters; a counter without a rate costs nothing.
type Rates map[Counter]Rate

// Validate refuses unknown counters and a Per of 0.
func (r Rates) Validate() error {
	for c, rate := range r {
		if _, ok := Units[c]; !ok {
			return fmt.Errorf("%w: %q", ErrCounter, string(c))
		}
		if rate.Per == 0 {
			return fmt.Errorf("%w: %s has no unit", ErrRate, string(c))
		}
	}
	return nil
}

// Bill is Σ ⌊nxen·usage/per⌋ over cumulative counters (PROTOCOL.md 2.6), in wide
// integers: every term is computed in 128 bits. It never decreases when usage
// grows. A sum beyond 64 bits is types.ErrOverflow; a bad rate is ErrRate.
func (r Rates) Bill(u Usage) (types.Amount, error) {
	var total types.Amount
	for c, n := range u {
		rate, priced := r[c]
		if !priced {
			continue
		}
		if rate.Per == 0 {
			return 0, fmt.Errorf("%w: %s has no unit", ErrRate, string(c))
		}
		hi, lo := bits.Mul64(rate.NXEN, n)
		if hi >= rate.Per {
			return 0, fmt.Errorf("%w: bill of %s", types.ErrOverflow, string(c))
		}
		q, _ := bits.Div64(hi, lo, rate.Per)
		var err error
		if total, err = total.Add(types.Amount(q)); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// Sorted lists the counters that are in u, in the order of Counters.
func (u Usage) Sorted() []Counter {
	var out []Counter
	for _, c := range Counters {
		if _, ok := u[c]; ok {
			out = append(out, c)
		}
	}
	return slices.Clip(out)
}
