package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/zennet/zennet/jobrunner/schedule"
)

// A reduce takes something of every map. What a map made is brought to the slot
// where the reduce will probably run (schedule.Prepare) as soon as it is there,
// while other maps run: so the shuffle overlaps the map phase. What cannot be
// brought ahead comes when the task begins.

// user is a task that needs another one's outputs, and the place of that among
// its inputs.
type user struct{ task, input int }

// ahead is what is to be brought to a slot before it is asked for.
type ahead struct {
	mu   sync.Mutex
	due  []schedule.Prepare
	busy bool // somebody brings it
}

// add queues what is to be brought; true where nobody is at it.
func (a *ahead) add(due []schedule.Prepare) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = append(a.due, due...)
	idle := !a.busy
	a.busy = true
	return idle
}

// take takes all that is due; nobody is at it where that is nothing.
func (a *ahead) take() []schedule.Prepare {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := a.due
	a.due, a.busy = nil, len(due) > 0
	return due
}

// bring carries out a command of the run's loop.
func (s *slot) bring(due []schedule.Prepare) {
	if !s.ahead.add(due) {
		return
	}
	s.busy.Go(func() {
		for due := s.ahead.take(); len(due) > 0; due = s.ahead.take() {
			if err := s.bringAhead(s.ctx, due); err != nil && s.ctx.Err() == nil {
				s.log.Debug("not brought ahead", "of", len(due), "err", err)
			}
		}
	})
}

// bringAhead stages what the tasks will take of the outputs that are there.
func (s *slot) bringAhead(ctx context.Context, due []schedule.Prepare) error {
	r := s.run
	l := r.newLoad(s)
	defer l.close()
	for _, d := range due {
		users := r.users[d.Need] // in the order of tasks
		first, _ := slices.BinarySearchFunc(users, d.Task, func(u user, task int) int { return u.task - task })
		for _, u := range users[first:] {
			if u.task != d.Task {
				break
			}
			if err := r.loadOutputs(l, r.graph.Tasks[d.Task].Inputs[u.input], d.Need); err != nil {
				return err
			}
		}
	}
	return s.stage(ctx, l)
}
