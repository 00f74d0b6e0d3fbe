package schedule

import (
	"container/heap"
	"time"
)

// intHeap is a heap of numbers, the smallest first.
type intHeap struct{ at intSlice }

type intSlice []int

func (h intSlice) Len() int           { return len(h) }
func (h intSlice) Less(i, j int) bool { return h[i] < h[j] }
func (h intSlice) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intSlice) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intSlice) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

func (h *intHeap) push(n int)  { heap.Push(&h.at, n) }
func (h *intHeap) pop() int    { return heap.Pop(&h.at).(int) }
func (h *intHeap) peek() int   { return h.at[0] }
func (h *intHeap) empty() bool { return len(h.at) == 0 }

// delayHeap is a heap of tasks by the time when they may start.
type delayHeap struct{ at delaySlice }

type delayed struct {
	until time.Duration
	task  int
}

type delaySlice []delayed

func (h delaySlice) Len() int { return len(h) }
func (h delaySlice) Less(i, j int) bool {
	return h[i].until < h[j].until || h[i].until == h[j].until && h[i].task < h[j].task
}
func (h delaySlice) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *delaySlice) Push(x any)   { *h = append(*h, x.(delayed)) }
func (h *delaySlice) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// enqueue lets a task start.
func (m *machine) enqueue(i int) {
	m.tasks[i].phase = ready
	m.near(i, 1)
	m.queue(i)
}

// queue puts a task that may start into its queue.
func (m *machine) queue(i int) {
	t := &m.tasks[i]
	switch s := m.slots[t.home]; {
	case len(t.avoid) > 0:
		t.since = m.now
		m.picky.push(i)
	case s != nil:
		s.ready.push(i)
		m.homed++
	default:
		m.ready.push(i)
	}
}

// due moves tasks whose backoff is over to the ready ones.
func (m *machine) due() {
	for len(m.delay.at) > 0 && m.delay.at[0].until <= m.now {
		m.enqueue(heap.Pop(&m.delay.at).(delayed).task)
	}
}

// offer puts a slot that may take a task into its queue. Entries that are no
// longer true are dropped when they are taken out.
func (m *machine) offer(s *slot) {
	switch n := s.load; {
	case !s.up || s.alone || len(s.tasks) >= maxHeld:
	case n == 0 && !s.inIdle:
		m.idle.push(s.number)
		s.inIdle = true
	case n > 0 && n < m.params.Side && !s.inPart:
		m.part.push(s.number)
		s.inPart = true
	}
}

// takeIdle returns the first idle slot, taken from its queue, or nil.
func (m *machine) takeIdle() *slot {
	for !m.idle.empty() {
		s := m.slots[m.idle.pop()]
		if s == nil {
			continue
		}
		if s.inIdle = false; s.load == 0 && len(s.tasks) < maxHeld {
			return s
		}
	}
	return nil
}

// takePart returns a slot that runs short tasks only and has room for one more,
// taken from its queue, or nil.
func (m *machine) takePart() *slot {
	for !m.part.empty() {
		s := m.slots[m.part.pop()]
		if s == nil {
			continue
		}
		s.inPart = false
		fit := s.load > 0 && s.load < m.params.Side && len(s.tasks) < maxHeld && !s.alone
		for i := range s.tasks {
			fit = fit && (m.tasks[i].in(s.number).gathering || m.stages[m.tasks[i].stage].short())
		}
		if fit {
			return s
		}
		// It comes back when one of its tasks ends.
	}
	return nil
}

// fill assigns what may start to slots that are free, in the order of the graph.
func (m *machine) fill(out []Effect) []Effect {
	if m.stopping != nil || m.resuming() {
		return out
	}
	out = m.fillPicky(out)
	var passed []*slot
	for m.queued() > 0 {
		s := m.takeIdle()
		if s == nil {
			break
		}
		if i, ok := m.pick(s); ok {
			out = m.assign(out, i, s)
		} else {
			passed = append(passed, s)
		}
	}
	for _, s := range passed {
		if i, ok := m.steal(s); ok {
			out = m.assign(out, i, s)
		} else {
			m.offer(s)
		}
	}
	return m.fillSides(out)
}

// fillSides assigns short tasks beside others that run.
func (m *machine) fillSides(out []Effect) []Effect {
	for !m.ready.empty() {
		i := m.ready.peek()
		if m.tasks[i].alone || !m.stages[m.tasks[i].stage].short() {
			return out
		}
		s := m.takePart()
		if s == nil {
			return out
		}
		m.ready.pop()
		out = m.assign(out, i, s)
	}
	return out
}

// resuming reports whether slots of an earlier process may soon tell what they
// hold: nothing is assigned before, lest it runs twice.
func (m *machine) resuming() bool {
	if m.awaited == 0 || m.now >= m.since+resumeFor {
		return false
	}
	return true
}

// fillPicky assigns tasks that avoid providers to idle slots of others, or to
// any where no other provider is there or the wait has been long enough.
func (m *machine) fillPicky(out []Effect) []Effect {
	var back []int
	for n := 0; n < maxPicky && !m.picky.empty(); n++ {
		i := m.picky.pop()
		s := m.slotFor(&m.tasks[i])
		if s == nil {
			back = append(back, i)
			continue
		}
		out = m.assign(out, i, s)
	}
	for _, i := range back {
		m.picky.push(i)
	}
	return out
}

func (m *machine) slotFor(t *task) *slot {
	anyone := m.now-t.since >= avoidFor
	if !anyone {
		anyone = true
		for p := range m.providers {
			anyone = anyone && t.avoids(p)
		}
	}
	var found *slot
	var passed []*slot
	for found == nil {
		s := m.takeIdle()
		if s == nil {
			break
		}
		if anyone || !t.avoids(s.provider) {
			found = s
		} else {
			passed = append(passed, s)
		}
	}
	for _, s := range passed {
		m.offer(s)
	}
	return found
}

func (t *task) avoids(provider string) bool {
	for _, p := range t.avoid {
		if p == provider {
			return true
		}
	}
	return false
}

func (m *machine) assign(out []Effect, i int, s *slot) []Effect {
	t := &m.tasks[i]
	t.last++
	m.unsettle(i)
	m.hold(i, s)
	m.offer(s)
	return append(out, Assign{i, t.last, s.number})
}

// hold notes that the last attempt at task i runs in slot s.
func (m *machine) hold(i int, s *slot) {
	t := &m.tasks[i]
	t.phase, t.run = running, attempt{try: t.last, slot: s.number, started: m.now}
	m.enter(i, s)
	m.running++
}

// enter notes that an attempt at task i runs in slot s.
func (m *machine) enter(i int, s *slot) {
	s.tasks[i] = struct{}{}
	s.load++
	s.alone = s.alone || m.tasks[i].alone
}

// near tells the dependants of i that it may start or runs (1), or does so no longer (-1).
func (m *machine) near(i, by int) {
	t := &m.tasks[i]
	if t.expect == 0 || t.expect > lookAhead {
		return
	}
	for _, d := range m.after[i] {
		d = max(d, ^d)
		n := &m.tasks[d]
		if n.phase != waiting {
			continue
		}
		if n.nearing == n.unmet {
			m.soon--
		}
		if n.nearing += by; n.nearing == n.unmet {
			m.soon++
		}
	}
}

// drop notes that task i no longer runs: its attempt, and one that races it, no
// longer count in their slots.
func (m *machine) drop(i int) {
	t := &m.tasks[i]
	m.running--
	m.near(i, -1)
	m.leave(i, t.run)
	if t.rival != nil {
		m.leave(i, *t.rival)
		t.rival = nil
		m.racing--
	}
}

// leave notes that an attempt at task i no longer runs in its slot.
func (m *machine) leave(i int, a attempt) {
	s := m.slots[a.slot]
	if s == nil {
		return
	}
	delete(s.tasks, i)
	if !a.gathering {
		m.lighten(s)
	}
	s.idle = m.now
	m.offer(s)
}

// lighten notes that one process less runs in a slot.
func (m *machine) lighten(s *slot) {
	if s.load--; s.load == 0 {
		s.alone = false
	}
}

func (h *delayHeap) push(d delayed) { heap.Push(&h.at, d) }
