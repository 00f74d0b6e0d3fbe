package engine

import (
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// BenchmarkNoop runs 2,000 tasks that do nothing on four warm slots, every one
// journalled. cpu-µs/task is what this process (engine, journal, clients) used;
// the workers and the tasks are others.
func BenchmarkNoop(b *testing.B) {
	noops(b, newLab(b))
}

// BenchmarkFedNoop is the same for tasks that are fed a line each.
func BenchmarkFedNoop(b *testing.B) {
	r := newReading(b, 0, 0)
	r.library.files["line"] = []byte("a line\n")
	r.planner = func(job spec.Job, _ fs.FS) (plan.Graph, error) {
		var g plan.Graph
		for i := range 2000 {
			g.Tasks = append(g.Tasks, plan.Task{Name: fmt.Sprint(i), Index: fmt.Sprint(i), Command: []string{"true"}, Env: job.Container.Env, Stdin: []plan.Part{{File: "line", Size: 7, Length: 7}}})
		}
		return g, nil
	}
	r.close()
	r.open()
	noops(b, r.lab)
}

func noops(b *testing.B, l *lab) {
	for i := range b.N {
		var before, after syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		start := time.Now()
		s, err := l.engine.Submit(l.ctx(), Submission{Job: l.job(fmt.Sprintf(`command: ["true"]
		array: 0-1999
		slots: 4
		env: {RUN: "%d"}
		outputs: outputs/
		`, i)), Dir: l.dir})
		if err != nil {
			b.Fatal(err)
		}
		end, err := l.engine.Wait(l.ctx(), s.ID)
		if err != nil || end.State != journal.JobDone {
			b.Fatal(end, err)
		}
		took := time.Since(start)
		syscall.Getrusage(syscall.RUSAGE_SELF, &after)
		cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
		b.ReportMetric(2000/took.Seconds(), "tasks/s")
		b.ReportMetric(float64(cpu.Microseconds())/2000, "cpu-µs/task")
	}
}

// BenchmarkChain is the time of one task on a warm slot where each needs the one
// before: from its assignment over its journalled end to the next.
func BenchmarkChain(b *testing.B) {
	const n = 200
	l := newLab(b)
	var graph plan.Graph
	for i := range n {
		t := plan.Task{Name: fmt.Sprint(i), Command: []string{"true"}}
		if i > 0 {
			t.Inputs = []plan.Input{{Path: "x", Task: fmt.Sprint(i - 1), From: "none", Optional: true}}
		}
		graph.Tasks = append(graph.Tasks, t)
	}
	l.engine.planner = func(spec.Job, fs.FS) (plan.Graph, error) { return graph, nil }
	for i := range b.N {
		s := l.submit(fmt.Sprintf("command: [x]\nslots: 1\nenv: {RUN: \"%d\"}\n", i))
		l.wait(s.ID)
		attempts, err := l.journal.Attempts(s.ID, false)
		if err != nil || len(attempts) != n {
			b.Fatal(len(attempts), err)
		}
		var waits []time.Duration
		for k := 1; k < n; k++ {
			waits = append(waits, attempts[k].Started.Sub(attempts[k-1].Started))
		}
		slices.Sort(waits)
		b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-µs/task")
	}
}
