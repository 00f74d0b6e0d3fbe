// Package devnet is the embedded network: a ledger with one delegate, three
// providers with their own keys, ledger clients and peer hosts, and one funded
// publisher, all in this process, talking over loopback sockets only. It is made
// of exactly the parts that a real network has (jobrunner/daemon); nothing in it
// is a mock, only the number of machines is small. All state is in the home, so
// that a network that was killed goes on where it was.
package devnet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/daemon"
	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
)

// Providers is how many sell containers.
const Providers = 3

// The timing of the embedded network, where everybody is near.
const (
	Interval = 2 * time.Second
	Grace    = 4 * time.Second
	gather   = 200 * time.Millisecond
)

// What the genesis gives.
const (
	publisherMoney = 1000 * types.XEN
	providerMoney  = 10 * types.XEN
)

// Config is where and how loud.
type Config struct {
	Home     home.Home
	Progress func(string) // told what happens, in words; nil is silent
	Log      *slog.Logger
}

// Network is a running embedded network.
type Network struct {
	cfg       Config
	node      *node.Node
	ledger    *client.Client
	providers []*daemon.Provider
	publisher *daemon.Publisher
}

// Start brings everything up, or nothing. The caller holds the home's lock.
func Start(ctx context.Context, cfg Config) (n *Network, err error) {
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	n = &Network{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close(context.WithoutCancel(ctx)))
			n = nil
		}
	}()
	if os.Geteuid() != 0 {
		return n, errors.New("the embedded network runs containers, which needs root here: use sudo, or a zennetd of your own")
	}
	dir := cfg.Home.Devnet()
	publisher, err := cfg.Home.Key("publisher")
	if err != nil {
		return n, err
	}
	keys := make([]types.PrivateKey, Providers)
	for i := range keys {
		if keys[i], err = home.KeyFile(filepath.Join(providerDir(dir, i), "provider.key")); err != nil {
			return n, err
		}
	}
	genesis, err := ensureGenesis(dir, publisher.Address(), keys)
	if err != nil {
		return n, err
	}
	cfg.Progress("starting a ledger with one delegate")
	if n.node, err = node.Start(ctx, node.Config{Home: filepath.Join(dir, "ledger"), RPC: "127.0.0.1:0", Genesis: genesis, Log: cfg.Log}); err != nil {
		return n, fmt.Errorf("ledger: %w", err)
	}
	if n.ledger, err = client.Open(ctx, client.Config{RPC: n.node.RPC(), Genesis: genesis, Log: cfg.Log}); err != nil {
		return n, fmt.Errorf("ledger: %w", err)
	}
	if err = n.startProviders(ctx, dir, keys, genesis); err != nil {
		return n, err
	}
	n.publisher, err = daemon.StartPublisher(ctx, daemon.PublisherConfig{Home: cfg.Home, Key: publisher, RPC: n.node.RPC(), Genesis: genesis,
		Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Interval: Interval, Grace: Grace, Gather: gather, Log: cfg.Log, Network: n.describe})
	if err != nil {
		return n, fmt.Errorf("publisher: %w", err)
	}
	return n, nil
}

func providerDir(dir string, i int) string {
	return filepath.Join(dir, fmt.Sprintf("provider-%d", i+1))
}

// startProviders starts the sellers. They share one machine, so each offers all
// of its cores, and a part of its memory and disk.
func (n *Network) startProviders(ctx context.Context, dir string, keys []types.PrivateKey, genesis chain.Genesis) error {
	capacity, err := daemon.MachineCapacity(dir)
	if err != nil {
		return err
	}
	capacity.Memory /= Providers
	capacity.Disk /= Providers
	benchDir := filepath.Join(dir, "bench")
	if cache, err := os.UserCacheDir(); err == nil {
		benchDir = filepath.Join(cache, "zennet", "bench")
	}
	n.cfg.Progress(fmt.Sprintf("starting %d providers (each measures its machine the first time)", Providers))
	for i, key := range keys {
		p, err := daemon.StartProvider(ctx, daemon.ProviderConfig{Dir: providerDir(dir, i), Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, RPC: n.node.RPC(), Genesis: genesis,
			BenchDir: benchDir, Capacity: capacity, Image: ownImage, Log: n.cfg.Log})
		if err != nil {
			return fmt.Errorf("provider %d: %w", i+1, err)
		}
		n.providers = append(n.providers, p)
	}
	return nil
}

// ownImage lets the publisher name root file systems by path: in the embedded
// network the machine is its own.
func ownImage(name string) (string, bool) { return name, name == "host" || filepath.IsAbs(name) }

// ensureGenesis reads the network's genesis, or makes it: the publisher and the
// providers have money, and the one delegate its bond.
func ensureGenesis(dir string, publisher types.Address, providers []types.PrivateKey) (chain.Genesis, error) {
	path := filepath.Join(dir, "genesis.json")
	g, err := node.LoadGenesis(path)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return g, err
	}
	consensus, err := node.ConsensusKey(filepath.Join(dir, "ledger"))
	if err != nil {
		return g, err
	}
	delegate, err := home.KeyFile(filepath.Join(dir, "ledger", "delegate.key"))
	if err != nil {
		return g, err
	}
	params := chain.DevParams()
	g = chain.Genesis{Params: params, Time: time.Now().Unix(),
		Accounts:  []chain.GenesisAccount{{Address: publisher, Amount: publisherMoney}, {Address: delegate.Address(), Amount: params.Bond + providerMoney}},
		Delegates: []chain.GenesisDelegate{{Address: delegate.Address(), ConsensusKey: consensus, Name: "devnet"}},
	}
	for _, key := range providers {
		g.Accounts = append(g.Accounts, chain.GenesisAccount{Address: key.Address(), Amount: providerMoney})
	}
	if _, err := rand.Read(g.Random[:]); err != nil {
		return g, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return g, err
	}
	return g, node.SaveGenesis(path, g)
}

// describe adds the providers to what the API tells.
func (n *Network) describe(ctx context.Context, out *api.Network) error {
	for i, p := range n.providers {
		account, _, err := n.ledger.Account(ctx, p.Address())
		if err != nil {
			return err
		}
		out.Providers = append(out.Providers, api.Provider{Name: fmt.Sprintf("provider-%d", i+1), Address: p.Address(), Balance: account.Balance})
	}
	return nil
}

// Running is the number of jobs that have not ended.
func (n *Network) Running() int { return n.publisher.Running() }

// Failed is closed when the publisher can store nothing any more. Err says why.
func (n *Network) Failed() <-chan struct{} { return n.publisher.Failed() }

// Err is nil until Failed is closed.
func (n *Network) Err() error { return n.publisher.Err() }

// WaitIdle returns when no job runs.
func (n *Network) WaitIdle(ctx context.Context) error { return n.publisher.WaitIdle(ctx) }

// Close stops the publisher, then the providers, then the ledger.
func (n *Network) Close(ctx context.Context) error {
	var errs []error
	if n.publisher != nil {
		errs = append(errs, n.publisher.Close(ctx))
	}
	for _, p := range n.providers {
		errs = append(errs, p.Close(ctx))
	}
	if n.ledger != nil {
		n.ledger.Close()
	}
	if n.node != nil {
		errs = append(errs, n.node.Close())
	}
	return errors.Join(errs...)
}
