package schedule

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
)

// A task that has not begun may have a home: a slot where what it takes lies
// already (SlotUp.Near), or is being brought while tasks that it needs still run
// (Prepare). A slot runs the tasks that are at home there before others; one that
// would idle takes another's, for time costs more than bytes.

// settleIn gives tasks that a new slot is near to their home.
func (m *machine) settleIn(s *slot, tasks []int) {
	moved := map[int]bool{}
	for _, i := range tasks {
		t := &m.tasks[i]
		if t.phase != waiting && t.phase != ready || t.home != 0 || len(t.avoid) > 0 {
			continue
		}
		m.settleAt(i, s)
		if t.phase == ready {
			moved[i] = true
		}
	}
	if len(moved) == 0 {
		return
	}
	m.ready.at = slices.DeleteFunc(m.ready.at, func(i int) bool { return moved[i] })
	heap.Init(&m.ready.at)
	for i := range moved {
		m.queue(i)
	}
}

func (m *machine) settleAt(i int, s *slot) {
	m.tasks[i].home = s.number
	s.homes[i] = struct{}{}
}

// unsettle takes a task's home away.
func (m *machine) unsettle(i int) {
	t := &m.tasks[i]
	if s := m.slots[t.home]; s != nil {
		delete(s.homes, i)
	}
	t.home = 0
}

// disperse takes the home of all tasks away whose home is a slot that goes.
func (m *machine) disperse(s *slot) {
	m.homed -= len(s.ready.at)
	for _, i := range slices.Sorted(maps.Keys(s.homes)) {
		if m.tasks[i].home = 0; m.tasks[i].phase == ready {
			m.queue(i)
		}
	}
}

// prepare has what task need made brought to a waiting task's home; with a new
// home, what all others made that are done.
func (m *machine) prepare(out []Effect, i, need int) []Effect {
	t := &m.tasks[i]
	if !t.early || len(t.avoid) > 0 || m.stopping != nil {
		return out
	}
	if t.home != 0 {
		return append(out, Prepare{i, need, t.home})
	}
	s := m.roomiest(t)
	if s == nil {
		return out
	}
	m.settleAt(i, s)
	for _, n := range m.needs[i] {
		if m.tasks[n.Task].phase == done {
			out = append(out, Prepare{i, n.Task, s.number})
		}
	}
	return out
}

// roomiest is the slot that is home to the fewest tasks, as long as these are not
// more than its share would be once all slots are there; or nil.
func (m *machine) roomiest(t *task) *slot {
	left := m.stages[t.stage].left
	share := (left + m.params.Slots - 1) / m.params.Slots
	var best *slot
	for _, s := range m.slots {
		if n := len(s.homes); s.up && n < share && (best == nil || n < len(best.homes) || n == len(best.homes) && s.number < best.number) {
			best = s
		}
	}
	return best
}

// queued is the number of tasks that may start and avoid no provider.
func (m *machine) queued() int { return len(m.ready.at) + m.homed }

// pick takes the task that an idle slot runs next out of its queue: of those at
// home there and those without a home, the one of the earlier stage.
func (m *machine) pick(s *slot) (task int, ok bool) {
	switch {
	case s.ready.empty() && m.ready.empty():
		return 0, false
	case s.ready.empty(), !m.ready.empty() && m.tasks[m.ready.peek()].stage < m.tasks[s.ready.peek()].stage:
		return m.ready.pop(), true
	}
	m.homed--
	return s.ready.pop(), true
}

// steal takes a task that is at home elsewhere out of the longest queue, first of
// all in a slot of the same provider: what lies there is at hand.
func (m *machine) steal(thief *slot) (task int, ok bool) {
	var from *slot
	for _, s := range m.slots {
		if len(s.ready.at) > 0 && (from == nil || better(s, from, thief.provider)) {
			from = s
		}
	}
	if from == nil {
		return 0, false
	}
	m.homed--
	return from.ready.pop(), true
}

// better says whether a is to be stolen from rather than b.
func better(a, b *slot, provider string) bool {
	if own := a.provider == provider; own != (b.provider == provider) {
		return own
	}
	return cmp.Or(cmp.Compare(len(b.ready.at), len(a.ready.at)), cmp.Compare(a.number, b.number)) < 0
}
