package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// Large outputs that only feed other tasks (plan.Task.Keep) stay in the container
// that made them; the publisher has their manifest. Who needs them gets them from
// there: provider from provider where they reach each other (Puller), else through
// the publisher. A container that is given back leaves first what is still needed;
// what is lost with one is made again (schedule.Lost). A publisher that starts
// again finds them by the workers' greetings.

// keepLeast is the size, in bytes, from which outputs stay where they are: less is
// here sooner than it is asked for.
const keepLeast = 1 << 20

// Puller is a lease whose provider can take files from another lease's provider.
type Puller interface {
	// Pull lets the provider fetch what ended tasks left in the container of another
	// lease, which provider from has.
	Pull(ctx context.Context, from types.Address, contract types.Hash, files []PullFile) error
}

// PullFile is a file that an ended task of a worker left.
type PullFile = client.File

// keptFile is a file of a task's outputs that stays where it was made.
type keptFile struct {
	task int
	file protocol.File // with its path among the outputs
}

// keeps reports whether the outputs of an attempt stay in its container.
func (s *slot) keeps(w *work) bool {
	return s.run.graph.Tasks[w.at.Task].Keep && w.exit.Class == protocol.ClassOK && w.exit.Bytes >= keepLeast
}

// ownPart is the part of a task's outputs that the publisher itself needs: what reports
// read, and what is delivered.
func ownPart(t *plan.Task, m protocol.Manifest) protocol.Manifest {
	var out protocol.Manifest
	for _, f := range m.Files {
		if f.Path == t.Facts || slices.ContainsFunc(t.Deliver, func(d plan.Delivery) bool { return within(f.Path, d.From) }) {
			out.Files = append(out.Files, f)
		}
	}
	return out
}

// stored is the part of a done task's outputs that must be in the blob store for its job
// to go on. What stayed in a container may be there still: whoever needs it will see.
// staged says that there is a staging folder, and so what went straight into that.
func (p *planned) stored(task int, m protocol.Manifest, staged bool) protocol.Manifest {
	if t := &p.graph.Tasks[task]; t.Keep {
		m = ownPart(t, m)
	}
	if staged {
		m = p.withoutStraight(task, m)
	}
	return m
}

// withoutStraight leaves out what goes straight into the staging folder.
func (p *planned) withoutStraight(task int, m protocol.Manifest) protocol.Manifest {
	m.Files = slices.DeleteFunc(slices.Clone(m.Files), func(f protocol.File) bool { return p.straight(task, f) })
	return m
}

// lasting reports whether a task's outputs are synced before its end is journalled.
// What only feeds other tasks, or the job's output folder, is not: a sync of a disk
// costs as much as the work, and what a power cut takes of it is made again by resume.
func (r *run) lasting(task int) bool {
	t := &r.graph.Tasks[task]
	return t.Publish || t.Report || !t.Keep && len(t.Deliver) == 0
}

// hold notes that a task's outputs stay with the attempt that made them.
func (s *slot) hold(w *work) {
	if !w.kept {
		return
	}
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	s.run.tasks[w.at.Task].holder = &place{w.at.Number, s}
}

// holds reports whether an attempt's outputs are to stay in the slot.
func (s *slot) holds(id string) bool {
	at, ok := parseTaskID(id)
	if !ok || at.Task >= len(s.run.graph.Tasks) {
		return false
	}
	h := s.run.holder(at.Task)
	return h != nil && h.slot == s && h.try == at.Number
}

// holder tells who has a task's outputs; nil where the publisher has.
func (r *run) holder(task int) *place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tasks[task].holder
}

// regain notes outputs that a worker held for a former process of the publisher,
// or holds still; false where it is no such attempt.
func (s *slot) regain(at schedule.Attempt, x *protocol.Exited) bool {
	if x == nil || !s.run.graph.Tasks[at.Task].Keep {
		return false
	}
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	t := &s.run.tasks[at.Task]
	if t.state != journal.TaskDone || t.tree != x.Tree || t.holder != nil && t.holder.slot != s {
		return false
	}
	t.holder = &place{at.Number, s}
	return true
}

// held lists the tasks whose outputs the slot has.
func (s *slot) held() (tasks []int) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	for i := range s.run.tasks {
		if h := s.run.tasks[i].holder; h != nil && h.slot == s {
			tasks = append(tasks, i)
		}
	}
	return tasks
}

// forsake says that what the slot had is lost; what needs it and is not done
// waits until it is made again.
func (s *slot) forsake() {
	for _, task := range s.held() {
		s.run.mu.Lock()
		s.run.tasks[task].holder = nil
		s.run.mu.Unlock()
		if s.run.needed(task) {
			s.run.tell(note{event: schedule.Lost{Now: s.run.now(), Task: task}})
		}
	}
}

// needed reports whether a task that is not done needs another one's outputs.
func (r *run) needed(task int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.users[task], func(u user) bool { return r.tasks[u.task].state == journal.TaskWaiting })
}

// retire gives a slot back, after what is still needed of it was brought here.
func (s *slot) retire() {
	tasks := slices.DeleteFunc(s.held(), func(task int) bool { return !s.run.needed(task) })
	if len(tasks) == 0 {
		s.release()
		return
	}
	s.run.e.background.Go(func() {
		defer s.release()
		for _, task := range tasks {
			if err := s.run.bringHome(s.ctx, task); err != nil && s.ctx.Err() == nil {
				s.log.Warn("outputs are lost with their container", "task", s.run.graph.Tasks[task].Name, "err", err)
				s.run.tell(note{event: schedule.Lost{Now: s.run.now(), Task: task}})
			}
		}
	})
}

// bringHome fetches the outputs of a task that stayed where they were made.
func (r *run) bringHome(ctx context.Context, task int) error {
	lock, _ := r.homing.LoadOrStore(task, new(sync.Mutex))
	lock.(*sync.Mutex).Lock()
	defer lock.(*sync.Mutex).Unlock()
	h := r.holder(task)
	if h == nil {
		return nil
	}
	m, err := r.manifest(r.tree(task))
	if err != nil {
		return err
	}
	c := h.slot.client.Load()
	if c == nil || c.Err() != nil {
		return fmt.Errorf("outputs of task %s: their container does not answer", r.graph.Tasks[task].Name)
	}
	if _, err := h.slot.files(c, taskID(schedule.Attempt{Task: task, Number: h.try}), nil, r.withoutStraight(task, m)); err != nil {
		var wrong *mismatch
		if errors.As(err, &wrong) {
			h.slot.blame(err)
		}
		if errors.Is(err, client.ErrWorker) {
			return &absent{r.tree(task), err}
		}
		return err
	}
	if err := r.e.blobs.Sync(); err != nil {
		return err
	}
	r.mu.Lock()
	r.tasks[task].holder = nil
	r.mu.Unlock()
	if c.Err() == nil {
		c.Release(taskID(schedule.Attempt{Task: task, Number: h.try}))
	}
	return ctx.Err()
}

// keptFiles lists the files of a part of a task's outputs, which stay elsewhere.
func keptFiles(task int, prefix string, part protocol.Manifest) (out []keptFile) {
	for _, f := range part.Files {
		if special(f) || len(f.Chunks) == 0 {
			continue
		}
		f.Path = path.Join(prefix, f.Path)
		out = append(out, keptFile{task, f})
	}
	return out
}

// stageKept gives the provider those of the missing blobs that are kept in other
// containers, from these, and returns what is left to be pushed.
func (s *slot) stageKept(ctx context.Context, files []keptFile, missing []types.Hash) ([]types.Hash, error) {
	if len(files) == 0 {
		return missing, nil
	}
	lacks := make(map[types.Hash]bool, len(missing))
	for _, h := range missing {
		lacks[h] = !s.run.e.blobs.Has(h)
	}
	pulls := map[*slot][]PullFile{}
	var order []*slot
	tasks := map[*slot][]int{}
	for _, k := range files {
		h := s.run.holder(k.task)
		if h == nil || !slices.ContainsFunc(k.file.Chunks, func(c types.Hash) bool { return lacks[c] }) {
			continue
		}
		if pulls[h.slot] == nil {
			order = append(order, h.slot)
		}
		pulls[h.slot] = append(pulls[h.slot], PullFile{Task: taskID(schedule.Attempt{Task: k.task, Number: h.try}), File: k.file})
		tasks[h.slot] = append(tasks[h.slot], k.task)
	}
	came := map[types.Hash]bool{}
	for _, from := range order {
		err := s.pull(ctx, from, pulls[from])
		if err == nil {
			for _, f := range pulls[from] {
				for _, c := range f.Chunks {
					came[c] = true
				}
			}
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.log.Debug("outputs come through the publisher", "from", from.lease.Provider().Short(), "err", err)
		for _, task := range tasks[from] {
			if err := s.run.bringHome(ctx, task); err != nil {
				return nil, err
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(missing), func(h types.Hash) bool { return came[h] }), nil
}

// errNoPull says that a lease's provider cannot take files from another's.
var errNoPull = errors.New("the provider takes files from its publisher only")

// pull lets the slot's provider fetch files from another slot's.
func (s *slot) pull(ctx context.Context, from *slot, files []PullFile) error {
	p, ok := s.lease.(Puller)
	if !ok {
		return errNoPull
	}
	return p.Pull(ctx, from.lease.Provider(), from.lease.ID(), files)
}
