package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/provider/protocol"
)

// How long a job's end waits for its channels to be settled. A lease of a vanished
// provider may stay open until its channel expires: the market goes on with it.
const (
	settleWait = 90 * time.Second
	lostWait   = 5 * time.Second
)

// settling counts the leases of a run that are being closed.
type settling struct{ live, lost counter }

// counter is a number that can be waited for with a limit.
type counter struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // closed when n falls to 0
}

func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 && n > 0 {
		c.zero = make(chan struct{})
	}
	if c.n += n; c.n == 0 {
		close(c.zero)
	}
}

// wait returns false where the counter did not reach 0 within the limit.
func (c *counter) wait(ctx context.Context, limit time.Duration) bool {
	c.mu.Lock()
	n, zero := c.n, c.zero
	c.mu.Unlock()
	if n == 0 {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-zero:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// settle closes a lease, in the background, until its channel is settled or the
// engine closes.
func (r *run) settle(l Lease, reason string, lost bool) {
	c := &r.settling.live
	if lost {
		c = &r.settling.lost
	}
	c.add(1)
	r.e.background.Go(func() {
		defer c.add(-1)
		if err := l.Close(r.e.ctx, reason); err != nil {
			if r.e.ctx.Err() == nil {
				r.log.Warn("lease not settled", "lease", l.ID().Short(), "err", err)
			}
			return
		}
		r.late()
	})
}

// late brings the receipt up to date where a lease is settled after the job's end.
func (r *run) late() {
	select {
	case <-r.done:
	default:
		return
	}
	r.mu.Lock()
	b := r.job
	r.mu.Unlock()
	if !ownedBy(r.outputs, b) {
		return // the results were moved, removed or replaced: their owner's right
	}
	c, err := r.e.claim(b)
	if err != nil {
		r.log.Info("receipt not brought up to date", "err", err)
		return
	}
	defer c.close()
	p := &publisher{run: &run{planned: r.planned, e: r.e, log: r.log, out: c.root}, made: map[string]bool{}}
	if _, err := c.prepare(b); err == nil {
		err = p.receipt()
	}
	if err != nil {
		r.log.Warn("receipt not written", "err", err)
	}
	p.sweep()
}

// finish ends the job: leases are closed, results written, the end journalled.
func (r *run) finish() {
	state, cause := r.ending()
	r.mu.Lock()
	message, cancelled := r.job.Message, r.job.Cause == journal.CauseCancelled
	r.mu.Unlock()
	if !r.ended {
		message = r.message(cause)
	}
	r.market.stop()
	r.record(func(b *journal.Job) { b.State, b.Cause, b.Message = journal.JobSettling, cause, message })
	close(r.closing)
	if r.recovered != nil {
		// A lease of a former process that comes back now is this run's to settle: once
		// all have come or are lost, none can be left without an owner.
		select {
		case <-r.recovered:
		case <-r.ctx.Done():
		}
	}
	if r.deliver != nil && state != journal.JobDone {
		r.deliver.cancel() // nothing is waited for that is on its way into the output
	}
	for _, s := range r.all() {
		s.release()
	}
	r.snapshot(true)
	for _, s := range r.all() {
		<-s.gone
	}
	r.commit.stop()
	if n := r.unread.splits.Load(); n > 0 {
		r.log.Info("splits were fed from where they lay", "splits", n, "bytes not read", r.unread.bytes.Load())
	}
	r.closeAttempts()
	r.paper.stop()
	if r.deliver != nil {
		state, cause, message = r.finishOutput(state, cause, message, cancelled)
	}
	if state == journal.JobDone {
		if err := r.paper.report(); err != nil {
			r.log.Warn("report", "err", err)
			message = join(message, err.Error())
		}
	}
	if err := r.paper.err(); err != nil {
		message = join(message, err.Error())
	}
	settled := r.settling.live.wait(r.ctx, settleWait)
	if !r.settling.lost.wait(r.ctx, lostWait) || !settled {
		message = join(message, "some payment channels are not settled yet; that goes on")
	}
	if r.ctx.Err() != nil { // closing: the next start settles and ends it
		r.paper.sweep()
		r.abandoned()
		return
	}
	r.record(func(b *journal.Job) { b.State, b.Cause, b.Message, b.Ended = state, cause, message, r.e.now() })
	if err := r.paper.receipt(); err != nil {
		r.log.Warn("receipt not written", "err", err)
	}
	r.paper.sweep()
	r.snapshot(true)
	r.abandoned()
	r.e.blobs.Unpin(r.id)
}

// closeAttempts ends what the job's end cut off: the slower one of two attempts.
func (r *run) closeAttempts() {
	open, err := r.e.journal.Attempts(r.id, true)
	if err != nil {
		r.die(err)
		return
	}
	ends := make([]journal.End, len(open))
	for i, a := range open {
		a.Ended, a.Class, a.Message = r.e.now(), protocol.ClassKilled, "the job ended first"
		ends[i] = journal.End{Attempt: a, State: journal.TaskWaiting}
	}
	for _, err := range r.e.journal.EndAttempts(ends) {
		if err != nil {
			r.die(err)
		}
	}
}

// abandoned lets go of what the run holds, and tells those who follow it where it
// stopped.
func (r *run) abandoned() {
	if r.e.Err() != nil {
		r.snapshot(true)
	}
	r.planned.close()
	r.e.forget(r) // before anybody hears of the end: the results' folder is free again
	r.watchers.close()
}

// ending is the final state and cause: the schedule's outcome in the journal's words.
func (r *run) ending() (journal.JobState, journal.Cause) {
	switch {
	case r.undelivered != "":
		return journal.JobFailed, journal.CauseOutput
	case r.outcome.State == schedule.Done:
		return journal.JobDone, ""
	case r.outcome.State == schedule.Cancelled:
		return journal.JobCancelled, journal.CauseCancelled
	}
	return journal.JobFailed, journal.Cause(r.outcome.Cause)
}

// formerly is the outcome that a former process had stored when it settled.
func (r *run) formerly() *schedule.Finish {
	switch r.job.Cause {
	case "":
		return &schedule.Finish{State: schedule.Done}
	case journal.CauseCancelled:
		return &schedule.Finish{State: schedule.Cancelled}
	}
	return &schedule.Finish{State: schedule.Failed, Cause: schedule.Cause(r.job.Cause)}
}

// message says in a sentence why the job ended.
func (r *run) message(cause journal.Cause) string {
	c := r.schedule.Counts()
	switch cause {
	case journal.CauseTask:
		if r.fatal == "" {
			return "a task failed"
		}
		return r.fatal
	case journal.CauseOutput:
		return r.undelivered
	case journal.CauseDeadline:
		return fmt.Sprintf("the deadline has passed; %d of %d tasks are done%s", c.Done, c.Total, r.kept())
	case journal.CauseUnaffordable, journal.CauseNoOffers, journal.CauseInternal:
		return r.market.words()
	case journal.CauseCancelled:
		return fmt.Sprintf("cancelled; %d of %d tasks are done%s", c.Done, c.Total, r.kept())
	}
	return r.job.Message
}

// kept says that what done tasks left is there for the next run. Of a job with an output
// folder large files are not.
func (r *run) kept() string {
	if r.output != nil {
		return ""
	}
	return " and kept"
}

// record changes the job's record and stores it.
func (r *run) record(change func(*journal.Job)) {
	r.recording.Lock()
	defer r.recording.Unlock()
	r.mu.Lock()
	change(&r.job)
	b := r.job
	r.mu.Unlock()
	if err := r.e.journal.SaveJob(b); err != nil {
		r.die(err)
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
