package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/zennet/zennet/provider/protocol"
)

func (m *machine) checkHolds(up SlotUp) error {
	if up.Slot < 1 {
		return fmt.Errorf("%w: slot %d", ErrEvent, up.Slot)
	}
	for _, a := range up.Holds {
		if a.Task < 0 || a.Task >= len(m.tasks) {
			return fmt.Errorf("%w: slot %d holds task %d of %d", ErrEvent, up.Slot, a.Task, len(m.tasks))
		}
	}
	for _, i := range up.Near {
		if i < 0 || i >= len(m.tasks) {
			return fmt.Errorf("%w: slot %d is near to task %d of %d", ErrEvent, up.Slot, i, len(m.tasks))
		}
	}
	return nil
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
	m.slots[up.Slot] = &slot{number: up.Slot, provider: up.Provider, tasks: map[int]struct{}{}, homes: map[int]struct{}{}, idle: m.now}
	m.providers[up.Provider]++
}

func (m *machine) removeSlot(s *slot) {
	delete(m.slots, s.number)
	m.disperse(s)
	if m.providers[s.provider]--; m.providers[s.provider] == 0 {
		delete(m.providers, s.provider)
	}
}

// adopt takes an attempt that a slot holds as running there; false where the
// task is over or runs elsewhere.
func (m *machine) adopt(a Attempt, s *slot) bool {
	t := &m.tasks[a.Task]
	if x := t.attempt(a.Number); x != nil {
		return x.slot == s.number
	}
	if t.phase != ready && t.phase != backoff || a.Number < t.last {
		return false
	}
	m.unqueue(a.Task)
	m.unsettle(a.Task)
	m.near(a.Task, 1)
	t.last = a.Number
	m.hold(a.Task, s)
	return true
}

// unqueue takes a task out of its queue; it is rare.
func (m *machine) unqueue(i int) {
	if m.tasks[i].phase == ready {
		m.near(i, -1)
	}
	drop := func(h *intHeap) bool {
		n := slices.Index(h.at, i)
		if n >= 0 {
			h.at = slices.Delete(h.at, n, n+1)
			slices.Sort(h.at)
		}
		return n >= 0
	}
	if s := m.slots[m.tasks[i].home]; s != nil && drop(&s.ready) {
		m.homed--
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
			// It may have ended well, and no other attempt may have its number.
			t := &m.tasks[a.Task]
			t.last = max(t.last, a.Number)
			out = append(out, Kill{Task: a.Task, Try: a.Number, Slot: s.number})
		}
	}
	for _, i := range sorted(s.tasks) {
		if !held[i] {
			out = m.over(out, i, m.tasks[i].in(s.number).try, protocol.ClassProvider, 0, false)
		}
	}
	if m.stopping != nil {
		for _, i := range sorted(s.tasks) {
			out = m.kill(out, i, m.tasks[i].in(s.number))
		}
	}
	m.settleIn(s, e.Near)
	m.offer(s)
	return out
}

func (m *machine) slotDown(out []Effect, s *slot) []Effect {
	if !s.up {
		m.awaited--
	}
	m.removeSlot(s)
	for _, i := range sorted(s.tasks) {
		out = m.over(out, i, m.tasks[i].in(s.number).try, protocol.ClassProvider, 0, false)
	}
	return out
}
