package schedule

// race starts second attempts at tasks that are late, once nothing else waits for
// a slot; the first to end wins. A task is late once it takes lateFactor times
// what others of its stage took: a slow or stopped machine, for the work is alike.
// At most a quarter of the slots race.
func (m *machine) race(out []Effect) []Effect {
	m.late = 0
	if m.stopping != nil || m.resuming() || m.queued() > 0 || !m.picky.empty() {
		return out
	}
	room := max(1, m.params.Slots/4) - m.racing
	for _, n := range sorted(m.slots) {
		for _, i := range sorted(m.slots[n].tasks) {
			t := &m.tasks[i]
			if room <= 0 || t.rival != nil || !m.isLate(t) {
				continue
			}
			if unmet, _, good := m.count(i); unmet > 0 || !good {
				continue // what it has taken already was lost meanwhile
			}
			room--
			s := m.rivalSlot(t)
			if s == nil {
				m.late++
				continue
			}
			t.last++
			t.rival = &attempt{try: t.last, slot: s.number, started: m.now}
			m.racing++
			m.enter(i, s)
			m.offer(s)
			out = append(out, Assign{i, t.last, s.number})
		}
	}
	return out
}

// isLate reports whether a task that runs is late.
func (m *machine) isLate(t *task) bool {
	g := &m.stages[t.stage]
	if !t.speculate || t.alone || g.ends == 0 || t.run.killed || t.run.gathering {
		return false
	}
	ran := m.now - t.run.started
	return ran > lateFactor*g.mean && ran-g.mean > lateLeast
}

// rivalSlot takes an idle slot for a second attempt: of another provider than the
// first one's, where the job has another.
func (m *machine) rivalSlot(t *task) *slot {
	first := m.slots[t.run.slot].provider
	var found *slot
	var passed []*slot
	for found == nil {
		s := m.takeIdle()
		if s == nil {
			break
		}
		if s.number != t.run.slot && (s.provider != first && !t.avoids(s.provider) || len(m.providers) == 1) {
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

// quit takes one of two attempts away; the other runs on.
func (m *machine) quit(i int, a attempt) {
	t := &m.tasks[i]
	if t.run.try == a.try {
		t.run = *t.rival
	}
	t.rival = nil
	m.racing--
	m.leave(i, a)
}
