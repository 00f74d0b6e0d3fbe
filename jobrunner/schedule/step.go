package schedule

import (
	"fmt"
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
	case Lost:
		out = m.lost(out, e.Task)
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
	case Lost:
		if e.Task < 0 || e.Task >= len(m.tasks) {
			return fmt.Errorf("%w: task %d of %d", ErrEvent, e.Task, len(m.tasks))
		}
	case NoSlots, Tick, Cancel:
	default:
		return fmt.Errorf("%w: %T", ErrEvent, e)
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
	_, tick := e.(Tick)
	if tick {
		out = m.race(out)
	}
	if end := m.end(); end != nil {
		m.finished = true
		return append(out, *end)
	}
	if want := m.wanted(); want != m.want {
		m.want = want
		out = append(out, Want{want})
	}
	if tick {
		out = m.shrink(out)
	}
	return out
}

// wanted is how many slots the job can use: a slot a task that runs, may start
// or soon may, at most Params.Slots.
func (m *machine) wanted() int {
	if m.stopping != nil {
		return 0
	}
	return min(m.params.Slots, m.running+m.queued()+len(m.picky.at)+len(m.delay.at)+m.soon+m.racing+m.late)
}

// gathering frees the place of an attempt whose process has ended.
func (m *machine) gathering(e Gathering) {
	t := &m.tasks[e.Task]
	a := t.attempt(e.Try)
	if a == nil || a.gathering {
		return
	}
	a.gathering = true
	s := m.slots[a.slot]
	m.lighten(s)
	m.offer(s)
}

func (m *machine) exited(out []Effect, e Exited) []Effect {
	t := &m.tasks[e.Task]
	if e.Class != protocol.ClassOK {
		if t.attempt(e.Try) == nil {
			return out
		}
		return m.over(out, e.Task, e.Try, e.Class, e.Code, e.Final)
	}
	switch t.phase {
	case running:
		if t.run.try != e.Try {
			out = m.kill(out, e.Task, &t.run)
		}
		if t.rival != nil && t.rival.try != e.Try {
			out = m.kill(out, e.Task, t.rival)
		}
		m.drop(e.Task)
	case ready, backoff:
		m.unqueue(e.Task)
	case waiting: // its outputs are here, whatever became of what it needs
		if t.last == 0 {
			return out
		}
		if t.nearing == t.unmet {
			m.soon--
		}
	default:
		return out
	}
	t.phase = done
	m.unsettle(e.Task)
	m.done++
	m.close(t)
	g := &m.stages[t.stage]
	if g.ends++; g.ends == 1 {
		g.mean = e.Wall
	} else {
		g.mean += (e.Wall - g.mean) / time.Duration(min(g.ends, 16))
	}
	return m.met(out, e.Task)
}

// met lets the dependants of a task go on.
func (m *machine) met(out []Effect, i int) []Effect {
	for _, d := range m.after[i] {
		if d = max(d, ^d); m.tasks[d].phase == waiting {
			if m.less(d); m.tasks[d].phase == waiting {
				out = m.prepare(out, d, i)
			}
		}
	}
	return out
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
