package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
)

// Ledger is what the agent needs of the ledger; *client.Client is one.
type Ledger interface {
	LedgerID() types.Hash
	Announcements(ctx context.Context) ([]chain.Announcement, error)
	// Follow delivers every block from the next one on.
	Follow(ctx context.Context) (<-chan client.Block, error)
	// Channel is proven; client.ErrNotFound where it is proven absent, with the
	// header that proves it.
	Channel(ctx context.Context, id types.Hash) (chain.Channel, client.Header, error)
	// Broadcast waits for finality and is idempotent.
	Broadcast(ctx context.Context, tx chain.Tx) (client.Receipt, error)
}

// Runtime is what the agent needs of a container runtime; *runtime.Runc is one.
type Runtime interface {
	Containers
	Inspector
}

// Containers starts and stops containers, by ID.
type Containers interface {
	Start(ctx context.Context, s runtime.Spec) error
	Freeze(ctx context.Context, id string) error
	Thaw(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
	List(ctx context.Context) ([]string, error)
	// Unpacked counts the bytes of images that were read so far: what a Start that
	// takes long gets on by.
	Unpacked() uint64
}

// Inspector looks at containers and images.
type Inspector interface {
	Dial(ctx context.Context, id string) (net.Conn, error)
	Status(ctx context.Context, id string) (runtime.Status, error)
	Wait(ctx context.Context, id string) (runtime.Status, error)
	Cgroup(id string) meter.Paths
	Versions(ctx context.Context, image string, programs []string) (map[string]string, error)
}

var (
	_ Ledger  = (*client.Client)(nil)
	_ Runtime = (*runtime.Runc)(nil)
)

// Meter reads what a container used; *meter.Meter is one.
type Meter interface {
	Read() (meter.Reading, error)
	Close() error
}

// Capacity is what the operator offers in all.
type Capacity struct {
	MilliCPU uint32 // 1000 = one core
	Memory   uint64 // bytes
	Disk     uint64 // bytes of scratch
	Leases   int    // containers at once; 0 = maxLeases
}

// Config is what an operator decides, and the parts that the agent works with.
type Config struct {
	Dir     string // agent.db and blobs/<publisher>; made if missing; one agent at a time
	Key     types.PrivateKey
	Host    host.Host // with Key's identity; the agent takes its worker and blob protocols
	Ledger  Ledger
	Runtime Runtime
	// OpenMeter meters a container whose first process is pid; nil opens a
	// meter.Meter on the runtime's cgroups.
	OpenMeter func(id string, pid int) (Meter, error)

	Capacity   Capacity
	Hardware   meter.Hardware       // told to publishers
	Benchmarks []protocol.Benchmark // told to publishers: V and s of PROTOCOL.md 2.2
	Rates      pricing.Rates        // asked
	// MaxRate is what an hour of a container costs under full load, in nXEN; nil is
	// pricing.FullRate of Rates.
	MaxRate func(protocol.Spec) types.Amount
	Policy  contract.ProviderPolicy // zero is DefaultPolicy
	Params  contract.Params         // zero is contract.DefaultParams
	// Image gives the runtime's name of an image that an announcement names, or
	// false. nil knows "host" only. It must not let strangers choose host folders.
	Image func(name string) (string, bool)
	// Accept, where set, has the last word on an announcement; an error says why not.
	Accept func(from types.Address, ann protocol.Ann) error
	// BlobBytes bounds the blobs that one publisher keeps here, and all that idle
	// publishers keep together; 0 is 16 GiB.
	BlobBytes uint64

	Log *slog.Logger // nil discards
}

// DefaultPolicy accepts intervals up to a minute, for a week, at the asked price.
func DefaultPolicy() contract.ProviderPolicy {
	return contract.ProviderPolicy{MinIntervalSeconds: 1, MaxIntervalSeconds: 60, MinGraceSeconds: 1, MaxGraceSeconds: 120,
		MaxLeaseSeconds: 7 * 24 * 3600}
}

// check fills in defaults and says what is missing.
func (c *Config) check() error {
	switch {
	case c.Dir == "" || c.Key.IsZero() || c.Host == nil || c.Ledger == nil || c.Runtime == nil:
		return fmt.Errorf("%w: a folder, a key, a host, a ledger and a runtime are needed", ErrConfig)
	case c.Capacity.MilliCPU == 0 || c.Capacity.Memory == 0 || c.Capacity.Disk == 0:
		return fmt.Errorf("%w: nothing is offered: %+v", ErrConfig, c.Capacity)
	case len(c.Rates) == 0:
		return fmt.Errorf("%w: nothing has a price", ErrConfig)
	}
	if err := c.Rates.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.Params.MarginSeconds == 0 {
		c.Params = contract.DefaultParams()
	}
	if c.Policy.MaxLeaseSeconds == 0 {
		c.Policy = DefaultPolicy()
	}
	if c.Capacity.Leases <= 0 || c.Capacity.Leases > maxLeases {
		c.Capacity.Leases = maxLeases
	}
	if c.BlobBytes == 0 {
		c.BlobBytes = 16 << 30
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxRate == nil {
		c.MaxRate = func(s protocol.Spec) types.Amount { return pricing.FullRate(c.Rates, s.MilliCPU, s.Memory) }
	}
	if c.Image == nil {
		c.Image = func(name string) (string, bool) { return name, name == "host" }
	}
	if c.OpenMeter == nil {
		c.OpenMeter = func(id string, pid int) (Meter, error) { return meter.Open(c.Runtime.Cgroup(id), pid) }
	}
	return nil
}
