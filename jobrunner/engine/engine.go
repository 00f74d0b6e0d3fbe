package engine

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/provider/blob"
)

// Config is what an engine works with.
type Config struct {
	Journal *journal.Journal
	Market  Market      // Direct(…) over a *lease.Market
	Blobs   *blob.Store // the publisher's own: outputs, manifests
	Home    string      // ZENNET_HOME, for temporary files
	Log     *slog.Logger
	Now     func() time.Time // nil = time.Now
}

// Engine runs jobs until Close. Its methods may be called from any goroutine.
type Engine struct{}

// Submission is a job that somebody wants done.
type Submission struct {
	Job    spec.Job
	Dir    string // absolute folder of the job file
	Source []byte // its text, kept for people
	Again  bool   // run finished tasks too
}

// SubmitState says what became of a submission.
type SubmitState string

// What a submission became.
const (
	SubmittedNew     SubmitState = "new"
	SubmittedRunning SubmitState = "running" // it runs already: attached
	SubmittedResumed SubmitState = "resumed" // it goes on where it stopped, or runs what failed
	SubmittedDone    SubmitState = "done"    // it is done; nothing runs
)

// Submitted is the answer to a submission.
type Submitted struct {
	ID      string
	State   SubmitState
	Outputs string // absolute folder of the results
}

// New makes an engine. Nothing runs before Recover or Submit.
func New(c Config) (*Engine, error) { return nil, ErrClosed }

// Submit plans a job and starts it, attaches to it, or says that it is done.
// A job that cannot be planned is the planner's error, and ErrInvalid: nothing was spent.
func (e *Engine) Submit(ctx context.Context, s Submission) (Submitted, error) {
	return Submitted{}, ErrClosed
}

// Recover goes on with the jobs and leases that the journal calls unfinished; it
// returns when each is running again. Call it once, before Submit.
func (e *Engine) Recover(ctx context.Context) error { return ErrClosed }

// Cancel ends a job: running tasks get TERM and leave their checkpoints, leases
// are settled. It returns at once; Watch and Wait tell the end. An ended job is
// left as it is. ErrNotFound.
func (e *Engine) Cancel(ctx context.Context, id string) error { return ErrClosed }

// Status is a job's status with what only a running engine knows. ErrNotFound.
func (e *Engine) Status(id string) (journal.Status, error) { return journal.Status{}, ErrClosed }

// Watch sends snapshots, some a second at most, the last one with a final state;
// then, or when ctx ends, it closes the channel. A slow reader misses the old ones. ErrNotFound.
func (e *Engine) Watch(ctx context.Context, id string) (<-chan journal.Status, error) {
	return nil, ErrClosed
}

// Wait returns the job's status when it has ended.
func (e *Engine) Wait(ctx context.Context, id string) (journal.Status, error) {
	return journal.Status{}, ErrClosed
}

// Logs opens a task's output, of its latest attempt; where follow is set, it
// goes on until the task has ended. ErrNotFound.
func (e *Engine) Logs(ctx context.Context, id, task string, stderr, follow bool) (io.ReadCloser, error) {
	return nil, ErrClosed
}

// Running is the number of jobs that have not ended.
func (e *Engine) Running() int { return 0 }

// Idle is closed when no job runs (any more); ask again after a Submit.
func (e *Engine) Idle() <-chan struct{} { return nil }

// Close stops without ending anything: jobs and leases go on at the next
// Recover. It waits for what runs, at most until ctx ends.
func (e *Engine) Close(ctx context.Context) error { return nil }
