package schedule

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zennet/zennet/provider/protocol"
)

// recount counts again everything that the machine counts as it goes.
func (m *machine) recount(t interface{ Fatalf(string, ...any) }) {
	var open, runs, racing, soon, ended, lost, bad int
	left := make([]int, len(m.stages))
	for i := range m.tasks {
		k := &m.tasks[i]
		unmet, nearing := 0, 0
		for j := range m.tasks {
			for _, d := range m.after[j] {
				if max(d, ^d) != i {
					continue
				}
				n := &m.tasks[j]
				if n.phase == done || d < 0 && (n.phase == failed || n.phase == blocked) {
					continue
				}
				unmet++
				if (n.phase == running || n.phase == ready) && n.expect > 0 && n.expect <= lookAhead {
					nearing++
				}
			}
		}
		switch k.phase {
		case done:
			ended++
		case failed:
			lost++
		case running:
			runs++
			attempts := []attempt{k.run}
			if k.rival != nil {
				racing++
				if attempts = append(attempts, *k.rival); k.rival.slot == k.run.slot {
					t.Fatalf("task %d races itself in slot %d", i, k.run.slot)
				}
			}
			for _, a := range attempts {
				if s := m.slots[a.slot]; s == nil {
					t.Fatalf("task %d runs in slot %d, which is gone", i, a.slot)
				} else if _, in := s.tasks[i]; !in {
					t.Fatalf("task %d runs in slot %d, which does not know", i, a.slot)
				}
			}
		}
		if k.phase == failed || k.phase == blocked {
			if !k.bestEffort {
				bad++
			}
		} else if k.phase != done {
			open++
			left[k.stage]++
			if k.phase != running && k.unmet != unmet {
				t.Fatalf("task %d counts %d unmet needs, has %d", i, k.unmet, unmet)
			}
			if k.phase == waiting && nearing == unmet {
				soon++
			}
			if k.phase != running && (k.phase == waiting) != (unmet > 0) {
				t.Fatalf("task %d: phase %d with %d unmet needs", i, k.phase, unmet)
			}
		}
	}
	if racing != m.racing {
		t.Fatalf("counted %d races, are %d", m.racing, racing)
	}
	if open != m.open || runs != m.running || soon != m.soon || ended != m.done || lost != m.failed || bad != m.bad {
		t.Fatalf("counted open %d running %d soon %d done %d failed %d bad %d; are %d %d %d %d %d %d",
			m.open, m.running, m.soon, m.done, m.failed, m.bad, open, runs, soon, ended, lost, bad)
	}
	for g := range left {
		if left[g] != m.stages[g].left {
			t.Fatalf("stage %d counts %d left, has %d", g, m.stages[g].left, left[g])
		}
	}
	homed := 0
	for i := range m.tasks {
		k := &m.tasks[i]
		s := m.slots[k.home]
		if (k.home != 0) != (s != nil) || s != nil && k.phase != waiting && k.phase != ready {
			t.Fatalf("task %d of phase %d has its home in slot %d", i, k.phase, k.home)
		}
		if s != nil {
			if _, is := s.homes[i]; !is {
				t.Fatalf("task %d has its home in slot %d, which does not know", i, k.home)
			}
		}
		var queues int
		for _, q := range []*intHeap{&m.ready, &m.picky} {
			if slices.Contains(q.at, i) {
				queues++
			}
		}
		for _, s := range m.slots {
			if slices.Contains(s.ready.at, i) {
				homed++
				if queues++; k.home != s.number {
					t.Fatalf("task %d waits in slot %d, its home is %d", i, s.number, k.home)
				}
			}
		}
		if (k.phase == ready) != (queues == 1) || queues > 1 {
			t.Fatalf("task %d of phase %d is in %d queues", i, k.phase, queues)
		}
	}
	if homed != m.homed {
		t.Fatalf("counted %d tasks that wait at home, are %d", m.homed, homed)
	}
	for _, s := range m.slots {
		load := 0
		for i := range s.tasks {
			if !m.tasks[i].in(s.number).gathering {
				load++
			}
		}
		if load != s.load || load > m.params.Side {
			t.Fatalf("slot %d runs %d tasks, counts %d", s.number, load, s.load)
		}
	}
}

// TestAnyJobEnds draws graphs and worlds in which slots come and go and attempts
// end in every way: whatever happens, needs come first, nothing runs twice or
// after its end, and the job finishes.
func TestAnyJobEnds(t *testing.T) { rapid.Check(t, anyJob) }

func anyJob(t *rapid.T) {
	n := rapid.IntRange(0, 12).Draw(t, "tasks")
	job := Job{Stages: 3, Params: Params{Slots: rapid.IntRange(1, 4).Draw(t, "slots"), Attempts: rapid.IntRange(1, 3).Draw(t, "attempts"),
		Never: []Range{{2, 3}}, Side: rapid.IntRange(1, 3).Draw(t, "side"), Grace: 2 * time.Second}}
	if rapid.IntRange(0, 9).Draw(t, "deadline?") == 0 {
		job.Params.Deadline = 20 * time.Second
	}
	for i := range n {
		k := Task{Stage: rapid.IntRange(0, 2).Draw(t, "stage"), BestEffort: rapid.IntRange(0, 4).Draw(t, "best") == 0,
			Done: rapid.IntRange(0, 5).Draw(t, "done") == 0, Speculate: rapid.Bool().Draw(t, "speculate"), Early: rapid.Bool().Draw(t, "early"), Expect: time.Duration(rapid.IntRange(0, 2).Draw(t, "expect")) * 40 * time.Second}
		if !k.Done {
			for j := range i {
				if rapid.IntRange(0, 3).Draw(t, "need") == 0 {
					k.Needs = append(k.Needs, Need{j, rapid.Bool().Draw(t, "optional")})
				}
			}
		}
		job.Tasks = append(job.Tasks, k)
	}
	s, err := New(job)
	if err != nil {
		t.Fatal(err)
	}
	w := world{t: t, job: job, slots: map[int]bool{}, runs: map[Attempt]int{}, killed: map[Attempt]bool{}, done: make([]bool, n), failed: make([]bool, n), last: make([]int, n)}
	for i, k := range job.Tasks {
		w.done[i] = k.Done
	}
	w.step(&s, Begin{})
	for round := 0; !w.finished; round++ {
		if round > 3000 {
			t.Fatalf("the job does not end: %+v", s.Counts())
		}
		w.now += time.Duration(rapid.IntRange(0, 800).Draw(t, "ms")) * time.Millisecond
		w.event(&s)
		if round > 200 { // no more accidents
			w.calm = true
		}
	}
	for a := range w.runs {
		if !w.killed[a] { // the slower of two may still be dying
			t.Fatalf("finished while %v runs", a)
		}
	}
}

type world struct {
	t        *rapid.T
	job      Job
	now      time.Duration
	want     int
	next     int
	slots    map[int]bool
	runs     map[Attempt]int
	killed   map[Attempt]bool
	done     []bool
	failed   []bool
	last     []int
	stopped  bool
	finished bool
	calm     bool
}

func (w *world) event(s *State) {
	t := w.t
	if len(w.slots) < w.want && rapid.Bool().Draw(t, "up") {
		w.next++
		w.slots[w.next] = true
		up := SlotUp{Now: w.now, Slot: w.next, Provider: string(rune('a' + w.next%3))}
		for i := range w.job.Tasks {
			if rapid.IntRange(0, 3).Draw(t, "near") == 0 {
				up.Near = append(up.Near, i)
			}
		}
		w.step(s, up)
		return
	}
	switch draw := rapid.IntRange(0, 40).Draw(t, "event"); {
	case draw == 0 && !w.calm && len(w.slots) > 0:
		slot := sorted(w.slots)[0]
		delete(w.slots, slot)
		for a, at := range w.runs {
			if at == slot {
				delete(w.runs, a)
			}
		}
		w.step(s, SlotDown{w.now, slot})
	case draw == 1 && rapid.IntRange(0, 9).Draw(t, "cancel") == 0:
		w.stopped = true
		w.step(s, Cancel{w.now})
	case draw == 2 && rapid.IntRange(0, 3).Draw(t, "none") == 0:
		w.stopped = w.stopped || len(w.slots) == 0 && len(w.runs) == 0
		w.step(s, NoSlots{w.now, CauseNoOffers})
	case draw == 3 && !w.calm && slices.Contains(w.done, true):
		w.step(s, Lost{w.now, w.any(w.done)})
	case draw < 25 && len(w.runs) > 0:
		var a Attempt
		for b := range w.runs {
			if a == (Attempt{}) || b.Task < a.Task {
				a = b
			}
		}
		class, code := "", 0
		if w.killed[a] {
			class = protocol.ClassKilled
		} else if k := rapid.IntRange(0, 12).Draw(t, "class"); k < 8 {
			class = []string{protocol.ClassExit, protocol.ClassMemory, protocol.ClassStage, protocol.ClassTimeout, protocol.ClassDisk,
				protocol.ClassKilled, protocol.ClassCollect, protocol.ClassExit}[k]
			code = rapid.IntRange(1, 4).Draw(t, "code")
		}
		if rapid.Bool().Draw(t, "gathering") {
			w.step(s, Gathering{w.now, a.Task, a.Number})
			if _, still := w.runs[a]; !still || rapid.Bool().Draw(t, "later") {
				return
			}
		}
		delete(w.runs, a)
		if class == "" {
			w.done[a.Task] = true
		}
		wall := time.Duration(rapid.IntRange(1, 300).Draw(t, "wall")) * time.Millisecond
		final := class != "" && rapid.IntRange(0, 9).Draw(t, "final") == 0
		e := Exited{w.now, a.Task, a.Number, class, code, wall, final}
		w.step(s, e)
		if rapid.IntRange(0, 3).Draw(t, "twice") == 0 {
			w.step(s, e)
		}
	default:
		w.step(s, Tick{w.now})
	}
}

// running reports whether an attempt at a task runs that was not told to go.
func (w *world) running(task int) bool {
	for a := range w.runs {
		if a.Task == task && !w.killed[a] {
			return true
		}
	}
	return false
}

// any is a task of the set, drawn.
func (w *world) any(set []bool) int {
	var in []int
	for i, is := range set {
		if is {
			in = append(in, i)
		}
	}
	return rapid.SampledFrom(in).Draw(w.t, "of")
}

func (w *world) step(s *State, e Event) {
	var effects []Effect
	var err error
	if *s, effects, err = Step(*s, e); err != nil {
		w.t.Fatal(err)
	}
	if w.finished && len(effects) > 0 {
		w.t.Fatalf("after the end: %v", effects)
	}
	for _, x := range effects {
		switch x := x.(type) {
		case Want:
			if w.want = x.Slots; x.Slots < 0 || x.Slots > w.job.Params.Slots {
				w.t.Fatalf("wants %d slots", x.Slots)
			}
		case Assign:
			if w.stopped || w.done[x.Task] || w.failed[x.Task] || !w.slots[x.Slot] || x.Try != w.last[x.Task]+1 {
				w.t.Fatalf("%v: stopped %v done %v failed %v slot %v last %d", x, w.stopped, w.done[x.Task], w.failed[x.Task], w.slots[x.Slot], w.last[x.Task])
			}
			others := 0
			for a, at := range w.runs {
				if a.Task != x.Task || w.killed[a] {
					continue
				}
				if others++; !w.job.Tasks[x.Task].Speculate || others > 1 || at == x.Slot {
					w.t.Fatalf("%v while %v runs", x, a)
				}
			}
			for _, n := range w.job.Tasks[x.Task].Needs {
				if !w.done[n.Task] && !n.Optional {
					w.t.Fatalf("%v before task %d is done", x, n.Task)
				}
			}
			w.last[x.Task] = x.Try
			w.runs[Attempt{x.Task, x.Try}] = x.Slot
		case Prepare:
			if !w.job.Tasks[x.Task].Early || !w.slots[x.Slot] || !w.done[x.Need] || w.last[x.Task] > 0 && w.running(x.Task) {
				w.t.Fatalf("%v: slot %v, need done %v", x, w.slots[x.Slot], w.done[x.Need])
			}
		case Kill:
			w.killed[Attempt{x.Task, x.Try}] = true
			w.stopped = w.stopped || !w.done[x.Task]
		case Redo:
			w.done[x.Task] = false
			w.failed[x.Task] = x.Final
		case Verdict:
			w.failed[x.Task] = x.Final
			if x.Class == protocol.ClassKilled {
				delete(w.runs, Attempt{x.Task, x.Try})
			}
		case Release:
			for _, at := range w.runs {
				if at == x.Slot {
					w.t.Fatalf("%v, which is busy", x)
				}
			}
			delete(w.slots, x.Slot)
		case Finish:
			w.finished = true
			for i, k := range w.job.Tasks {
				if x.State == Done && !w.done[i] && !k.BestEffort {
					w.t.Fatalf("done without task %d", i)
				}
			}
		}
	}
	s.machine.recount(w.t)
}
