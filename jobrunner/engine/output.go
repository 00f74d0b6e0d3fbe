package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
)

// where is the job's output for people and for the journal.
func (p *planned) where() string { return data.URL(p.graph.Output, p.dir) }

// staging tells what became of the staging folder that a former run of the job made.
func (e *Engine) staging(ctx context.Context, p *planned) (data.Place, error) {
	if p.output == nil {
		return data.Gone, nil
	}
	row, err := e.journal.Output(p.id)
	if errors.Is(err, journal.ErrNotFound) {
		return data.Gone, nil
	}
	if err != nil {
		return data.Gone, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience.stage)
	defer cancel()
	place, err := p.output.Find(ctx, data.Staging{Path: row.Staging, ID: row.Folder})
	if err != nil {
		return place, refusal{ErrInvalid, fmt.Errorf("%s: output: %w", p.spec.At("output"), err)}
	}
	return place, nil
}

// outputMade reports whether the journal knows that a job's output was made; it may be
// gone since.
func (e *Engine) outputMade(job string) bool {
	row, err := e.journal.Output(job)
	return err == nil && row.State == journal.OutputMade
}

// beginOutput makes the staging folder of a job that is about to be started: what
// cannot be written is refused before anything is spent.
func (e *Engine) beginOutput(ctx context.Context, p *planned) (data.Staging, error) {
	e.mu.Lock()
	for _, other := range e.runs {
		if other.output != nil && other.where() == p.where() {
			e.mu.Unlock()
			return data.Staging{}, refusal{ErrInvalid, fmt.Errorf("%s: output: %s is being made by job %s", p.spec.At("output"), p.where(), other.id)}
		}
	}
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience.stage)
	defer cancel()
	s, err := p.output.Begin(ctx)
	if err != nil {
		return s, refusal{ErrInvalid, err}
	}
	return s, nil
}

// doubt says that the staging folder is to be looked for again.
func (d *deliverer) doubt() { d.doubts.Add(1) }

// folder is the staging folder. One that a former process made is found by its
// number; where it is gone, another is made, and all is delivered again.
func (d *deliverer) folder(ctx context.Context) (data.Staging, data.Place, error) {
	select {
	case d.finding <- struct{}{}:
		defer func() { <-d.finding }()
	case <-ctx.Done():
		return data.Staging{}, data.Gone, ctx.Err()
	}
	d.mu.Lock()
	s := d.staging
	d.mu.Unlock()
	doubts := d.doubts.Load()
	if d.seen == doubts {
		return s, d.place, nil
	}
	place := data.Gone
	if s.Path != "" {
		var err error
		if place, err = d.out.Find(ctx, s); err != nil {
			return s, place, err
		}
	}
	if place == data.Gone {
		var err error
		if s, err = d.out.Begin(ctx); err != nil {
			return s, place, err
		}
		if err := d.begun(s); err != nil {
			return s, place, err
		}
		place = data.Staged
	}
	d.seen, d.place = doubts, place
	return s, place, nil
}

// begun journals an empty staging folder: whatever was delivered is to be again.
func (d *deliverer) begun(s data.Staging) error {
	r := d.run
	if err := r.e.journal.BeginOutput(journal.Output{Job: r.id, URL: r.where(), Staging: s.Path, Folder: s.ID}); err != nil {
		r.die(err)
		return lasting{err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.staging = s
	for task := range d.given {
		d.queue = append(d.queue, task)
	}
	slices.Sort(d.queue)
	clear(d.given)
	clear(d.files)
	d.more.Broadcast()
	return nil
}

// abort ends a commit that takes too long for its user.
func (d *deliverer) abort() {
	d.aborted.Store(true)
	d.cancel()
}

// commit waits for the deliveries and makes the output. It returns nil where the
// output is there, by this call or a former one's.
func (d *deliverer) commit() error {
	d.stop()
	d.mu.Lock()
	err := d.err
	d.mu.Unlock()
	if err != nil || d.finished {
		return err
	}
	lost := 0
	err = d.try(func() error {
		err := d.rename()
		if errors.Is(err, fs.ErrNotExist) {
			if lost++; lost > redo {
				return lasting{err}
			}
		}
		return err
	})
	if err != nil && !d.made() {
		return err
	}
	if err := d.run.e.journal.MakeOutput(d.run.id); err != nil {
		d.run.die(err)
		return err
	}
	return nil
}

// rename makes the staging folder the output.
func (d *deliverer) rename() error {
	d.doubt() // a former try may have come further than its answer
	s, place, err := d.folder(d.ctx)
	if err != nil || place == data.Committed {
		return err
	}
	for { // what was delivered into a folder that is gone
		d.mu.Lock()
		if len(d.queue) == 0 {
			d.mu.Unlock()
			break
		}
		task := d.queue[0]
		d.queue = d.queue[1:]
		d.mu.Unlock()
		if err := d.task(task); err != nil {
			d.mu.Lock()
			d.queue = append(d.queue, task)
			d.mu.Unlock()
			return err
		}
	}
	if gone := d.missing(); gone != "" {
		return lasting{fmt.Errorf("what task %s delivered into %s is gone: submit the job again, and it is made anew", gone, s.Path)}
	}
	err = d.out.Commit(d.ctx, s, d.files)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, d.begun(s))
	}
	return err
}

// missing names a done task whose files are not delivered, or is "".
func (d *deliverer) missing() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, t := range d.run.graph.Tasks {
		if len(t.Deliver) > 0 && !d.given[i] && d.run.over(i) {
			return t.Name
		}
	}
	return ""
}

// made asks, where a commit failed, whether the output is there all the same.
func (d *deliverer) made() bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), patience.stage)
	defer cancel()
	d.mu.Lock()
	s := d.staging
	d.mu.Unlock()
	if d.run.ctx.Err() != nil || s.Path == "" {
		return false // the next process finds out
	}
	place, err := d.out.Find(ctx, s)
	return err == nil && place == data.Committed
}

// discard removes the staging folder of a job that does not come to its end.
func (d *deliverer) discard() error {
	d.cancel()
	d.stop()
	d.mu.Lock()
	s := d.staging
	d.mu.Unlock()
	return d.run.e.discard(d.run.ctx, d.run.id, d.out, s)
}

func (e *Engine) discard(ctx context.Context, id string, out Output, s data.Staging) error {
	if s.Path == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience.discard)
	defer cancel()
	for pause := patience.first; ; pause *= 2 {
		err := out.Discard(ctx, s)
		if err == nil {
			return e.journal.DropOutput(id)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("the unfinished output %s is not removed: %w", s.Path, err)
		}
	}
}

// undeliverable ends the job; it runs in the run's loop.
func (r *run) undeliverable(err error) {
	r.undelivered = fmt.Sprintf("the output %s cannot be written: %v", r.where(), err)
	r.log.Warn("output", "err", err)
	r.step(schedule.Cancel{Now: r.now()}, nil)
}

// finishOutput makes the output of a job that is done, or removes what was made of
// it, and says how the job ends then. The output of a job that was cancelled when all
// its tasks were done is not waited for long.
func (r *run) finishOutput(state journal.JobState, cause journal.Cause, message string, cancelled bool) (journal.JobState, journal.Cause, string) {
	if state == journal.JobDone {
		if cancelled {
			defer time.AfterFunc(patience.stage, r.deliver.abort).Stop()
		}
		err := r.deliver.commit()
		switch {
		case err == nil || r.ctx.Err() != nil:
			return state, cause, message
		case r.deliver.aborted.Load():
			state, cause, message = journal.JobCancelled, journal.CauseCancelled, "cancelled before its output was made"
		default:
			state, cause, message = journal.JobFailed, journal.CauseOutput, fmt.Sprintf("the output %s cannot be written: %v", r.where(), err)
		}
	}
	// A process that goes on from here only removes: nothing is made again for a job that
	// failed.
	r.record(func(b *journal.Job) { b.Cause, b.Message = cause, message })
	if err := r.deliver.discard(); err != nil && r.ctx.Err() == nil {
		message = join(message, err.Error())
	}
	return state, cause, message
}

// dropOutput removes, in the background, the staging folder of a job that cannot go
// on.
func (e *Engine) dropOutput(b journal.Job) error {
	row, err := e.journal.Output(b.ID)
	if errors.Is(err, journal.ErrNotFound) || err == nil && row.State == journal.OutputMade || e.data == nil {
		return nil
	}
	if err != nil {
		return err
	}
	job, err := decodeSpec(b)
	if err != nil {
		return nil // nobody knows any more how to reach it
	}
	source, outputs, err := e.data(job, b.Dir)
	if err != nil || outputs == nil {
		return nil
	}
	out := outputs(b.ID)
	e.background.Go(func() {
		defer source.Close()
		if err := e.discard(e.ctx, b.ID, out, data.Staging{Path: row.Staging, ID: row.Folder}); err != nil {
			e.log.Warn("output", "job", b.ID, "err", err)
		}
	})
	return nil
}
