package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// run is one job while it runs. main is its loop: it alone owns the schedule and
// carries out its effects; everything else reports to it with notes.
type run struct {
	*planned
	e       *Engine
	log     *slog.Logger
	ctx     context.Context
	cancel  context.CancelFunc // stops without ending the job
	closing chan struct{}      // closed when the schedule has finished: notes are no longer read
	done    chan struct{}      // closed when main has returned
	number  map[string]int     // task's name → its index
	out     *os.Root           // the results' folder
	zero    time.Time          // the schedule's time 0

	notes  chan note // at most maxNotes wait
	commit *committer
	market acquirer
	paper  publisher

	// owned by main
	schedule schedule.State
	held     map[int]schedule.SlotUp // slots of a former process that are awaited
	outcome  *schedule.Finish
	bad      []journal.Failure
	fatal    string            // the first failure that fails the job
	begun    []journal.Attempt // not journalled yet
	lastShot time.Time
	stages   []string // names, by the schedule's numbers
	money
	ended bool                                 // it was settling when a former process died
	open  map[schedule.Attempt]journal.Attempt // attempts that a former process left

	running       atomic.Int64 // tasks, as of the last step
	manifests     sync.Map     // types.Hash → protocol.Manifest
	manifestCount atomic.Int64

	mu       sync.Mutex
	job      journal.Job
	tasks    []taskInfo
	slots    map[int]*slot
	nextSlot int
	changed  chan struct{}      // closed and replaced when a task's place changes
	awaited  map[types.Hash]int // slots of a former process that have not come back yet

	recovered chan struct{} // closed when no more of them can come; nil where there are none
	recording sync.Mutex    // one change of the job's record at a time

	shot     atomic.Pointer[journal.Status]
	watchers watchers
	settling settling
}

// taskInfo is what the parts of a run share about a task.
type taskInfo struct {
	state      journal.TaskState
	tree       types.Hash // outputs, once done
	checkpoint types.Hash // for the next attempt
	slot       *slot      // where it runs now; nil if nowhere
	try        int
}

// note is something for main: an event of the schedule with its details, or a call.
type note struct {
	event schedule.Event
	ended *ended
	call  func()
}

// ended is how an attempt ended.
type ended struct {
	journal.End
	sync bool // new blobs came with it
}

const (
	maxNotes   = 4096
	tickEvery  = 200 * time.Millisecond
	shotEvery  = 200 * time.Millisecond
	killGrace  = 10 * time.Second // DESIGN.md: TERM and 10 s
	sideBySide = 4
	maxPids    = 512 // processes and threads of a container
)

// tell hands a note to main; it gives up when the run stops.
func (r *run) tell(n note) {
	select {
	case r.notes <- n:
	case <-r.closing:
	case <-r.ctx.Done():
	}
}

// main runs the job to its end, or until the engine closes.
func (r *run) main() {
	defer close(r.done)
	defer r.cancel()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	if r.ended {
		select {
		case <-r.recovered:
			r.outcome = r.formerly()
			r.finish()
		case <-r.ctx.Done():
			r.abandon()
		}
		return
	}
	r.step(schedule.Begin{Slots: slices.Collect(maps.Values(r.held))}, nil)
	if r.job.Cause == journal.CauseCancelled {
		r.step(schedule.Cancel{Now: r.now()}, nil)
	}
	for r.outcome == nil {
		select {
		case n := <-r.notes:
			r.take(n)
		case <-tick.C:
			r.step(schedule.Tick{Now: r.now()}, nil)
			r.journalStarts()
		case <-r.ctx.Done():
			r.abandon()
			return
		}
		r.snapshot(false)
	}
	r.finish()
}

// take handles a note and what else waits, so that bursts cost one snapshot.
func (r *run) take(n note) {
	for range 256 {
		if n.call != nil {
			n.call()
		} else {
			r.step(n.event, n.ended)
		}
		if r.outcome != nil {
			return
		}
		select {
		case n = <-r.notes:
		default:
			return
		}
	}
}

func (r *run) now() time.Duration { return r.e.now().Sub(r.zero) }

// step puts an event to the schedule and carries out what it says.
func (r *run) step(e schedule.Event, end *ended) {
	state, effects, err := schedule.Step(r.schedule, e)
	if err != nil {
		r.log.Error("event refused", "err", err)
		return
	}
	r.schedule = state
	r.running.Store(int64(state.Running()))
	if _, up := e.(schedule.SlotUp); up && r.job.State == journal.JobQueued {
		r.record(func(b *journal.Job) { b.State = journal.JobRunning })
	}
	if x, ok := e.(schedule.Exited); ok {
		ok := x.Class == protocol.ClassOK
		if r.leave(x.Task, x.Try, ok, end); ok && r.paper.wanted(x.Task) {
			r.paper.add(x.Task)
		}
	}
	for _, effect := range effects {
		r.log.Debug("schedule", "effect", effect)
		switch x := effect.(type) {
		case schedule.Want:
			r.market.want(x.Slots)
		case schedule.Assign:
			r.assign(x)
		case schedule.Kill:
			r.send(x.Slot, command{kind: commandKill, at: schedule.Attempt{Task: x.Task, Number: x.Try}, grace: x.Grace})
		case schedule.Verdict:
			r.verdict(x, e, end)
		case schedule.Release:
			r.release(x.Slot)
		case schedule.Finish:
			r.outcome = &x
		}
	}
}

// leave notes that an attempt no longer runs.
func (r *run) leave(task, try int, ok bool, end *ended) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.tasks[task]
	if t.try == try {
		t.slot = nil
	}
	if end != nil {
		if ok {
			t.state, t.tree, t.checkpoint = journal.TaskDone, end.Tree, types.Hash{}
		} else if !end.Checkpoint.IsZero() {
			t.checkpoint = end.Checkpoint
		}
	}
	r.touch()
}

// touch wakes those who wait for a task to move; mu is held.
func (r *run) touch() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *run) assign(x schedule.Assign) {
	r.mu.Lock()
	s := r.slots[x.Slot]
	t := &r.tasks[x.Task]
	t.slot, t.try = s, x.Try
	checkpoint := t.checkpoint
	run := r.job.Run
	r.touch()
	r.mu.Unlock()
	if s == nil {
		return // it is gone; the SlotDown that says so is on its way
	}
	at := journal.Attempt{Job: r.id, Task: x.Task, Attempt: x.Try, Run: run, Lease: s.lease.ID(), Provider: s.lease.Provider(), Started: r.e.now()}
	r.begun = append(r.begun, at)
	s.send(command{kind: commandRun, at: schedule.Attempt{Task: x.Task, Number: x.Try}, checkpoint: checkpoint, started: at.Started})
}

// journalStarts records the attempts that began since the last tick and still
// run. A short attempt's start is told by its end alone: that halves what a short
// task costs. What a crash loses is told by the worker's Greeting, or is a try
// that left nothing.
func (r *run) journalStarts() {
	for _, at := range r.begun {
		r.mu.Lock()
		t := r.tasks[at.Task]
		r.mu.Unlock()
		if t.slot == nil || t.try != at.Attempt {
			continue
		}
		if err := r.e.journal.StartAttempt(at); err != nil {
			r.die(err)
			return
		}
	}
	r.begun = r.begun[:0]
}

// release gives a slot back that the schedule no longer counts on.
func (r *run) release(number int) {
	r.mu.Lock()
	s := r.slots[number]
	r.mu.Unlock()
	if s != nil {
		s.release()
	}
}

func (r *run) send(slot int, c command) {
	r.mu.Lock()
	s := r.slots[slot]
	r.mu.Unlock()
	if s != nil {
		s.send(c)
	}
}

// verdict journals the failed end of an attempt and what it means.
func (r *run) verdict(v schedule.Verdict, e schedule.Event, end *ended) {
	_, exited := e.(schedule.Exited)
	if !exited || end == nil {
		end = &ended{End: journal.End{Attempt: r.attemptOf(v.Task, v.Try)}}
		end.Class, end.Ended = v.Class, r.e.now()
		if end.Message = "the publisher stopped it"; v.Class == protocol.ClassProvider {
			end.Message = r.lostWords(e)
		}
		r.leave(v.Task, v.Try, false, nil)
	}
	end.State = journal.TaskWaiting
	r.mu.Lock()
	if v.Final {
		end.State = journal.TaskFailed
		r.tasks[v.Task].state = journal.TaskFailed
	}
	r.touch()
	r.mu.Unlock()
	if t := r.graph.Tasks[v.Task]; v.Final && !t.BestEffort && r.fatal == "" {
		r.fatal = fmt.Sprintf("task %s failed (%s): %s", t.Name, v.Class, end.Message)
	}
	if v.Class != protocol.ClassKilled && len(r.bad) < 1000 {
		f := journal.Failure{Task: r.graph.Tasks[v.Task].Name, Attempt: v.Try, Class: v.Class, Message: end.Message}
		if !end.Provider.IsZero() {
			f.Provider = end.Provider.String()
		}
		r.bad = append(r.bad, f)
	}
	r.log.Info("attempt failed", "task", r.graph.Tasks[v.Task].Name, "attempt", v.Try, "class", v.Class, "final", v.Final, "message", end.Message)
	r.commit.add(*end, func(error) {})
}

// attemptOf is the record of an attempt of which nothing more was heard.
func (r *run) attemptOf(task, try int) journal.Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := journal.Attempt{Job: r.id, Task: task, Attempt: try, Run: r.job.Run}
	if s := r.tasks[task].slot; s != nil && r.tasks[task].try == try {
		a.Lease, a.Provider = s.lease.ID(), s.lease.Provider()
	} else if old, ok := r.open[schedule.Attempt{Task: task, Number: try}]; ok {
		a = old
	}
	return a
}

func (r *run) lostWords(e schedule.Event) string {
	if down, ok := e.(schedule.SlotDown); ok {
		r.mu.Lock()
		s := r.slots[down.Slot]
		r.mu.Unlock()
		if s != nil && s.why() != nil {
			return s.why().Error()
		}
		return "lease lost"
	}
	return "the container no longer knew of it"
}

// die stops this and every other run after a failure of the runner itself:
// nothing is known to be stored any more, so nothing more is done; the next start
// recovers.
func (r *run) die(err error) { r.e.fail(err) }

// abandon leaves everything as it is, for the next Recover.
func (r *run) abandon() {
	r.market.stop()
	for _, s := range r.all() {
		<-s.gone
	}
	r.commit.stop()
	r.paper.stop()
	r.abandoned()
}

func (r *run) all() []*slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.slots))
}

// tree is the hash of a task's outputs.
func (r *run) tree(task int) types.Hash {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tasks[task].tree
}
