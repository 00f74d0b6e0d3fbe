package engine

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
)

// BenchmarkNoop runs 2,000 tasks that do nothing on four warm slots, every one
// journalled. cpu-µs/task is what this process (engine, journal, clients) used;
// the workers and the tasks are others.
func BenchmarkNoop(b *testing.B) {
	l := newLab(b)
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

// BenchmarkOneTask is the time from one submission to the end of its one task on
// a slot that is warm: the job's own start and end are in it.
func BenchmarkLatency(b *testing.B) {
	l := newLab(b)
	graph := 200
	s := l.submit(fmt.Sprintf(`command: ["true"]
		array: 0-%d
		slots: 1
		outputs: outputs/
		`, graph-1))
	start := time.Now()
	if end, err := l.engine.Wait(l.ctx(), s.ID); err != nil || end.State != journal.JobDone {
		b.Fatal(end, err)
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/float64(graph), "µs/task")
}
