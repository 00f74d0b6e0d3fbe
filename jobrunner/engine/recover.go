package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Recover goes on with the jobs and leases that the journal calls unfinished; it
// returns when each lease is resumed or lost and each job runs again. Call it
// once, before Submit. Leases of jobs that have ended are settled.
func (e *Engine) Recover(ctx context.Context) error {
	e.admit.Lock()
	defer e.admit.Unlock()
	jobs, err := e.journal.Jobs(true)
	if err != nil {
		return err
	}
	leases, err := e.journal.Leases("", true)
	if err != nil {
		return err
	}
	for _, b := range jobs {
		var mine []journal.Lease
		for _, l := range leases {
			if l.Job == b.ID {
				mine = append(mine, l)
			}
		}
		if err := e.resume(ctx, b, mine); err != nil {
			return fmt.Errorf("resume job %s: %w", b.ID, err)
		}
	}
	err = e.market.Recover(ctx, e.resumed)
	e.mu.Lock()
	runs := make([]*run, 0, len(e.runs))
	for _, r := range e.runs {
		runs = append(runs, r)
	}
	e.mu.Unlock()
	for _, r := range runs {
		r.missing()
	}
	return err
}

// resumed takes a lease that lives: for its job, or to settle it.
func (e *Engine) resumed(l Lease) {
	e.mu.Lock()
	r := e.runs[l.Job()]
	e.mu.Unlock()
	if r == nil {
		e.background.Go(func() {
			if err := l.Close(e.ctx, "its job has ended"); err != nil && e.ctx.Err() == nil {
				e.log.Warn("lease not settled", "lease", l.ID().Short(), "err", err)
			}
		})
		return
	}
	r.mu.Lock()
	number := r.awaited[l.ID()]
	delete(r.awaited, l.ID())
	r.mu.Unlock()
	if number == 0 {
		r.market.found()
	}
	r.addSlot(l, number)
}

// missing tells the schedule of the slots that did not come back.
func (r *run) missing() {
	r.mu.Lock()
	lost := r.awaited
	r.awaited = nil
	r.mu.Unlock()
	for _, number := range lost {
		r.market.left()
		r.tell(note{event: schedule.SlotDown{Now: r.now(), Slot: number}})
	}
	close(r.recovered)
}

// resume starts an unfinished job again, with the attempts that its live leases
// may still hold. One whose inputs were changed or are gone is over.
func (e *Engine) resume(ctx context.Context, b journal.Job, leases []journal.Lease) error {
	job, err := decodeSpec(b)
	if err != nil {
		return e.giveUp(b, err)
	}
	p, err := e.plan(ctx, job, b.Dir)
	if err == nil && p.id != b.ID {
		p.close()
		err = fmt.Errorf("%w: its inputs were changed since it was submitted", ErrInvalid)
	}
	if err != nil {
		return e.giveUp(b, err)
	}
	p.outputs = b.Outputs
	rows, err := e.journal.Tasks(b.ID)
	if err != nil {
		return err
	}
	staged := true // as long as nobody says that it is not
	if !slices.ContainsFunc(rows, func(t journal.Task) bool { return t.State != journal.TaskDone }) && !e.outputMade(b.ID) {
		// No delivery would find out in time that the folder is gone.
		if place, err := e.staging(ctx, p); err == nil {
			staged = place != data.Gone
		} else {
			e.log.Warn("the output's folder is not looked at", "job", b.ID, "err", err)
		}
	}
	again := map[int]bool{}
	for i := range rows {
		part := func(m protocol.Manifest) protocol.Manifest { return p.stored(i, m, staged) }
		if rows[i].State != journal.TaskDone || e.complete(rows[i].Tree, part) {
			continue
		}
		again[i] = true
		rows[i].State, rows[i].Tree, rows[i].Origin = journal.TaskWaiting, types.Hash{}, ""
		e.log.Warn(outputsLost, "job", b.ID, "task", rows[i].Name)
		if err := e.journal.Redo(b.ID, i, journal.TaskWaiting, outputsLost); err != nil {
			return err
		}
	}
	if len(again) > 0 && b.State == journal.JobSettling && b.Cause == "" {
		b.State = journal.JobRunning // it was done, and is not any more
		if err := e.journal.SaveJob(b); err != nil {
			return err
		}
	}
	if p.claim, err = e.claim(b); err != nil {
		p.close()
		return e.giveUp(b, err)
	}
	held := map[int]schedule.SlotUp{}
	awaited := map[types.Hash]int{}
	for _, l := range leases {
		if l.State == journal.LeaseActive {
			number := len(held) + 1
			awaited[l.ID] = number
			held[number] = schedule.SlotUp{Slot: number, Provider: l.Provider.String()}
		}
	}
	open, err := e.openAttempts(b, rows, awaited, held)
	if err != nil {
		return err
	}
	r, err := e.start(p, b, rows, held)
	if err != nil {
		p.close()
		return e.giveUp(b, err)
	}
	r.awaited, r.open, r.recovered, r.again = awaited, open, make(chan struct{}), again
	if b.State == journal.JobSettling {
		r.ended = true
	}
	if err := r.paper.again(nil); err != nil {
		r.log.Warn("results' folder", "err", err)
	}
	return e.launch(r)
}

// openAttempts sorts the attempts without an end: those on a lease that may come
// back are held for it, the others are lost.
func (e *Engine) openAttempts(b journal.Job, rows []journal.Task, awaited map[types.Hash]int, held map[int]schedule.SlotUp) (map[schedule.Attempt]journal.Attempt, error) {
	attempts, err := e.journal.Attempts(b.ID, true)
	if err != nil {
		return nil, err
	}
	open := map[schedule.Attempt]journal.Attempt{}
	var lost []journal.End
	for _, a := range attempts {
		number := awaited[a.Lease]
		if number != 0 && a.Task < len(rows) && rows[a.Task].State == journal.TaskWaiting {
			up := held[number]
			at := schedule.Attempt{Task: a.Task, Number: a.Attempt}
			up.Holds = append(up.Holds, at)
			held[number] = up
			open[at] = a
			continue
		}
		a.Ended, a.Class, a.Message = e.now(), protocol.ClassProvider, "the lease did not outlive the publisher's restart"
		lost = append(lost, journal.End{Attempt: a, State: journal.TaskWaiting})
	}
	for _, err := range e.journal.EndAttempts(lost) {
		if err != nil {
			return nil, err
		}
	}
	return open, nil
}

// giveUp ends a job that cannot go on.
func (e *Engine) giveUp(b journal.Job, why error) error {
	attempts, err := e.journal.Attempts(b.ID, true)
	if err != nil {
		return err
	}
	var lost []journal.End
	for _, a := range attempts {
		a.Ended, a.Class, a.Message = e.now(), protocol.ClassKilled, "its job cannot go on"
		lost = append(lost, journal.End{Attempt: a, State: journal.TaskWaiting})
	}
	for _, err := range e.journal.EndAttempts(lost) {
		if err != nil {
			return err
		}
	}
	e.log.Warn("job cannot go on", "job", b.ID, "err", why)
	if err := e.dropOutput(b); err != nil {
		return err
	}
	b.State, b.Cause, b.Message, b.Ended = journal.JobFailed, journal.CauseInvalid, why.Error(), e.now()
	return e.journal.SaveJob(b)
}
