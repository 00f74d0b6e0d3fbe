package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
)

// Agent sells containers. Make one with New, let it work with Run, end it with
// Close, after Drain where its leases shall end too.
type Agent struct {
	cfg     Config
	log     *slog.Logger
	machine contract.Provider
	store   *store
	blobs   *blobs
	pool    pool
	wary    wary
	took    chan struct{} // a token for each blob stream that moves bytes
	epoch   time.Time     // what now counts from

	ctx    context.Context // done when the agent ends; its cause is why
	cancel context.CancelCauseFunc
	killed atomic.Bool // tests: leave all as kill -9 would; set before cancel
	wg     sync.WaitGroup
	once   sync.Once
	closed error

	header atomic.Int64       // newest final header's time, Unix seconds
	wake   chan struct{}      // of size 1: room was given back
	fresh  chan *match        // announcements that may be served
	looks  chan struct{}      // a token for each look at an image's programs
	over   chan outcome       // leases that came to an end
	before map[types.Hash]int // contracts by announcement, of earlier processes; written before market runs
	begun  atomic.Bool        // Run was called

	mu         sync.Mutex
	leaving    string // why no lease is begun any more; "" = they are
	leases     map[*lease]LeaseStatus
	byContract map[types.Hash]*lease
	serving    map[*lease]*service
	strangers  chan struct{}                   // the same for those that have no lease
	unknown    map[types.Address]chan struct{} // by publisher: a token for each stream that has not said what it is
}

// New opens the agent's folder and takes its protocols on the host. Nothing is
// served before Run. Close it.
func New(cfg Config) (*Agent, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if id, err := peer.ID(cfg.Key.Address()); err != nil || id != cfg.Host.ID() {
		return nil, fmt.Errorf("%w: the host is %s, not the key's", ErrConfig, cfg.Host.ID())
	}
	folder := filepath.Join(cfg.Dir, "blobs")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("agent's folder: %w", err)
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("agent's folder: %w", err)
	}
	db, err := openStore(filepath.Join(cfg.Dir, "agent.db"))
	if err != nil {
		return nil, err
	}
	cfg.Runtime = newTimely(cfg.Runtime)
	a := &Agent{
		cfg: cfg, log: cfg.Log, store: db, epoch: time.Now(),
		machine:    contract.Provider{Key: cfg.Key, Ledger: cfg.Ledger.LedgerID(), Params: cfg.Params, Policy: cfg.Policy},
		blobs:      &blobs{dir: folder, max: cfg.BlobBytes, open: map[types.Address]*shared{}},
		pool:       pool{all: cfg.Capacity},
		took:       make(chan struct{}, maxIntakes),
		wake:       make(chan struct{}, 1),
		fresh:      make(chan *match),
		looks:      make(chan struct{}, 2),
		over:       make(chan outcome),
		leases:     map[*lease]LeaseStatus{},
		byContract: map[types.Hash]*lease{},
		serving:    map[*lease]*service{},
		strangers:  make(chan struct{}, maxUnknown),
		unknown:    map[types.Address]chan struct{}{},
	}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	cfg.Host.SetStreamHandler(peer.WorkerProtocol, a.handler(a.worker))
	cfg.Host.SetStreamHandler(peer.BlobProtocol, a.handler(a.intake))
	cfg.Host.SetStreamHandler(peer.PullProtocol, a.handler(a.pull))
	return a, nil
}

// errClosed is the cause of an end that Close or Run's context brought.
var errClosed = errors.New("agent is closed")

// Run finds what an earlier process left, then follows announcements and serves
// leases until ctx is done or the agent closes, which is no error. It returns an
// error where the agent cannot go on; leases are left for the next start then.
func (a *Agent) Run(ctx context.Context) error {
	if a.begun.Swap(true) {
		return fmt.Errorf("%w: it runs already", ErrConfig)
	}
	if !a.enter() {
		return nil
	}
	defer a.wg.Done()
	stop := context.AfterFunc(ctx, func() { a.cancel(errClosed) })
	defer stop()
	if err := a.recover(); err != nil && a.ctx.Err() == nil {
		a.cancel(err)
	}
	a.market()
	if cause := context.Cause(a.ctx); !errors.Is(cause, errClosed) {
		return cause
	}
	return nil
}

// Drain begins no lease any more, ends those that there are in order, and waits
// until all are settled, or ctx is done.
func (a *Agent) Drain(ctx context.Context, reason string) error {
	a.mu.Lock()
	a.leaving = reason
	all := make([]*lease, 0, len(a.leases))
	for l := range a.leases {
		all = append(all, l)
	}
	a.mu.Unlock()
	for _, l := range all {
		l.post(func() {
			l.declined = true
			l.step(contract.Leave{At: l.at(), Reason: reason})
		})
	}
	for _, l := range all {
		select {
		case <-l.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close ends the agent. Containers stay, frozen, and their leases with them: a
// new agent on the same folder goes on.
func (a *Agent) Close() error {
	a.once.Do(func() {
		a.cfg.Host.RemoveStreamHandler(peer.WorkerProtocol)
		a.cfg.Host.RemoveStreamHandler(peer.BlobProtocol)
		a.cfg.Host.RemoveStreamHandler(peer.PullProtocol)
		a.mu.Lock()
		a.leaving = "closed"
		a.cancel(errClosed)
		a.mu.Unlock()
		a.wg.Wait()
		a.closed = errors.Join(a.blobs.close(), a.store.close())
	})
	return a.closed
}

// fail ends the agent with an error.
func (a *Agent) fail(err error) {
	a.log.Error("agent cannot go on", "err", err)
	a.cancel(err)
}

// now is Unix ns, and never goes back.
func (a *Agent) now() int64 { return a.epoch.UnixNano() + int64(time.Since(a.epoch)) }

// begin starts a lease's goroutine, unless the agent leaves.
func (a *Agent) begin(l *lease, shown LeaseStatus, first func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaving != "" || a.ctx.Err() != nil {
		return false
	}
	a.leases[l] = shown
	a.wg.Go(func() { l.run(first) })
	return true
}

// enter counts one that Close waits for, unless the agent has ended.
func (a *Agent) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() != nil {
		return false
	}
	a.wg.Add(1)
	return true
}

// spawn runs f in a goroutine of the agent's, unless it has ended.
func (a *Agent) spawn(f func()) bool {
	if !a.enter() {
		return false
	}
	go func() {
		defer a.wg.Done()
		f()
	}()
	return true
}

// claim takes a contract's name for l, and reports whether it was free.
func (a *Agent) claim(id types.Hash, l *lease) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byContract[id] != nil {
		return false
	}
	a.byContract[id] = l
	return true
}

// serve says which service the streams of l reach; nil for none.
func (a *Agent) serve(l *lease, s *service) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s == nil {
		delete(a.serving, l)
	} else {
		a.serving[l] = s
	}
}

// tokens are those for the streams of one who has not said what they are: a
// publisher with a lease, or talks about one, has its own; all others, who may be
// providers with a ticket, share some.
func (a *Agent) tokens(publisher types.Address) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	for l := range a.leases {
		if l.publisher == publisher {
			if a.unknown[publisher] == nil {
				a.unknown[publisher] = make(chan struct{}, maxUnknown)
			}
			return a.unknown[publisher]
		}
	}
	return a.strangers
}

// service is the service of a publisher's lease.
func (a *Agent) service(contract types.Hash, publisher types.Address) (*service, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.byContract[contract]
	if l == nil || l.publisher != publisher {
		return nil, fmt.Errorf("%w: no lease %s with %s", ErrRefused, contract.Short(), publisher.Short())
	}
	s := a.serving[l]
	if s == nil {
		return nil, fmt.Errorf("%w: lease %s has no container", ErrRefused, contract.Short())
	}
	return s, nil
}

// forget drops a lease that has ended, or that the agent leaves.
func (a *Agent) forget(l *lease) {
	a.mu.Lock()
	delete(a.leases, l)
	delete(a.serving, l)
	for id, other := range a.byContract {
		if other == l {
			delete(a.byContract, id)
		}
	}
	last := true
	for other := range a.leases {
		last = last && other.publisher != l.publisher
	}
	if last {
		delete(a.unknown, l.publisher)
	}
	a.mu.Unlock()
	if last {
		peer.Keep(a.cfg.Host, l.publisher, "lease", false)
	}
	a.ended(l)
}

// freed tells the market that there is room again.
func (a *Agent) freed() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// lifeTime is how long a publisher's host may take to give a sign of life.
const lifeTime = 2 * time.Second

// alive asks for a sign of life of a publisher that has been silent on s, and
// closes a connection that gives none: a broken line does not say so by itself.
func (a *Agent) alive(publisher types.Address, s network.Stream) error {
	ctx, cancel := context.WithTimeout(a.ctx, lifeTime)
	defer cancel()
	err := peer.Alive(ctx, a.cfg.Host, publisher)
	if err != nil {
		s.Conn().Close()
	}
	return err
}

// newHeader tells all leases the time of a final header.
func (a *Agent) newHeader(seconds int64) {
	if seconds <= a.header.Load() {
		return
	}
	a.header.Store(seconds)
	a.mu.Lock()
	defer a.mu.Unlock()
	for l := range a.leases {
		select {
		case l.header <- struct{}{}:
		default:
		}
	}
}
