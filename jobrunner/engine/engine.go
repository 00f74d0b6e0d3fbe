package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/planner"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/provider/blob"
)

// Config is what an engine works with.
type Config struct {
	Journal *journal.Journal
	Market  Market      // Direct(…) over a *lease.Market
	Blobs   *blob.Store // the publisher's own: outputs, manifests
	Data    OpenData    // for jobs with data files or an output folder; nil = such jobs are refused
	Log     *slog.Logger
	Now     func() time.Time // nil = time.Now
}

// Engine runs jobs until Close. Its methods may be called from any goroutine.
type Engine struct {
	journal *journal.Journal
	market  Market
	blobs   *blob.Store
	data    OpenData
	log     *slog.Logger
	now     func() time.Time
	planner func(spec.Job, fs.FS) (plan.Graph, error)

	planned    atomic.Uint64 // jobs that were planned, for the names of their pins
	feeds      chan struct{} // a token a feed under way
	rooms      chan struct{} // a token a feed that may hold chunks (split.go)
	ctx        context.Context
	cancel     context.CancelFunc
	background sync.WaitGroup // leases being closed, logs being followed

	admit  sync.Mutex // one job is started at a time
	mu     sync.Mutex
	runs   map[string]*run
	idle   chan struct{} // closed while no job runs
	closed bool

	failed  chan struct{} // closed when nothing can be stored any more
	failure error         // why; set before
}

// New makes an engine. Nothing runs before Recover or Submit.
func New(c Config) (*Engine, error) {
	if c.Journal == nil || c.Market == nil || c.Blobs == nil {
		return nil, errors.New("engine: journal, market and blobs are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	e := &Engine{journal: c.Journal, market: c.Market, blobs: c.Blobs, data: c.Data, log: c.Log, now: c.Now, planner: planner.Plan, runs: map[string]*run{}, idle: make(chan struct{}),
		failed: make(chan struct{})}
	e.feeds, e.rooms = make(chan struct{}, maxFeeds), make(chan struct{}, splitRoom)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	close(e.idle)
	e.background.Go(func() {
		select {
		case <-e.journal.Failed():
			e.fail(e.journal.Err())
		case <-e.ctx.Done():
		}
	})
	return e, nil
}

// fail stops every job after a failure to store something: what is not stored
// would not be known after a restart, so it may not be done, nor paid for.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure != nil {
		return
	}
	e.failure = fmt.Errorf("%w: %w", ErrStopped, err)
	e.log.Error("all jobs stop here; they go on at the next start", "err", err)
	close(e.failed)
	for _, r := range e.runs {
		r.cancel()
	}
}

// Failed is closed when the engine can store nothing any more and has stopped all
// jobs. Err then says why; the process does best to end.
func (e *Engine) Failed() <-chan struct{} { return e.failed }

// Err is nil until Failed is closed, then ErrStopped with its cause.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure
}

// find returns a job that runs, or the record of one that does not.
func (e *Engine) find(id string) (*run, journal.Job, error) {
	e.mu.Lock()
	r := e.runs[id]
	e.mu.Unlock()
	if r != nil {
		return r, journal.Job{}, nil
	}
	b, err := e.journal.Job(id)
	if errors.Is(err, journal.ErrNotFound) {
		err = fmt.Errorf("%w: job %s", ErrNotFound, id)
	}
	return nil, b, err
}

// Cancel ends a job: running tasks get TERM and leave their checkpoints, leases
// are settled. It returns at once; Watch and Wait tell the end. An ended job is
// left as it is. ErrNotFound.
func (e *Engine) Cancel(ctx context.Context, id string) error {
	r, b, err := e.find(id)
	if err != nil || r == nil && b.State.Ended() {
		return err
	}
	if r == nil {
		return fmt.Errorf("%w: job %s is not running here", ErrNotFound, id)
	}
	r.record(func(b *journal.Job) {
		if !b.State.Ended() && b.State != journal.JobSettling {
			b.Cause = journal.CauseCancelled
		}
	})
	r.mu.Lock()
	settling := r.job.State == journal.JobSettling
	r.mu.Unlock()
	if settling && r.deliver != nil {
		r.deliver.abort()
	}
	r.tell(note{event: schedule.Cancel{Now: r.now()}})
	return nil
}

// Status is a job's status with what only a running engine knows. ErrNotFound.
func (e *Engine) Status(id string) (journal.Status, error) {
	r, _, err := e.find(id)
	if err != nil {
		return journal.Status{}, err
	}
	if r != nil {
		if s := r.shot.Load(); s != nil {
			return *s, nil
		}
	}
	return e.stored(id)
}

// stored is the journal's status of a job that does not run.
func (e *Engine) stored(id string) (journal.Status, error) {
	s, err := e.journal.Status(id)
	if failure := e.Err(); failure != nil && err == nil && !s.Ended() {
		s.Stopped = failure.Error()
	}
	return s, err
}

// Watch sends snapshots, some a second at most, the last one with a final state;
// then, or when ctx ends, it closes the channel. A slow reader misses the old
// ones. Where the engine closes before the job has ended, the last one is not
// final; where it failed, that one says so (Stopped). ErrNotFound.
func (e *Engine) Watch(ctx context.Context, id string) (<-chan journal.Status, error) {
	r, _, err := e.find(id)
	if err != nil {
		return nil, err
	}
	if r != nil {
		return r.watchers.add(ctx), nil
	}
	s, err := e.stored(id)
	if err != nil {
		return nil, err
	}
	ch := make(chan journal.Status, 1)
	ch <- s
	close(ch)
	return ch, nil
}

// Wait returns the job's status when it has ended. Where the engine stops before,
// it is ErrClosed, or what made the job stop.
func (e *Engine) Wait(ctx context.Context, id string) (journal.Status, error) {
	r, _, err := e.find(id)
	if err != nil {
		return journal.Status{}, err
	}
	if r == nil {
		s, err := e.stored(id)
		if err == nil && s.Stopped != "" {
			err = e.Err()
		}
		return s, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return *r.shot.Load(), ctx.Err()
	}
	s := *r.shot.Load()
	if s.Ended() {
		return s, nil
	}
	return s, cmpErr(e.Err(), ErrClosed)
}

// Running is the number of jobs that have not ended.
func (e *Engine) Running() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.runs)
}

// Idle is closed when no job runs (any more); ask again after a Submit.
func (e *Engine) Idle() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.idle
}

// Close stops without ending anything: jobs and leases go on at the next
// Recover. It waits for what runs, at most until ctx ends.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	runs := make([]*run, 0, len(e.runs))
	for _, r := range e.runs {
		runs = append(runs, r)
	}
	e.mu.Unlock()
	e.cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		for _, r := range runs {
			<-r.done
		}
		e.background.Wait()
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("engine: not all has stopped: %w", ctx.Err())
	}
}

// decodeSpec reads the job that record stored.
func decodeSpec(b journal.Job) (spec.Job, error) {
	var job spec.Job
	if err := json.Unmarshal(b.Spec, &job); err != nil {
		return job, fmt.Errorf("stored job %s: %w", b.ID, err)
	}
	return job, nil
}
