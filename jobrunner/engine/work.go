package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// command is what the run's loop wants of a slot.
type command struct {
	kind       commandKind
	at         schedule.Attempt
	checkpoint types.Hash
	started    time.Time
	grace      time.Duration
	prepare    []schedule.Prepare
}

type commandKind uint8

const (
	commandRun commandKind = iota
	commandKill
	commandPrepare
)

// work is one attempt in a slot.
type work struct {
	at      schedule.Attempt
	id      string // in the worker
	stage   workStage
	request *protocol.Run
	started time.Time
	killed  bool
	cancel  context.CancelFunc // of its preparation
	exit    *protocol.Exited
	err     error
	settled bool                    // its end was told; the worker may forget it
	kept    bool                    // its outputs stay in the container
	staged  map[string]data.Staging // files that lie in a staging folder, by their names there
	fell    bool                    // some that should were stored here instead
	fetches int                     // times that its results could not be brought in
	feeding *feeding                // of its standard input; nil where it has none
	final   bool                    // it failed, and no other attempt can do better
}

type workStage uint8

const (
	workPreparing  workStage = iota
	workSent                 // the worker has it, or will get it again
	workCollecting           // its results are on their way
)

// taskID names an attempt in a worker.
func taskID(at schedule.Attempt) string {
	return strconv.Itoa(at.Task) + "." + strconv.Itoa(at.Number)
}

func parseTaskID(id string) (schedule.Attempt, bool) {
	task, try, ok := strings.Cut(id, ".")
	t, err1 := strconv.Atoi(task)
	n, err2 := strconv.Atoi(try)
	return schedule.Attempt{Task: t, Number: n}, ok && err1 == nil && err2 == nil && t >= 0 && n > 0
}

func (s *slot) command(c *client.Client, cmd command) {
	id := taskID(cmd.at)
	switch cmd.kind {
	case commandKill:
		w := s.works[id]
		if w == nil {
			return
		}
		switch w.killed = true; w.stage {
		case workPreparing:
			w.cancel()
		case workSent:
			c.Kill(id, uint32(cmd.grace/time.Second))
		}
	case commandPrepare:
		s.bring(cmd.prepare)
	case commandRun:
		w := &work{at: cmd.at, id: id, started: cmd.started}
		s.works[id] = w
		ctx, cancel := context.WithCancel(s.ctx)
		w.cancel = cancel
		if len(s.run.graph.Tasks[cmd.at.Task].Inputs) == 0 && cmd.checkpoint.IsZero() {
			w.request, w.err = s.prepare(ctx, w, cmd.checkpoint)
			cancel()
			s.returned(c, w)
			return
		}
		s.busy.Go(func() {
			defer cancel()
			w.request, w.err = s.prepare(ctx, w, cmd.checkpoint)
			s.giveBack(w)
		})
	}
}

func (s *slot) giveBack(w *work) {
	select {
	case s.back <- w:
	case <-s.ctx.Done():
	}
}

// returned goes on with what was prepared or collected.
func (s *slot) returned(c *client.Client, w *work) {
	switch {
	case w.stage == workPreparing && w.err != nil:
		delete(s.works, w.id)
		class := protocol.ClassStage
		if w.killed {
			class = protocol.ClassKilled
		}
		s.run.failed(s, w, class, w.err.Error(), nil)
	case w.stage == workPreparing && w.killed:
		delete(s.works, w.id)
		s.run.failed(s, w, protocol.ClassKilled, "stopped before it started", nil)
	case w.stage == workPreparing:
		w.stage = workSent
		if err := c.Run(*w.request); err != nil {
			s.log.Debug("run not sent; it is sent again", "task", w.id, "err", err)
			return
		}
		s.feed(w, true)
	case w.settled:
		delete(s.works, w.id)
		if !s.holds(w.id) {
			c.Release(w.id)
		}
	default: // collecting was cut off; where c is gone, the next Greeting tells of the end again
		if w.stage = workSent; c.Err() == nil {
			s.exited(c, w.exit)
		}
	}
}

// exited starts to collect what an attempt left.
func (s *slot) exited(c *client.Client, x *protocol.Exited) {
	w := s.works[x.ID]
	if w != nil {
		w.unfeed()
		s.silent(w.at.Task)
	}
	switch {
	case w == nil:
		c.Release(x.ID)
		return
	case w.stage != workSent:
		return
	case w.settled:
		delete(s.works, x.ID)
		c.Release(x.ID)
		return
	}
	if s.run.over(w.at.Task) { // another attempt was first
		w.settled = true
		delete(s.works, x.ID)
		c.Release(x.ID)
		s.run.failed(s, w, protocol.ClassKilled, "another attempt was first", x)
		return
	}
	w.unfed(x)
	w.stage, w.exit = workCollecting, x
	s.run.tell(note{event: schedule.Gathering{Now: s.run.now(), Task: w.at.Task, Try: w.at.Number}})
	s.busy.Go(func() { s.collect(c, w) })
}

// stage pushes the blobs that this lease is not known to have.
func (s *slot) stage(ctx context.Context, l *load) error {
	if len(s.unstaged(l)) == 0 {
		return nil
	}
	s.transfer.Lock()
	defer s.transfer.Unlock()
	missing := s.unstaged(l) // somebody else may have staged some meanwhile
	if len(missing) == 0 {
		return nil
	}
	pushed, err := s.stageKept(ctx, l.kept, missing)
	if err != nil {
		return fmt.Errorf("stage inputs: %w", err)
	}
	if err := s.lease.Stage(ctx, pushed, l.get); err != nil {
		return fmt.Errorf("stage inputs: %w", err)
	}
	s.staging.Lock()
	defer s.staging.Unlock()
	if len(s.staged) > 1<<20 {
		clear(s.staged)
	}
	for _, h := range missing {
		s.staged[h] = struct{}{}
	}
	return nil
}

// unstaged lists what the lease is not known to have, each blob once.
func (s *slot) unstaged(l *load) (missing []types.Hash) {
	if len(l.stage) == 0 {
		return nil
	}
	s.staging.Lock()
	defer s.staging.Unlock()
	seen := map[types.Hash]struct{}{}
	for _, h := range l.stage {
		_, there := s.staged[h]
		if _, twice := seen[h]; !there && !twice {
			seen[h] = struct{}{}
			missing = append(missing, h)
		}
	}
	return missing
}

// prepare stages an attempt's inputs and makes its request.
func (s *slot) prepare(ctx context.Context, w *work, checkpoint types.Hash) (*protocol.Run, error) {
	r, t := s.run, &s.run.graph.Tasks[w.at.Task]
	l, err := r.load(s, w.at.Task, checkpoint)
	if err != nil && !checkpoint.IsZero() {
		s.log.Warn("checkpoint is gone; the task starts anew", "task", t.Name, "err", err)
		checkpoint = types.Hash{}
		l, err = r.load(s, w.at.Task, checkpoint)
	}
	if err != nil {
		r.miss(w.at.Task, err)
		return nil, err
	}
	defer l.close()
	if err := s.stage(ctx, l); err != nil {
		r.miss(w.at.Task, err)
		return nil, err
	}
	env := make(map[string]string, len(t.Env)+8)
	env["ZENNET_TASK_INDEX"] = t.Index
	env["ZENNET_TASK_NUMBER"] = strconv.Itoa(t.Number)
	env["ZENNET_TASK_COUNT"] = strconv.Itoa(len(r.graph.Tasks))
	env["OMP_NUM_THREADS"] = strconv.Itoa(r.spec.Resources.CPUs())
	for _, p := range t.Params {
		env["ZENNET_PARAM_"+p.Name] = p.Value
	}
	for k, v := range t.Env {
		env[k] = v
	}
	env["ZENNET_ATTEMPT"] = strconv.Itoa(w.at.Number)
	env["ZENNET_JOB_ID"] = r.id
	if !checkpoint.IsZero() {
		env["ZENNET_RESTART"] = "1"
	}
	timeout := (r.spec.Timeout + time.Second - 1) / time.Second
	return &protocol.Run{ID: w.id, Command: t.Command, Env: env, Inputs: l.mounts, Collect: t.Collect, Checkpoint: t.Checkpoint, Stdin: len(t.Stdin) > 0,
		TimeoutSeconds: uint32(timeout), GraceSeconds: uint32(killGrace / time.Second)}, nil
}

// over reports whether a task is done.
func (r *run) over(task int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tasks[task].state == journal.TaskDone
}

// place notes where attempts of a former process run.
func (r *run) place(s *slot, holds []schedule.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range holds {
		if t := &r.tasks[at.Task]; t.state == journal.TaskWaiting && t.try <= at.Number {
			t.runs, t.try = []place{{at.Number, s}}, at.Number
		}
	}
	r.touch()
}

// failed tells the loop of the failed end of an attempt.
func (r *run) failed(s *slot, w *work, class, message string, x *protocol.Exited) {
	e := &ended{End: s.end(w, x)}
	e.Class, e.Message = class, message
	r.tell(note{event: schedule.Exited{Now: r.now(), Task: w.at.Task, Try: w.at.Number, Class: class, Code: int(e.Code), Wall: e.Wall}, ended: e})
}

// end is the record of an attempt's end, as far as x tells.
func (s *slot) end(w *work, x *protocol.Exited) journal.End {
	s.run.mu.Lock()
	run := s.run.job.Run
	s.run.mu.Unlock()
	e := journal.End{Attempt: journal.Attempt{Job: s.run.id, Task: w.at.Task, Attempt: w.at.Number, Run: run, Lease: s.lease.ID(),
		Provider: s.lease.Provider(), Started: w.started, Ended: s.run.e.now()}}
	if x != nil {
		e.Class, e.Message, e.Code, e.Wall, e.Usage = x.Class, x.Message, x.Code, time.Duration(x.WallNS), x.Usage
	}
	return e
}
