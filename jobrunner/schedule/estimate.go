package schedule

import "time"

// Counts tells how many tasks there are in each state; Waiting holds also those
// that wait for a failed one.
type Counts struct{ Total, Waiting, Running, Done, Failed int }

// Counts is the schedule's present state in numbers.
func (s State) Counts() Counts {
	m := s.machine
	c := Counts{Total: len(m.tasks), Running: m.running, Done: m.done, Failed: m.failed}
	c.Waiting = c.Total - c.Running - c.Done - c.Failed
	return c
}

// Running is the number of tasks that run.
func (s State) Running() int { return s.machine.running }

// Holds lists the tasks that run in a slot, in order.
func (s State) Holds(number int) []int {
	if sl := s.machine.slots[number]; sl != nil {
		return sorted(sl.tasks)
	}
	return nil
}

// Stage is the number of the stage that is being worked on: the first with a
// task that runs, else the first with one that is left; -1 at the end.
func (s State) Stage() int {
	first := -1
	for _, sl := range s.machine.slots {
		for i := range sl.tasks {
			if g := s.machine.tasks[i].stage; first < 0 || g < first {
				first = g
			}
		}
	}
	for g := 0; first < 0 && g < len(s.machine.stages); g++ {
		if s.machine.stages[g].left > 0 {
			first = g
		}
	}
	return first
}

// maxPath is the most tasks for which the longest chain is computed.
const maxPath = 10_000

// Estimate is the expected time to the end: the work that is left spread over
// the slots that the job may have, or its longest chain, whichever is more.
// False where a stage's length is not known.
func (s State) Estimate(now time.Duration) (time.Duration, bool) {
	m := s.machine
	var work time.Duration
	for _, g := range m.stages {
		if g.left == 0 {
			continue
		}
		one, known := g.length()
		if !known {
			return 0, false
		}
		side := 1
		if g.short() {
			side = m.params.Side
		}
		work += one * time.Duration(g.left) / time.Duration(side)
	}
	left := func(t *task) time.Duration {
		one, _ := m.stages[t.stage].length()
		if t.phase == running {
			// One that is late already is likely to be late for longer.
			ran := now - t.run.started
			one = max(one/20, one-ran, (ran-one)/2)
		}
		return one
	}
	for _, sl := range m.slots {
		for i := range sl.tasks {
			one, _ := m.stages[m.tasks[i].stage].length()
			work -= one - left(&m.tasks[i])
		}
	}
	chain := time.Duration(0)
	if len(m.tasks) <= maxPath {
		path := make([]time.Duration, len(m.tasks))
		for i := len(m.tasks) - 1; i >= 0; i-- {
			t := &m.tasks[i]
			if t.phase == done || t.phase == failed || t.phase == blocked {
				continue
			}
			for _, d := range m.after[i] {
				path[i] = max(path[i], path[max(d, ^d)])
			}
			path[i] += left(t)
			chain = max(chain, path[i])
		}
	}
	parallel := max(1, len(m.slots), min(m.params.Slots, m.open))
	return max(chain, work/time.Duration(parallel), 0), true
}
