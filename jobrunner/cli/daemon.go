package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/zennet/zennet/jobrunner/daemon"
	"github.com/zennet/zennet/jobrunner/devnet"
	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/jobrunner/lease"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/agent"
)

type daemonFlags struct {
	devnet, publish, provide bool
	home, ledger, genesis    string
	listen, meet             []string
	cpu                      float64
	memory, disk, price      string
	profile                  string
	interval, grace          time.Duration
}

func newDaemon(e env) *cobra.Command {
	var f daemonFlags
	root := &cobra.Command{
		Use:   "zennetd",
		Short: "The Zennet node: publish jobs, provide containers, or run a whole small network",
		Long: `zennetd runs until it is interrupted. With --publish it leases containers for the jobs
that zennet-job hands to it; with --provide it sells containers of this machine (needs
root and runc); both may be given. With --devnet it keeps up a whole network on this
machine: a ledger, three providers, one publisher.

Keys are in the state folder, encrypted where ZENNET_PASSPHRASE, or the first line of the
file that ZENNET_PASSPHRASE_FILE names, gives a passphrase.

Exit status: 0 stopped in order, 2 flags wrong, 4 the ledger does not answer or
the state folder's disk is full or broken (started again, it goes on), 1 otherwise.`,
		Example: `  zennetd --devnet
  zennetd --publish --ledger http://127.0.0.1:26657 --genesis genesis.json
  zennetd --provide --ledger http://127.0.0.1:26657 --genesis genesis.json --home /var/lib/zennet --cpu 2`,
		Args: func(cmd *cobra.Command, given []string) error {
			if len(given) > 0 {
				return usage("unknown command %q (see zennetd --help)", given[0])
			}
			return nil
		},
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDaemon(cmd.Context(), e, f) },
	}
	root.SetIn(e.in)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage("%v (see zennetd --help)", err) })
	fl := root.Flags()
	fl.BoolVar(&f.devnet, "devnet", false, "run a ledger, three providers and a publisher on this machine")
	fl.BoolVar(&f.publish, "publish", false, "lease containers for jobs")
	fl.BoolVar(&f.provide, "provide", false, "sell containers of this machine")
	fl.StringVar(&f.ledger, "ledger", "", "URL of a ledger node, such as http://127.0.0.1:26657")
	fl.StringVar(&f.genesis, "genesis", "", "the ledger's genesis file")
	fl.StringSliceVar(&f.listen, "listen", []string{"/ip4/127.0.0.1/tcp/0"}, "multiaddrs where providers reach this publisher")
	fl.StringSliceVar(&f.meet, "meet", []string{"/ip4/127.0.0.1/tcp/0"}, "multiaddrs where other providers reach this one for what its tasks left")
	fl.Float64Var(&f.cpu, "cpu", 0, "cores to sell (default: all)")
	fl.StringVar(&f.memory, "memory", "", "memory to sell, such as 8G (default: 80% of the machine's)")
	fl.StringVar(&f.disk, "disk", "", "scratch disk to sell, such as 100G (default: half of what is free)")
	fl.StringVar(&f.price, "price", daemon.DefaultPrice.String(), "asked for a core hour")
	fl.DurationVar(&f.interval, "interval", lease.DefaultInterval, "between payments (publisher)")
	fl.DurationVar(&f.grace, "grace", lease.DefaultGrace, "how late a payment or a frame may be (publisher)")
	fl.StringVar(&f.profile, "profile", "", "serve pprof at this loopback address, such as 127.0.0.1:6060")
	root.PersistentFlags().StringVar(&f.home, "home", "", "state folder (default: ZENNET_HOME)")
	root.AddCommand(addressCmd(e, &f))
	return root
}

func (f daemonFlags) openHome() (home.Home, error) {
	if f.home == "" {
		return openHome()
	}
	dir, err := filepath.Abs(f.home)
	if err != nil {
		return home.Home{}, err
	}
	h := home.Home{Dir: dir}
	return h, h.Make()
}

// addressCmd prints an account, so that a genesis or a friend can fund it.
func addressCmd(e env, f *daemonFlags) *cobra.Command {
	return &cobra.Command{
		Use: "address publisher|provider", Short: "Print the account of a role, making its key if it has none",
		Example: "  zennetd address publisher --home /var/lib/zennet", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if args[0] != "publisher" && args[0] != "provider" {
				return usage("%q: want publisher or provider", args[0])
			}
			h, err := f.openHome()
			if err != nil {
				return err
			}
			key, err := h.Key(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(e.out, key.Address())
			return nil
		},
	}
}

func runDaemon(ctx context.Context, e env, f daemonFlags) error {
	switch {
	case f.devnet && (f.publish || f.provide):
		return usage("--devnet stands alone: it publishes and provides by itself")
	case !f.devnet && !f.publish && !f.provide:
		return usage("one of --devnet, --publish, --provide is needed (see zennetd --help)")
	case f.interval < time.Second || f.interval%time.Second != 0 || f.grace < time.Second || f.grace%time.Second != 0:
		return usage("--interval %s, --grace %s: want whole seconds, at least 1s", f.interval, f.grace)
	case !f.devnet && (f.ledger == "" || f.genesis == ""):
		return usage("--ledger and --genesis say which ledger to join")
	}
	h, err := f.openHome()
	if err != nil {
		return err
	}
	release, err := h.Lock()
	if err != nil {
		return exit{exitFailed, err}
	}
	defer release()
	log, closeLog, err := openLog(h)
	if err != nil {
		return err
	}
	defer closeLog()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	profiled, err := serveProfile(e, f.profile)
	if err != nil {
		return err
	}
	defer profiled()
	start := startRoles
	if f.devnet {
		start = startDevnet
	}
	roles, err := start(ctx, e, h, f, log)
	if err != nil {
		return err
	}
	var why error
	select {
	case <-ctx.Done():
	case <-roles.published:
	case <-roles.provided:
	}
	if why = roles.err(); why != nil {
		why = exit{exitNoDaemon, why}
	}
	stop() // a second signal ends the process at once
	e.say("zennetd: stopping")
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err := roles.down(bounded); why == nil {
		why = err
	}
	return why
}

// roles is what a daemon runs: how to end it, and whether it cannot go on.
type roles struct {
	down                func(context.Context) error
	published, provided <-chan struct{} // closed when the role cannot go on; nil where it is not played
	errs                []func() error  // why, of each role
}

func (r roles) err() error {
	var all []error
	for _, err := range r.errs {
		all = append(all, err())
	}
	return errors.Join(all...)
}

func startDevnet(ctx context.Context, e env, h home.Home, f daemonFlags, log *slog.Logger) (roles, error) {
	net, err := devnet.Start(ctx, devnet.Config{Home: h, Progress: func(s string) { e.say("zennetd: %s", s) }, Log: log})
	if err != nil {
		return roles{}, exit{exitNoDaemon, err}
	}
	e.say("zennetd: devnet ready at %s", h.Socket())
	return roles{down: net.Close, published: net.Failed(), errs: []func() error{net.Err}}, nil
}

// unlessSaid gives err an exit status, where it has none of its own.
func unlessSaid(code int, err error) error {
	if e := (exit{}); errors.As(err, &e) {
		return err
	}
	return exit{code, err}
}

// startRoles starts what was asked for.
func startRoles(ctx context.Context, e env, h home.Home, f daemonFlags, log *slog.Logger) (roles, error) {
	genesis, err := node.LoadGenesis(f.genesis)
	if err != nil {
		return roles{}, usage("%v", err)
	}
	var out roles
	var downs []func(context.Context) error
	out.down = func(ctx context.Context) error {
		var errs []error
		for i := len(downs) - 1; i >= 0; i-- {
			errs = append(errs, downs[i](ctx))
		}
		return errors.Join(errs...)
	}
	if f.provide {
		p, err := f.startProvider(ctx, h, genesis, log)
		if err != nil {
			return roles{}, errors.Join(unlessSaid(exitNoDaemon, err), out.down(ctx))
		}
		downs = append(downs, p.Close)
		out.provided, out.errs = p.Failed(), append(out.errs, p.Err)
		e.say("zennetd: providing as %s", p.Address())
	}
	if f.publish {
		key, err := h.Key("publisher")
		if err != nil {
			return roles{}, errors.Join(err, out.down(ctx))
		}
		p, err := daemon.StartPublisher(ctx, daemon.PublisherConfig{Home: h, Key: key, RPC: f.ledger, Genesis: genesis,
			Listen: f.listen, Interval: f.interval, Grace: f.grace, Log: log})
		if err != nil {
			return roles{}, errors.Join(exit{exitNoDaemon, err}, out.down(ctx))
		}
		out.published, out.errs = p.Failed(), append(out.errs, p.Err)
		downs = append(downs, p.Close)
		e.say("zennetd: publishing as %s at %s", key.Address(), h.Socket())
	}
	return out, nil
}

func (f daemonFlags) startProvider(ctx context.Context, h home.Home, genesis chain.Genesis, log *slog.Logger) (*daemon.Provider, error) {
	capacity, err := f.capacity(h)
	if err != nil {
		return nil, err
	}
	price, err := types.ParseAmount(f.price)
	if err != nil {
		return nil, usage("--price: %v", err)
	}
	key, err := h.Key("provider")
	if err != nil {
		return nil, err
	}
	return daemon.StartProvider(ctx, daemon.ProviderConfig{Dir: filepath.Join(h.Dir, "provider"), Key: key, Listen: f.meet, RPC: f.ledger,
		Genesis: genesis, Capacity: capacity, Price: price, Log: log})
}

// capacity is what the flags offer, the machine's own measure where they say nothing.
func (f daemonFlags) capacity(h home.Home) (agent.Capacity, error) {
	c, err := daemon.MachineCapacity(h.Dir)
	if err != nil {
		return c, err
	}
	if f.cpu < 0 {
		return c, usage("--cpu: %g is negative", f.cpu)
	}
	if f.cpu > 0 {
		c.MilliCPU = uint32(f.cpu * 1000)
	}
	for _, one := range []struct {
		flag, text string
		into       *uint64
	}{{"--memory", f.memory, &c.Memory}, {"--disk", f.disk, &c.Disk}} {
		if one.text == "" {
			continue
		}
		n, err := spec.ParseBytes(one.text)
		if err != nil {
			return c, usage("%s: %v", one.flag, err)
		}
		*one.into = n
	}
	return c, nil
}
