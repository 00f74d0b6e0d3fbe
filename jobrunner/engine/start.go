package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
)

// start makes the run of a planned job whose rows are in the journal, and starts
// its loop. held are slots that a former process left.
func (e *Engine) start(p *planned, job journal.Job, rows []journal.Task, held map[int]schedule.SlotUp) (*run, error) {
	last, err := e.journal.LastAttempts(p.id)
	if err != nil {
		return nil, err
	}
	won, err := e.journal.Successes(p.id)
	if err != nil {
		return nil, err
	}
	r := &run{planned: p, e: e, fed: sync.OnceValue(p.splits), job: job, log: e.log.With("job", p.id), done: make(chan struct{}), closing: make(chan struct{}), held: held,
		zero: e.now(), notes: make(chan note, maxNotes), slots: map[int]*slot{}, changed: make(chan struct{}), nextSlot: len(held)}
	if r.bad, err = e.journal.Failures(p.id); err != nil {
		return nil, err
	}
	sj := schedule.Job{Params: schedule.Params{Slots: p.spec.Slots, Attempts: p.spec.Retry.Attempts, Side: sideBySide, Grace: killGrace}}
	if !job.Deadline.IsZero() {
		sj.Params.Deadline = max(job.Deadline.Sub(r.zero), 1)
	}
	for _, n := range p.spec.Retry.Never {
		sj.Params.Never = append(sj.Params.Never, schedule.Range(n))
	}
	stages := map[string]int{}
	for i, t := range p.graph.Tasks {
		stage, ok := stages[t.Stage]
		if !ok {
			stage = len(stages)
			stages[t.Stage] = stage
			r.stages = append(r.stages, t.Stage)
		}
		k := schedule.Task{Stage: stage, BestEffort: t.BestEffort, Speculate: t.Speculate, Expect: time.Duration(t.ExpectSeconds * float64(time.Second)),
			Done: rows[i].State == journal.TaskDone, Failed: rows[i].State == journal.TaskFailed, Attempt: last[i]}
		needs := map[string]bool{} // name → every input from it is optional
		for _, in := range t.Inputs {
			if in.Task != "" {
				optional, seen := needs[in.Task]
				needs[in.Task] = in.Optional && (optional || !seen)
			}
		}
		kept := 0
		for _, name := range t.Needs() {
			k.Needs = append(k.Needs, schedule.Need{Task: r.number[name], Optional: needs[name]})
			if p.graph.Tasks[r.number[name]].Keep {
				kept++
			}
		}
		k.Early = kept > 1
		sj.Tasks = append(sj.Tasks, k)
		r.tasks = append(r.tasks, taskInfo{state: rows[i].State, tree: rows[i].Tree, checkpoint: rows[i].Checkpoint, try: last[i], won: won[i]})
		e.pin(p.id, rows[i].Tree)
		e.pin(p.id, rows[i].Checkpoint)
	}
	if r.reread, err = e.journal.SeeSplits(slices.Collect(maps.Keys(r.fed()))); err != nil {
		return nil, err
	}
	sj.Stages = len(stages)
	if r.schedule, err = schedule.New(sj); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	r.out = p.claim.root
	if r.mine, err = p.claim.prepare(job); err != nil {
		return nil, err
	}
	r.ctx, r.cancel = context.WithCancel(e.ctx)
	if r.output != nil {
		if r.deliver, err = newDeliverer(r); err != nil {
			r.cancel()
			return nil, err
		}
	}
	r.commit = newCommitter(r)
	r.paper.start(r)
	r.market.start(r)
	r.snapshot(true)
	return r, nil
}
