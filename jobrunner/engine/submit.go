package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
)

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
	// Replaces is the job whose results were in that folder, where they are another's.
	Replaces string
	Output   string // the folder that its tasks deliver into, "" where none do
}

// Submit plans a job and starts it, attaches to it, or says that it is done.
// A job that cannot be planned is the planner's error, and ErrInvalid: nothing was spent.
func (e *Engine) Submit(ctx context.Context, s Submission) (Submitted, error) {
	p, err := e.plan(ctx, s.Job, s.Dir)
	if err != nil {
		return Submitted{}, err
	}
	e.admit.Lock()
	defer e.admit.Unlock()
	out := Submitted{ID: p.id, State: SubmittedNew, Outputs: p.outputs}
	if p.output != nil {
		out.Output = p.where()
	}
	e.mu.Lock()
	running := e.runs[p.id]
	e.mu.Unlock()
	if running != nil {
		p.close()
		out.State, out.Outputs = SubmittedRunning, running.outputs
		return out, nil
	}
	old, err := e.journal.Job(p.id)
	known := err == nil
	if known {
		var place data.Place
		place, err = e.staging(ctx, p)
		p.made = place == data.Committed
	}
	switch {
	case err != nil && !errors.Is(err, journal.ErrNotFound):
	case known && old.State == journal.JobDone && !s.Again && old.Outputs == p.outputs && ownedBy(p.outputs, old) && p.made == (p.output != nil):
		p.close()
		out.State = SubmittedDone
		return out, nil
	case p.made && s.Again:
		err = refusal{ErrInvalid, fmt.Errorf("%s: output: %s is there, as this job made it; remove it to have it made again", s.Job.At("output"), p.where())}
	default:
		if err = ctx.Err(); err == nil {
			out.Replaces, err = e.begin(ctx, p, s, &old, known)
		}
	}
	if err != nil {
		p.close()
		return Submitted{}, err
	}
	if known {
		out.State = SubmittedResumed
	}
	return out, nil
}

// begin journals a new run of a job and starts it. It tells whose results it
// replaces, if another job's.
func (e *Engine) begin(ctx context.Context, p *planned, s Submission, old *journal.Job, known bool) (replaces string, err error) {
	if !known {
		old = nil
	}
	now := e.now()
	job, err := p.record(old, s.Source, s.Again, now)
	if err != nil {
		return "", err
	}
	if p.claim, err = e.claim(job); err != nil {
		return "", err
	}
	if _, replaces = owned(p.claim.root); replaces == job.ID {
		replaces = ""
	}
	rows, taken, err := e.takeOver(p, s.Again, now)
	if err != nil {
		return "", err
	}
	for _, r := range rows { // nothing of these may go while the job runs
		e.pin(p.id, r.Tree)
	}
	if err := e.journalStart(ctx, p, job, rows); err != nil {
		return "", err
	}
	r, err := e.start(p, job, rows, nil)
	if err != nil {
		job.State, job.Cause, job.Message, job.Ended = journal.JobFailed, journal.CauseInvalid, err.Error(), e.now()
		return "", errors.Join(err, e.journal.SaveJob(job))
	}
	if err := r.paper.again(taken); err != nil {
		r.log.Warn("results' folder", "err", err)
	}
	return replaces, e.launch(r)
}

// journalStart stores a new run, and the staging folder that it delivers into.
func (e *Engine) journalStart(ctx context.Context, p *planned, job journal.Job, rows []journal.Task) error {
	if p.output == nil || p.made {
		return e.journal.StartJob(job, rows)
	}
	s, err := e.beginOutput(ctx, p)
	if err != nil {
		return err
	}
	if err := e.journal.StartJob(job, rows); err != nil {
		return errors.Join(err, e.discard(ctx, p.id, p.output, s))
	}
	return e.journal.BeginOutput(journal.Output{Job: p.id, URL: p.where(), Staging: s.Path, Folder: s.ID})
}

// launch makes a run known and starts its loop.
func (e *Engine) launch(r *run) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.failure != nil {
		r.cancel() // its loop lets go of everything
	}
	if len(e.runs) == 0 {
		e.idle = make(chan struct{})
	}
	e.runs[r.id] = r
	go r.main()
	if e.failure == nil && e.closed {
		return ErrClosed
	}
	return e.failure
}

// forget takes a run that has ended out of the list.
func (e *Engine) forget(r *run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runs[r.id] == r {
		if delete(e.runs, r.id); len(e.runs) == 0 {
			close(e.idle)
		}
	}
}

// pin keeps a tree of a running job from being evicted.
func (e *Engine) pin(job string, tree types.Hash) {
	if tree.IsZero() {
		return
	}
	e.blobs.Pin(job, tree)
	data, err := e.blobs.Get(tree)
	if err != nil {
		return
	}
	if m, err := blob.DecodeManifest(data); err == nil {
		for _, f := range m.Files {
			e.blobs.Pin(job, f.Chunks...)
		}
	}
}
