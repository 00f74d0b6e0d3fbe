package schedule

import (
	"slices"

	"github.com/zennet/zennet/provider/protocol"
)

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

// close counts a task as over: done, failed or blocked.
func (m *machine) close(t *task) {
	m.open--
	m.stages[t.stage].left--
}

// fail ends a task for good and blocks what needs it.
func (m *machine) fail(i int) {
	m.shut(i, failed)
	m.failed++
	m.block(i)
}

// block ends what needs a task that will not be done.
func (m *machine) block(i int) {
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
	m.unsettle(i)
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
				out = m.kill(out, i, m.tasks[i].in(n))
			}
		}
	}
	return out
}

func (m *machine) kill(out []Effect, i int, a *attempt) []Effect {
	if a.killed {
		return out
	}
	a.killed = true
	return append(out, Kill{i, a.try, a.slot, m.params.Grace})
}

// giveUp no longer waits for attempts that were killed and did not end.
func (m *machine) giveUp(out []Effect) []Effect {
	for _, n := range sorted(m.slots) {
		for _, i := range sorted(m.slots[n].tasks) {
			out = m.over(out, i, m.tasks[i].in(n).try, protocol.ClassKilled, 0, false)
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
