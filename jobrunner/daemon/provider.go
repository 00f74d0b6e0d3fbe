package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	goruntime "runtime"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/agent"
	"github.com/zennet/zennet/provider/bench"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/runtime"
)

// DefaultPrice is what a core asks for an hour.
const DefaultPrice = bench.DefaultCoreHour

// ProviderConfig is one provider.
type ProviderConfig struct {
	Dir      string // of containers, leases, blobs
	Key      types.PrivateKey
	RPC      string // of a ledger node
	Genesis  chain.Genesis
	BenchDir string // where the machine's benchmarks are kept; "" = Dir
	Capacity agent.Capacity
	Price    types.Amount // asked for a core hour; 0 = DefaultPrice
	Listen   []string     // multiaddrs where other providers reach it; none: what tasks leave goes through the publisher
	// Image gives the root file system of an image name; nil knows "host" only.
	Image func(name string) (string, bool)
	Log   *slog.Logger
}

// Provider is a running provider.
type Provider struct {
	addr   types.Address
	ledger *client.Client
	host   host.Host
	agent  *agent.Agent

	stop    context.CancelFunc
	running sync.WaitGroup
	runErr  error
	failed  chan struct{} // closed when runErr was set
}

// StartProvider measures the machine where that is not done yet, and begins to
// follow the ledger's announcements. It settles or resumes what an earlier
// process left.
func StartProvider(ctx context.Context, cfg ProviderConfig) (p *Provider, err error) {
	p = &Provider{addr: cfg.Key.Address(), failed: make(chan struct{})}
	defer func() {
		if err != nil {
			p.Close(context.WithoutCancel(ctx))
			p = nil
		}
	}()
	worker, err := FindWorker()
	if err != nil {
		return p, err
	}
	if cfg.BenchDir == "" {
		cfg.BenchDir = cfg.Dir
	}
	rt, err := runtime.NewRunc(runtime.Config{Dir: filepath.Join(cfg.Dir, "runc"), Worker: worker, Label: p.addr.String()[4:20], Log: cfg.Log})
	if err != nil {
		return p, err
	}
	report, err := bench.Measure(ctx, rt, cfg.BenchDir, cfg.Price, cfg.Log)
	if err != nil {
		return p, fmt.Errorf("measure this machine: %w", err)
	}
	rates, _, err := bench.Rates(report)
	if err != nil {
		return p, fmt.Errorf("price this machine: %w", err)
	}
	machine, err := meter.Machine()
	if err != nil {
		return p, err
	}
	if p.ledger, err = client.Open(ctx, client.Config{RPC: cfg.RPC, Genesis: cfg.Genesis, Home: filepath.Join(cfg.Dir, "light"), Log: cfg.Log}); err != nil {
		return p, fmt.Errorf("ledger: %w", err)
	}
	if p.host, err = peer.New(cfg.Key, cfg.Listen); err != nil {
		return p, fmt.Errorf("peer network: %w", err)
	}
	params := contract.DefaultParams()
	params.MarginSeconds = uint32(cfg.Genesis.Params.MarginSeconds)
	p.agent, err = agent.New(agent.Config{Dir: cfg.Dir, Key: cfg.Key, Host: p.host, Ledger: p.ledger, Runtime: rt,
		Capacity: cfg.Capacity, Hardware: machine, Benchmarks: report, Rates: rates, Policy: providerPolicy, Params: params,
		Image: cfg.Image, Log: cfg.Log})
	if err != nil {
		return p, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.running.Add(1)
	go func() {
		defer p.running.Done()
		if err := p.agent.Run(run); err != nil && !errors.Is(err, context.Canceled) {
			p.runErr = err
			close(p.failed)
			cfg.Log.Error("provider stopped", "provider", p.addr, "err", err)
		}
	}()
	return p, nil
}

// providerPolicy is what every provider agrees to for now: its asked price, and
// terms between those of a devnet and those of a slow link.
var providerPolicy = contract.ProviderPolicy{
	MinIntervalSeconds: 1, MaxIntervalSeconds: 60,
	MinGraceSeconds: 1, MaxGraceSeconds: 120,
	MaxHoldback: types.XEN, MaxLeaseSeconds: 30 * 24 * 3600,
}

// Address is the provider's account.
func (p *Provider) Address() types.Address { return p.addr }

// Failed is closed when the provider cannot go on, such as on a full disk: its
// containers stand frozen, and a new process has to take its leases up. Err then
// says why.
func (p *Provider) Failed() <-chan struct{} { return p.failed }

// Err is nil until Failed is closed.
func (p *Provider) Err() error {
	select {
	case <-p.failed:
		return fmt.Errorf("provider stopped, it goes on when it is started again: %w", p.runErr)
	default:
		return nil
	}
}

// Close stops providing. Containers and leases stay: the next start resumes or
// settles them.
func (p *Provider) Close(context.Context) error {
	var errs []error
	if p.stop != nil {
		p.stop()
		p.running.Wait()
		errs = append(errs, p.runErr)
	}
	if p.agent != nil {
		errs = append(errs, p.agent.Close())
	}
	if p.host != nil {
		errs = append(errs, p.host.Close())
	}
	if p.ledger != nil {
		p.ledger.Close()
	}
	return errors.Join(errs...)
}

// MachineCapacity is what this machine can offer: all cores, four fifths of its
// memory, half of what is free on dir's disk.
func MachineCapacity(dir string) (agent.Capacity, error) {
	machine, err := meter.Machine()
	if err != nil {
		return agent.Capacity{}, err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return agent.Capacity{}, fmt.Errorf("free disk of %s: %w", dir, err)
	}
	return agent.Capacity{MilliCPU: uint32(goruntime.NumCPU() * 1000), Memory: machine.Memory / 5 * 4,
		Disk: fs.Bavail * uint64(fs.Bsize) / 2}, nil
}
