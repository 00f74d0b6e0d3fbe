package schedule

// lost takes a task's success back: what it made is no longer to be had. What
// needs it and has not begun waits for it again; what runs goes on, and waits
// only if it fails.
func (m *machine) lost(out []Effect, i int) []Effect {
	t := &m.tasks[i]
	if t.phase != done {
		return out
	}
	m.damaged = true
	m.done--
	m.open++
	m.stages[t.stage].left++
	t.phase = backoff
	for _, d := range m.after[i] {
		d = max(d, ^d)
		switch n := &m.tasks[d]; n.phase {
		case waiting:
			m.recall(d)
		case ready, backoff:
			m.unqueue(d)
			m.await(d)
		}
	}
	if t.redone++; t.redone > maxRedone {
		m.fail(i)
		return append(out, Redo{Task: i, Final: true})
	}
	if m.await(i) {
		m.enqueue(i)
	}
	return append(out, Redo{Task: i})
}

// await counts again what a task needs; true where it lacks nothing. Otherwise it
// waits, or is blocked where a need has failed.
func (m *machine) await(i int) bool {
	t := &m.tasks[i]
	unmet, nearing, good := m.count(i)
	if !good {
		m.shut(i, blocked)
		m.block(i)
		return false
	}
	if unmet == 0 {
		return true
	}
	t.phase, t.unmet, t.nearing = waiting, unmet, nearing
	if nearing == unmet {
		m.soon++
	}
	return false
}

// recall counts again what a waiting task needs.
func (m *machine) recall(i int) {
	t := &m.tasks[i]
	if t.nearing == t.unmet {
		m.soon--
	}
	t.phase = backoff
	m.await(i)
}

// count tells how many of a task's needs are not done, and how many of these may
// start or run, and are expected to end soon; false where one has failed.
func (m *machine) count(i int) (unmet, nearing int, good bool) {
	for _, n := range m.needs[i] {
		switch need := &m.tasks[n.Task]; need.phase {
		case done:
		case failed, blocked:
			if !n.Optional {
				return 0, 0, false
			}
		default:
			unmet++
			if (need.phase == running || need.phase == ready) && need.expect > 0 && need.expect <= lookAhead {
				nearing++
			}
		}
	}
	return unmet, nearing, true
}
