package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/zennet/zennet/provider/protocol"
)

// TestTranscripts replays testdata: a job, then events with what they effect.
//
//	job slots=2 attempts=3 side=1 never=64-78 deadline=1m
//	NAME [needs=NAME,NAME?] [stage=N] [best] [late] [early] [done] [failed] [expect=10s] [try=N]
//	----
//	run
//	[TIME:] begin [SLOT=PROVIDER[=TASK.TRY+…]]…
//	[TIME:] up SLOT PROVIDER [TASK.TRY…] [near=TASK,TASK] · down SLOT · ended TASK.TRY · exit TASK.TRY [CLASS [CODE]] [wall=D]
//	[TIME:] lost TASK · none CAUSE · tick · cancel · estimate
//	----
//
// Tasks are named in the transcript by their numbers.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s State
		now := time.Duration(0)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "job" {
				now = 0
				job, err := parseJob(d)
				if err != nil {
					return err.Error()
				}
				if s, err = New(job); err != nil {
					return err.Error()
				}
				return ""
			}
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				line = strings.TrimSpace(line)
				words := strings.Fields(line)
				if at, ok := strings.CutSuffix(words[0], ":"); ok {
					now = duration(at)
					words = words[1:]
				}
				fmt.Fprintf(&out, "%s\n", line)
				if words[0] == "estimate" {
					left, ok := s.Estimate(now)
					fmt.Fprintf(&out, "   %v %v, %+v, stage %d\n", left, ok, s.Counts(), s.Stage())
					continue
				}
				var effects []Effect
				var err error
				s, effects, err = Step(s, parseEvent(now, words))
				if err != nil {
					fmt.Fprintf(&out, "   refused: %v\n", err)
				}
				for _, e := range effects {
					fmt.Fprintf(&out, "   %v\n", e)
				}
				s.machine.recount(t)
			}
			return out.String()
		})
	})
}

func parseJob(d *datadriven.TestData) (Job, error) {
	j := Job{Stages: 1, Params: Params{Slots: 1, Attempts: 3, Side: 1, Grace: 10 * time.Second}}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "slots":
			j.Params.Slots = number(a.Vals[0])
		case "attempts":
			j.Params.Attempts = number(a.Vals[0])
		case "side":
			j.Params.Side = number(a.Vals[0])
		case "deadline":
			j.Params.Deadline = duration(a.Vals[0])
		case "never":
			from, to, _ := strings.Cut(a.Vals[0], "-")
			j.Params.Never = append(j.Params.Never, Range{number(from), number(to)})
		}
	}
	names := map[string]int{}
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		var k Task
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "needs":
				for _, n := range strings.Split(value, ",") {
					name, optional := strings.CutSuffix(n, "?")
					i, ok := names[name]
					if !ok {
						i = len(names)
					}
					k.Needs = append(k.Needs, Need{i, optional})
				}
			case "stage":
				k.Stage = number(value)
				j.Stages = max(j.Stages, k.Stage+1)
			case "best":
				k.BestEffort = true
			case "late":
				k.Speculate = true
			case "early":
				k.Early = true
			case "done":
				k.Done = true
			case "failed":
				k.Failed = true
			case "expect":
				k.Expect = duration(value)
			case "try":
				k.Attempt = number(value)
			}
		}
		names[words[0]] = len(j.Tasks)
		j.Tasks = append(j.Tasks, k)
	}
	return j, nil
}

func parseEvent(now time.Duration, w []string) Event {
	switch w[0] {
	case "begin":
		e := Begin{Now: now}
		for _, s := range w[1:] {
			parts := strings.Split(s, "=")
			up := SlotUp{Slot: number(parts[0]), Provider: parts[1]}
			if len(parts) > 2 {
				up.Holds = attempts(strings.Split(parts[2], "+"))
			}
			e.Slots = append(e.Slots, up)
		}
		return e
	case "up":
		up := SlotUp{Now: now, Slot: number(w[1]), Provider: w[2]}
		for _, x := range w[3:] {
			if near, ok := strings.CutPrefix(x, "near="); ok {
				for _, n := range strings.Split(near, ",") {
					up.Near = append(up.Near, number(n))
				}
				continue
			}
			up.Holds = append(up.Holds, attempts([]string{x})...)
		}
		return up
	case "down":
		return SlotDown{now, number(w[1])}
	case "ended":
		a := attempts(w[1:2])[0]
		return Gathering{now, a.Task, a.Number}
	case "exit":
		a := attempts(w[1:2])[0]
		e := Exited{Now: now, Task: a.Task, Try: a.Number, Wall: time.Second}
		for _, x := range w[2:] {
			if wall, ok := strings.CutPrefix(x, "wall="); ok {
				e.Wall = duration(wall)
			} else if x == "final" {
				e.Final = true
			} else if code, err := strconv.Atoi(x); err == nil {
				e.Code = code
			} else {
				e.Class = x
			}
		}
		return e
	case "lost":
		return Lost{now, number(w[1])}
	case "none":
		return NoSlots{now, Cause(w[1])}
	case "cancel":
		return Cancel{now}
	}
	return Tick{now}
}

func attempts(words []string) (out []Attempt) {
	for _, w := range words {
		task, try, _ := strings.Cut(w, ".")
		out = append(out, Attempt{number(task), number(try)})
	}
	return out
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestRefused(t *testing.T) {
	good := Job{Stages: 1, Params: Params{Slots: 1, Attempts: 1, Side: 1}, Tasks: []Task{{}, {Needs: []Need{{Task: 0}}}}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, mutate := range map[string]func(*Job){
		"no slots":             func(j *Job) { j.Params.Slots = 0 },
		"no attempts":          func(j *Job) { j.Params.Attempts = 0 },
		"nothing side by side": func(j *Job) { j.Params.Side = 0 },
		"stage unknown":        func(j *Job) { j.Tasks[0].Stage = 1 },
		"needs itself":         func(j *Job) { j.Tasks[1].Needs = []Need{{Task: 1}} },
		"needs nobody":         func(j *Job) { j.Tasks[1].Needs = []Need{{Task: -1}} },
	} {
		j := good
		j.Tasks = append([]Task(nil), good.Tasks...)
		mutate(&j)
		if _, err := New(j); !errors.Is(err, ErrJob) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkLargeJob is one event of a job with 200,000 tasks, from begin to end,
// all of them after one first and before one last.
func BenchmarkLargeJob(b *testing.B) {
	const n = 200_000
	job := Job{Stages: 1, Params: Params{Slots: 64, Attempts: 3, Side: 4}, Tasks: make([]Task, n+2)}
	for i := 1; i <= n; i++ {
		job.Tasks[i].Needs = []Need{{Task: 0}}
		job.Tasks[n+1].Needs = append(job.Tasks[n+1].Needs, Need{Task: i})
	}
	for range b.N {
		s, err := New(job)
		if err != nil {
			b.Fatal(err)
		}
		steps, finished := 0, false
		var todo []Assign
		step := func(e Event) {
			var effects []Effect
			if s, effects, err = Step(s, e); err != nil {
				b.Fatal(err)
			}
			steps++
			for _, x := range effects {
				switch x := x.(type) {
				case Assign:
					todo = append(todo, x)
				case Finish:
					finished = x.State == Done
				}
			}
		}
		step(Begin{})
		for i := range 64 {
			step(SlotUp{Slot: i + 1, Provider: "p"})
		}
		for len(todo) > 0 {
			x := todo[0]
			todo = todo[1:]
			if x.Try == 1 && x.Task%1000 == 500 {
				step(Exited{Task: x.Task, Try: 1, Class: protocol.ClassProvider})
				continue
			}
			step(Exited{Task: x.Task, Try: x.Try, Wall: time.Millisecond})
		}
		if !finished {
			b.Fatal("not finished")
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(steps), "ns/step")
	}
}
