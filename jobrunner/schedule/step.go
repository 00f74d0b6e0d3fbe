package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

// Step takes an event and returns what to do, in that order. On an error the
// state is unchanged. After Finish nothing more comes.
func Step(s State, e Event) (State, []Effect, error) {
	m := s.machine
	if err := m.check(e); err != nil {
		return s, nil, err
	}
	if m.finished {
		return s, nil, nil
	}
	m.now = max(m.now, e.now())
	m.due()
	var out []Effect
	switch e := e.(type) {
	case Begin:
		m.begun, m.since, m.awaited = true, m.now, len(e.Slots)
		for _, up := range e.Slots {
			m.addSlot(up)
			for _, a := range up.Holds {
				m.adopt(a, m.slots[up.Slot])
			}
		}
	case SlotUp:
		out = m.slotUp(out, e)
	case SlotDown:
		out = m.slotDown(out, m.slots[e.Slot])
	case Exited:
		out = m.exited(out, e)
	case Gathering:
		m.gathering(e)
	case NoSlots:
		if len(m.slots) == 0 && m.running == 0 && m.open > 0 {
			out = m.stop(out, Finish{Failed, e.Cause})
		}
	case Cancel:
		out = m.stop(out, Finish{State: Cancelled})
	}
	if m.begun {
		out = m.settle(out, e)
	}
	return s, out, nil
}

// check refuses events that cannot be.
func (m *machine) check(e Event) error {
	switch e := e.(type) {
	case Begin:
		if m.begun {
			return fmt.Errorf("%w: begun twice", ErrEvent)
		}
		for _, up := range e.Slots {
			if err := m.checkHolds(up); err != nil {
				return err
			}
		}
	case SlotUp:
		if s := m.slots[e.Slot]; s != nil && s.up {
			return fmt.Errorf("%w: slot %d is up already", ErrEvent, e.Slot)
		}
		return m.checkHolds(e)
	case SlotDown:
		if m.slots[e.Slot] == nil {
			return fmt.Errorf("%w: slot %d is not known", ErrEvent, e.Slot)
		}
	case Exited:
		if e.Task < 0 || e.Task >= len(m.tasks) {
			return fmt.Errorf("%w: task %d of %d", ErrEvent, e.Task, len(m.tasks))
		}
	case Gathering:
		if e.Task < 0 || e.Task >= len(m.tasks) {
			return fmt.Errorf("%w: task %d of %d", ErrEvent, e.Task, len(m.tasks))
		}
	case NoSlots, Tick, Cancel:
	default:
		return fmt.Errorf("%w: %T", ErrEvent, e)
	}
	return nil
}

func (m *machine) checkHolds(up SlotUp) error {
	for _, a := range up.Holds {
		if a.Task < 0 || a.Task >= len(m.tasks) {
			return fmt.Errorf("%w: slot %d holds task %d of %d", ErrEvent, up.Slot, a.Task, len(m.tasks))
		}
	}
	return nil
}

// settle is the end of every step: it fills slots, tells how many are wanted,
// gives back those that idle, and ends the job.
func (m *machine) settle(out []Effect, e Event) []Effect {
	if d := m.params.Deadline; d > 0 && m.now >= d && m.open > 0 {
		out = m.stop(out, Finish{Failed, CauseDeadline})
	}
	if m.stopping != nil && m.running > 0 && m.now >= m.killed+m.params.Grace+killSlack {
		out = m.giveUp(out)
	}
	out = m.fill(out)
	if end := m.end(); end != nil {
		m.finished = true
		return append(out, *end)
	}
	if want := m.wanted(); want != m.want {
		m.want = want
		out = append(out, Want{want})
	}
	if _, tick := e.(Tick); tick {
		out = m.shrink(out)
	}
	return out
}

// end is the job's end, if it has come.
func (m *machine) end() *Finish {
	switch {
	case m.running > 0:
		return nil
	case m.open == 0 && m.bad > 0:
		return &Finish{Failed, CauseTask}
	case m.open == 0:
		return &Finish{State: Done}
	}
	return m.stopping
}

// wanted is how many slots the job can use: a slot a task that runs, may start
// or soon may, at most Params.Slots.
func (m *machine) wanted() int {
	if m.stopping != nil {
		return 0
	}
	return min(m.params.Slots, m.running+len(m.ready.at)+len(m.picky.at)+len(m.delay.at)+m.soon)
}

// shrink gives back slots that have idled for a while, the longest first, where
// more are there than wanted.
func (m *machine) shrink(out []Effect) []Effect {
	n := len(m.slots) - m.want
	if n <= 0 {
		return out
	}
	var idle []*slot
	for _, s := range m.slots {
		if s.up && len(s.tasks) == 0 && m.now-s.idle >= linger {
			idle = append(idle, s)
		}
	}
	slices.SortFunc(idle, func(a, b *slot) int { return cmp.Or(cmp.Compare(a.idle, b.idle), cmp.Compare(a.number, b.number)) })
	for _, s := range idle[:min(n, len(idle))] {
		m.removeSlot(s)
		out = append(out, Release{s.number})
	}
	return out
}

func (m *machine) addSlot(up SlotUp) {
	m.slots[up.Slot] = &slot{number: up.Slot, provider: up.Provider, tasks: map[int]struct{}{}, idle: m.now}
	m.providers[up.Provider]++
}

func (m *machine) removeSlot(s *slot) {
	delete(m.slots, s.number)
	if m.providers[s.provider]--; m.providers[s.provider] == 0 {
		delete(m.providers, s.provider)
	}
}

// adopt takes an attempt that a slot holds as running there; false where the
// task is over or runs elsewhere.
func (m *machine) adopt(a Attempt, s *slot) bool {
	t := &m.tasks[a.Task]
	if t.phase == running && t.slot == s.number && t.try == a.Number {
		return true
	}
	if t.phase != ready && t.phase != backoff || a.Number < t.try {
		return false
	}
	m.unqueue(a.Task)
	t.try = a.Number
	m.hold(a.Task, s)
	return true
}

// unqueue takes a task out of its queue; it is rare.
func (m *machine) unqueue(i int) {
	drop := func(h *intHeap) {
		if n := slices.Index(h.at, i); n >= 0 {
			h.at = slices.Delete(h.at, n, n+1)
			slices.Sort(h.at)
		}
	}
	drop(&m.ready)
	drop(&m.picky)
	if n := slices.IndexFunc(m.delay.at, func(d delayed) bool { return d.task == i }); n >= 0 {
		m.delay.at = slices.Delete(m.delay.at, n, n+1)
		slices.SortFunc(m.delay.at, func(a, b delayed) int { return int(a.until - b.until) })
	}
}

func (m *machine) slotUp(out []Effect, e SlotUp) []Effect {
	if m.slots[e.Slot] == nil {
		m.addSlot(e)
		m.slots[e.Slot].fresh = true
	}
	s := m.slots[e.Slot]
	if !s.fresh {
		m.awaited--
	}
	s.up, s.idle = true, m.now
	held := make(map[int]bool)
	for _, a := range e.Holds {
		if m.adopt(a, s) {
			held[a.Task] = true
		} else {
			out = append(out, Kill{Task: a.Task, Try: a.Number, Slot: s.number})
		}
	}
	for _, i := range sorted(s.tasks) {
		if !held[i] {
			out = m.over(out, i, protocol.ClassProvider, 0)
		}
	}
	if m.stopping != nil {
		for _, i := range sorted(s.tasks) {
			out = m.kill(out, i)
		}
	}
	m.offer(s)
	return out
}

func (m *machine) slotDown(out []Effect, s *slot) []Effect {
	if !s.up {
		m.awaited--
	}
	m.removeSlot(s)
	for _, i := range sorted(s.tasks) {
		out = m.over(out, i, protocol.ClassProvider, 0)
	}
	return out
}

// gathering frees the place of an attempt whose process has ended.
func (m *machine) gathering(e Gathering) {
	t := &m.tasks[e.Task]
	if t.phase != running || t.try != e.Try || t.gathering {
		return
	}
	t.gathering = true
	s := m.slots[t.slot]
	m.lighten(s)
	m.offer(s)
}

func (m *machine) exited(out []Effect, e Exited) []Effect {
	t := &m.tasks[e.Task]
	current := t.phase == running && t.try == e.Try
	if e.Class != protocol.ClassOK {
		if !current {
			return out
		}
		return m.over(out, e.Task, e.Class, e.Code)
	}
	switch t.phase {
	case running:
		if !current {
			out = m.kill(out, e.Task)
		}
		m.drop(e.Task)
	case ready, backoff:
		m.unqueue(e.Task)
	default:
		return out
	}
	t.phase = done
	m.done++
	m.close(t)
	g := &m.stages[t.stage]
	if g.ends++; g.ends == 1 {
		g.mean = e.Wall
	} else {
		g.mean += (e.Wall - g.mean) / time.Duration(min(g.ends, 16))
	}
	m.met(e.Task)
	return out
}

// met lets the dependants of a task go on.
func (m *machine) met(i int) {
	for _, d := range m.after[i] {
		if d = max(d, ^d); m.tasks[d].phase == waiting {
			m.less(d)
		}
	}
}

// less takes one need from a waiting task.
func (m *machine) less(i int) {
	t := &m.tasks[i]
	if t.nearing == t.unmet {
		m.soon--
	}
	if t.unmet--; t.unmet == 0 {
		m.enqueue(i)
	} else if t.nearing == t.unmet {
		m.soon++
	}
}

// close counts a task as over: done, failed or blocked.
func (m *machine) close(t *task) {
	m.open--
	m.stages[t.stage].left--
}

// fail ends a task for good and blocks what needs it.
func (m *machine) fail(i int) {
	m.shut(i, failed)
	m.failed++
	for todo := []int{i}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, d := range m.after[i] {
			n := max(d, ^d)
			switch {
			case m.tasks[n].phase != waiting:
			case d >= 0:
				m.shut(n, blocked)
				todo = append(todo, n)
			default: // an optional need: its failure will do
				m.less(n)
			}
		}
	}
}

// shut ends a task that will not be done.
func (m *machine) shut(i int, p phase) {
	t := &m.tasks[i]
	if t.phase == waiting && t.unmet > 0 && t.nearing == t.unmet {
		m.soon--
	}
	t.phase = p
	m.close(t)
	if !t.bestEffort {
		m.bad++
	}
}

// stop ends the job before its work is done: what runs is killed.
func (m *machine) stop(out []Effect, why Finish) []Effect {
	if m.stopping != nil {
		if why.State == Cancelled {
			m.stopping = &why
		}
		return out
	}
	m.stopping, m.killed = &why, m.now
	for _, n := range sorted(m.slots) {
		for _, i := range sorted(m.slots[n].tasks) {
			if m.slots[n].up {
				out = m.kill(out, i)
			}
		}
	}
	return out
}

func (m *machine) kill(out []Effect, i int) []Effect {
	t := &m.tasks[i]
	if t.killed {
		return out
	}
	t.killed = true
	return append(out, Kill{i, t.try, t.slot, m.params.Grace})
}

// giveUp no longer waits for attempts that were killed and did not end.
func (m *machine) giveUp(out []Effect) []Effect {
	for _, n := range sorted(m.slots) {
		for _, i := range sorted(m.slots[n].tasks) {
			out = m.over(out, i, protocol.ClassKilled, 0)
		}
	}
	return out
}

func sorted[V any](set map[int]V) []int {
	keys := make([]int, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
