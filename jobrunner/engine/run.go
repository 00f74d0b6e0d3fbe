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
	out     *os.Root           // the results' folder
	mine    bool               // what was in it is an earlier process's of this run
	zero    time.Time          // the schedule's time 0

	notes   chan note // at most maxNotes wait
	commit  *committer
	market  acquirer
	paper   publisher
	deliver *deliverer // nil where the job has no output folder

	// owned by main
	schedule    schedule.State
	held        map[int]schedule.SlotUp // slots of a former process that are awaited
	outcome     *schedule.Finish
	bad         []journal.Failure
	fatal       string            // the first failure that fails the job
	undelivered string            // why the job cannot have its output
	begun       []journal.Attempt // not journalled yet
	lastShot    time.Time
	stages      []string // names, by the schedule's numbers
	money
	ended bool                                 // it was settling when a former process died
	open  map[schedule.Attempt]journal.Attempt // attempts that a former process left

	running       atomic.Int64        // tasks, as of the last step
	again         map[int]bool        // tasks whose outputs a power cut took
	reread        map[types.Hash]bool // splits that were read before this run
	fed           func() map[types.Hash][]int
	unread        unread   // splits that were fed from where they lay
	homing        sync.Map // task → *sync.Mutex: one brings its outputs here at a time
	manifests     sync.Map // types.Hash → protocol.Manifest
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
	holder     *place     // who has the outputs, where they stayed with the attempt that made them
	runs       []place    // the attempts that run now: none, one, or two where one races
	try        int        // number of the last one
	won        int        // number of the one that made the outputs; 0: none of this job's
}

// place is where an attempt runs.
type place struct {
	try  int
	slot *slot
}

// at is where an attempt runs, or nil.
func (t *taskInfo) at(try int) *slot {
	for _, p := range t.runs {
		if p.try == try {
			return p.slot
		}
	}
	return nil
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
			if r.outcome = r.formerly(); r.deliver != nil && r.outcome.State == schedule.Done {
				r.deliver.start()
			}
			r.finish()
		case <-r.ctx.Done():
			r.abandon()
		}
		return
	}
	if r.deliver != nil {
		r.deliver.start()
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
		won := r.leave(x.Task, x.Try, x.Class == protocol.ClassOK, end)
		if won && r.paper.wanted(x.Task) {
			r.paper.add(x.Task)
		}
		if won && r.deliver != nil {
			r.deliver.add(x.Task)
		}
		if end != nil && !won && !judged(effects) {
			// Nobody waits for it any more: the other attempt was first, or it was given up.
			end.State = journal.TaskWaiting
			r.commit.add(*end, func(error) {})
		}
	}
	var ahead map[int][]schedule.Prepare // by slot
	for _, effect := range effects {
		r.log.Debug("schedule", "effect", effect)
		switch x := effect.(type) {
		case schedule.Want:
			r.market.want(x.Slots)
		case schedule.Assign:
			r.assign(x)
		case schedule.Prepare:
			if ahead == nil {
				ahead = map[int][]schedule.Prepare{}
			}
			ahead[x.Slot] = append(ahead[x.Slot], x)
		case schedule.Kill:
			r.send(x.Slot, command{kind: commandKill, at: schedule.Attempt{Task: x.Task, Number: x.Try}, grace: x.Grace})
		case schedule.Verdict:
			r.verdict(x, e, end)
		case schedule.Redo:
			r.redo(x)
		case schedule.Release:
			r.release(x.Slot)
		case schedule.Finish:
			r.outcome = &x
		}
	}
	for slot, list := range ahead {
		r.send(slot, command{kind: commandPrepare, prepare: list})
	}
}

// judged reports whether an attempt's end has a verdict.
func judged(effects []schedule.Effect) bool {
	return slices.ContainsFunc(effects, func(e schedule.Effect) bool {
		_, is := e.(schedule.Verdict)
		return is
	})
}

// leave notes that an attempt no longer runs; true where the task is done by it.
func (r *run) leave(task, try int, ok bool, end *ended) (won bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.tasks[task]
	t.runs = slices.DeleteFunc(t.runs, func(p place) bool { return p.try == try })
	switch {
	case end == nil:
	case ok && t.state != journal.TaskDone:
		t.state, t.tree, t.checkpoint, t.won, won = journal.TaskDone, end.Tree, types.Hash{}, try, true
	case !ok && !end.Checkpoint.IsZero():
		t.checkpoint = end.Checkpoint
	}
	r.touch()
	return won
}

// outputsLost is why a task that was done is done again.
const outputsLost = "its outputs were lost before all that need them had them"

// redo takes back a task's success whose outputs are lost.
func (r *run) redo(x schedule.Redo) {
	r.mu.Lock()
	t := &r.tasks[x.Task]
	t.tree, t.state, t.holder, t.won = types.Hash{}, journal.TaskWaiting, nil, 0
	if x.Final {
		t.state = journal.TaskFailed
	}
	state, try := t.state, t.try
	r.touch()
	r.mu.Unlock()
	name := r.graph.Tasks[x.Task].Name
	if x.Final && r.fatal == "" {
		r.fatal = fmt.Sprintf("task %s failed: its outputs were lost again and again", name)
	}
	r.log.Warn(outputsLost, "job", r.id, "task", name, "again", !x.Final)
	r.blame(journal.Failure{Task: name, Attempt: try, Class: protocol.ClassLost, Message: outputsLost})
	if err := r.e.journal.Redo(r.id, x.Task, state, outputsLost); err != nil {
		r.die(err)
	}
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
	t.try = x.Try
	checkpoint := t.checkpoint
	run := r.job.Run
	if s != nil {
		t.runs = append(t.runs, place{x.Try, s})
	}
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
		s := r.tasks[at.Task].at(at.Attempt)
		r.mu.Unlock()
		if s == nil {
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
		s.retire()
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
	if v.Class != protocol.ClassKilled {
		f := journal.Failure{Task: r.graph.Tasks[v.Task].Name, Attempt: v.Try, Class: v.Class, Message: end.Message}
		if !end.Provider.IsZero() {
			f.Provider = end.Provider.String()
		}
		r.blame(f)
	}
	r.log.Info("attempt failed", "task", r.graph.Tasks[v.Task].Name, "attempt", v.Try, "class", v.Class, "final", v.Final, "message", end.Message)
	r.commit.add(*end, func(error) {})
}

// blame lists a failure for status.
func (r *run) blame(f journal.Failure) {
	if len(r.bad) < 1000 {
		r.bad = append(r.bad, f)
	}
}

// attemptOf is the record of an attempt of which nothing more was heard.
func (r *run) attemptOf(task, try int) journal.Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := journal.Attempt{Job: r.id, Task: task, Attempt: try, Run: r.job.Run}
	if s := r.tasks[task].at(try); s != nil {
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
	if r.deliver != nil {
		r.deliver.stop()
	}
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
