package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/zennet/zennet/jobrunner/api"
	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/engine"
	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/lease"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/peer"
)

// maxBlobs bounds the publisher's own store of outputs.
const maxBlobs = 64 << 30

// PublisherConfig is one publisher.
type PublisherConfig struct {
	Home    home.Home
	Key     types.PrivateKey
	RPC     string // of a ledger node
	Genesis chain.Genesis
	Listen  []string // libp2p multiaddrs where providers dial in
	// Interval between payments, Grace, and Gather (how long offers are collected):
	// 0 takes the defaults of jobrunner/lease.
	Interval, Grace, Gather time.Duration
	Log                     *slog.Logger
	// Network adds to what the API tells of the network; nil adds nothing.
	Network func(ctx context.Context, n *api.Network) error
}

// Publisher is a running publisher.
type Publisher struct {
	cfg     PublisherConfig
	ledger  *client.Client
	host    host.Host
	journal *journal.Journal
	blobs   *blob.Store
	market  *lease.Market
	engine  *engine.Engine
	api     *api.Server
}

// StartPublisher opens everything, goes on with what the journal calls
// unfinished, and answers at the home's socket. The caller holds the home's lock.
func StartPublisher(ctx context.Context, cfg PublisherConfig) (p *Publisher, err error) {
	p = &Publisher{cfg: cfg}
	defer func() {
		if err != nil {
			p.Close(context.WithoutCancel(ctx))
			p = nil
		}
	}()
	if p.ledger, err = client.Open(ctx, client.Config{RPC: cfg.RPC, Genesis: cfg.Genesis, Home: cfg.Home.Light(), Log: cfg.Log}); err != nil {
		return p, fmt.Errorf("ledger: %w", err)
	}
	if p.host, err = listen(cfg.Home, cfg.Key, cfg.Listen); err != nil {
		return p, fmt.Errorf("peer network: %w", err)
	}
	if p.journal, err = journal.Open(cfg.Home.Journal()); err != nil {
		return p, err
	}
	if p.blobs, err = blob.Open(cfg.Home.Blobs(), maxBlobs); err != nil {
		return p, err
	}
	if p.market, err = lease.Open(lease.Config{Key: cfg.Key, Host: p.host, Ledger: p.ledger, Journal: p.journal,
		Interval: cfg.Interval, Grace: cfg.Grace, Gather: cfg.Gather, Log: cfg.Log}); err != nil {
		return p, err
	}
	if p.engine, err = engine.New(engine.Config{Journal: p.journal, Market: engine.Direct(p.market), Blobs: p.blobs,
		Data: openData, Log: cfg.Log}); err != nil {
		return p, err
	}
	if err = p.engine.Recover(ctx); err != nil {
		return p, fmt.Errorf("recover: %w", err)
	}
	p.api, err = api.Serve(cfg.Home.Socket(), p, cfg.Log)
	return p, err
}

// listen starts the publisher's host. Where a port is left open (tcp/0), the one
// of the last time is tried first: providers redial their leases there. The first
// line of the file is what was asked for then: another wish is another place.
func listen(h home.Home, key types.PrivateKey, addrs []string) (host.Host, error) {
	file := filepath.Join(h.Dir, "listen")
	asked := strings.Join(addrs, ",")
	if kept, err := os.ReadFile(file); err == nil && slices.ContainsFunc(addrs, openPort) {
		before, at, _ := strings.Cut(string(kept), "\n")
		if last := strings.Fields(at); before == asked && len(last) > 0 {
			if host, err := peer.New(key, last); err == nil {
				return host, nil
			}
		}
	}
	host, err := peer.New(key, addrs)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, []byte(asked+"\n"+strings.Join(peer.Addrs(host), "\n")+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, host.Close())
	}
	return host, nil
}

func openPort(addr string) bool { return strings.HasSuffix(addr, "/tcp/0") }

// Running is the number of jobs that have not ended.
func (p *Publisher) Running() int { return p.engine.Running() }

// Failed is closed when the publisher can store nothing any more: its jobs have
// stopped, and a new process has to go on with them. Err then says why.
func (p *Publisher) Failed() <-chan struct{} { return p.engine.Failed() }

// Err is nil until Failed is closed.
func (p *Publisher) Err() error { return p.engine.Err() }

// WaitIdle returns when no job runs.
func (p *Publisher) WaitIdle(ctx context.Context) error {
	for p.engine.Running() > 0 {
		select {
		case <-p.engine.Idle():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close stops: nobody new is let in, then the engine, the market and the rest
// end. Jobs that have not ended go on at the next start.
func (p *Publisher) Close(ctx context.Context) error {
	var errs []error
	if p.api != nil {
		errs = append(errs, p.api.Close())
	}
	if p.engine != nil {
		errs = append(errs, p.engine.Close(ctx))
	}
	if p.market != nil {
		errs = append(errs, p.market.Close())
	}
	if p.host != nil {
		errs = append(errs, p.host.Close())
	}
	if p.journal != nil {
		errs = append(errs, p.journal.Close())
	}
	if p.blobs != nil {
		errs = append(errs, p.blobs.Close())
	}
	if p.ledger != nil {
		p.ledger.Close()
	}
	return errors.Join(errs...)
}

// surveyPatience is how long a file system that does not answer keeps somebody
// waiting who submits a job.
const surveyPatience = 6 * time.Second

// openData is the engine's way to the data of jobs.
func openData(job spec.Job, dir string) (engine.Source, func(id string) engine.Output, error) {
	d, err := data.Open(job, dir, data.Options{})
	if err != nil {
		return nil, nil, err
	}
	return d, func(id string) engine.Output { return d.Output(id) }, nil
}

// Submit is api.Service.
func (p *Publisher) Submit(ctx context.Context, r api.SubmitRequest) (api.SubmitReply, error) {
	if !filepath.IsAbs(r.Dir) || r.Outputs != "" && !filepath.IsAbs(r.Outputs) {
		return api.SubmitReply{}, fmt.Errorf("%w: folders must be absolute", api.ErrSpec)
	}
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return api.SubmitReply{}, fmt.Errorf("%w: %v", api.ErrSpec, err)
	}
	defer root.Close()
	job, err := spec.Parse(r.Name, r.Text, root.FS(), r.Set)
	if err != nil {
		return api.SubmitReply{}, api.Problem{Kind: api.ErrSpec, Message: err.Error()}
	}
	if r.Outputs != "" {
		job.Outputs = r.Outputs
	}
	// Whether an output that is there already is in the way, the engine knows.
	if job, _, _, err = data.Prepare(ctx, job, r.Dir, data.Options{Patience: surveyPatience}); err != nil {
		return api.SubmitReply{}, api.Problem{Kind: api.ErrSpec, Message: err.Error()}
	}
	done, err := p.engine.Submit(ctx, engine.Submission{Job: job, Dir: r.Dir, Source: r.Text, Again: r.Again})
	return api.SubmitReply{ID: done.ID, State: string(done.State), Output: done.Output, Replaces: done.Replaces}, mapped(err)
}

// Cancel is api.Service.
func (p *Publisher) Cancel(ctx context.Context, id string) error {
	return mapped(p.engine.Cancel(ctx, id))
}

// Watch is api.Service.
func (p *Publisher) Watch(ctx context.Context, id string) (<-chan journal.Status, error) {
	snapshots, err := p.engine.Watch(ctx, id)
	return snapshots, mapped(err)
}

// Logs is api.Service.
func (p *Publisher) Logs(ctx context.Context, r api.LogsRequest) (io.ReadCloser, error) {
	stream, err := p.engine.Logs(ctx, r.Job, r.Task, r.Stderr, r.Follow)
	return stream, mapped(err)
}

// Network is api.Service.
func (p *Publisher) Network(ctx context.Context) (api.Network, error) {
	account, header, err := p.ledger.Account(ctx, p.cfg.Key.Address())
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return api.Network{}, err
	}
	supply, err := p.ledger.Supply(ctx)
	if err != nil {
		return api.Network{}, err
	}
	n := api.Network{Ledger: p.ledger.LedgerID(), Height: header.Height, Publisher: p.cfg.Key.Address(),
		Balance: account.Balance, Supply: &supply}
	if p.cfg.Network != nil {
		err = p.cfg.Network(ctx, &n)
	}
	return n, err
}

// mapped gives an engine's error the kind that crosses the socket.
func mapped(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrInvalid):
		return api.Problem{Kind: api.ErrSpec, Message: err.Error()}
	case errors.Is(err, engine.ErrNotFound):
		return api.Problem{Kind: api.ErrNotFound, Message: err.Error()}
	case errors.Is(err, engine.ErrStopped), errors.Is(err, journal.ErrFailed):
		return api.Problem{Kind: api.ErrStopped, Message: err.Error()}
	case errors.Is(err, engine.ErrClosed):
		return api.Problem{Kind: api.ErrBusy, Message: err.Error()}
	}
	return err
}
