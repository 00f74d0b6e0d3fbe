package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/provider/protocol"
)

// kept is a job whose first two tasks, in two slots, leave 2 MiB each where they ran, for a
// last one that waits for the test; or for two, of which each takes one of them: to
// such a task nothing is brought ahead.
func (l *lab) kept(apart bool) plan.Graph {
	var tasks []plan.Task
	for _, name := range []string{"one", "two"} {
		t := l.shell(name, `: > $home/at-$ZENNET_TASK_NUMBER; while test -d $home -a ! -e $home/at-0 -o ! -e $home/at-1; do sleep 0.02; done
			yes $ZENNET_TASK_NUMBER | head -c 2097152 > f; echo facts of `+name+` > facts`)
		t.Keep, t.Publish, t.Facts, t.Collect = true, false, "facts", []string{"f", "facts"}
		tasks = append(tasks, t)
	}
	tasks[1].Number = 1
	gate := l.shell("gate", `while test -d $home -a ! -e $home/go; do sleep 0.02; done; echo > f`)
	use := l.shell("use", "cat one two > f; cat facts >> f")
	use.Inputs = []plan.Input{{Path: "one", Task: "one", From: "f"}, {Path: "two", Task: "two", From: "f"}, {Path: "facts", Task: "two", From: "facts"},
		{Path: "gate", Task: "gate", From: "f"}}
	if !apart {
		return plan.Graph{Tasks: append(tasks, gate, use)}
	}
	first := l.shell("first", "cat one > f")
	first.Inputs = []plan.Input{use.Inputs[0], use.Inputs[3]}
	use.Inputs[0].Task = "first"
	return plan.Graph{Tasks: append(tasks, gate, first, use)}
}

func (l *lab) checkKept() {
	l.t.Helper()
	want := strings.Repeat("0\n", 1<<20) + strings.Repeat("1\n", 1<<20) + "facts of two\n"
	if got := l.file("tasks/use/f"); got != want {
		l.t.Errorf("%d bytes, not the %d of both", len(got), len(want))
	}
}

// stored is how many bytes the publisher's blob store holds.
func (l *lab) stored() (bytes int64) {
	filepath.Walk(filepath.Join(l.home, "blobs"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

func TestKept(t *testing.T) {
	begin := func(l *lab, apart bool) string {
		l.plan(l.kept(apart))
		return l.submit("command: [\"true\"]\nslots: 2\noutputs: outputs/").ID
	}
	ready := func(l *lab, apart bool) string {
		id := begin(l, apart)
		l.until(id, func(s journal.Status) bool { return s.Tasks.Done == 2 && l.ran()["gate"] == 1 })
		if n := l.stored(); n > 1<<20 {
			t.Errorf("the publisher has %d bytes of what should stay where it is", n)
		}
		return id
	}
	t.Run("through the publisher", func(t *testing.T) {
		l := newLab(t)
		id := ready(l, true)
		l.goOn()
		l.want(l.wait(id), journal.JobDone, 5, 0)
		l.checkKept()
	})
	t.Run("through the publisher, ahead", func(t *testing.T) {
		l := newLab(t)
		id := begin(l, false)
		l.until(id, func(journal.Status) bool { return l.stored() >= 1<<20 })
		l.goOn()
		l.want(l.wait(id), journal.JobDone, 4, 0)
		l.checkKept()
	})
	t.Run("a container dies with it", func(t *testing.T) {
		l := newLab(t)
		id := ready(l, true)
		for _, lease := range l.market.live() {
			lease.process.Process.Kill()
		}
		l.until(id, func(s journal.Status) bool { return len(s.Failures) >= 2 })
		l.goOn()
		s := l.wait(id)
		l.want(s, journal.JobDone, 5, 0)
		l.checkKept()
		if ran := l.ran(); ran["one"] != 2 || ran["two"] != 2 || ran["use"] != 1 {
			t.Errorf("ran %v", ran)
		}
		lost := 0
		for _, f := range s.Failures {
			if f.Class == protocol.ClassLost {
				lost++
			}
		}
		if lost != 2 {
			t.Errorf("%d outputs were told lost: %v", lost, s.Failures)
		}
	})
	t.Run("the publisher starts again", func(t *testing.T) {
		l := newLab(t)
		id := ready(l, true)
		l.close()
		l.options = journal.Options{}
		l.open()
		l.plan(l.kept(true))
		if err := l.engine.Recover(l.ctx()); err != nil {
			t.Fatal(err)
		}
		l.goOn()
		l.want(l.wait(id), journal.JobDone, 5, 0)
		l.checkKept()
		if ran := l.ran(); ran["one"] != 1 || ran["two"] != 1 {
			t.Errorf("ran %v", ran)
		}
	})
	t.Run("from provider to provider", func(t *testing.T) {
		l := newLab(t)
		pulled := make(chan PullFile, 100)
		l.market.pull = func(files []PullFile) error {
			for _, f := range files {
				pulled <- f
			}
			return nil
		}
		id := ready(l, false)
		// The other slot's comes to where the last task will run, while that waits.
		l.until(id, func(journal.Status) bool { return len(pulled) >= 1 })
		l.goOn()
		l.want(l.wait(id), journal.JobDone, 4, 0)
		l.checkKept()
		if len(pulled) != 1 {
			t.Errorf("%d files were pulled, not 1", len(pulled))
		}
		if n := l.stored(); n > 6<<20 {
			t.Errorf("the publisher has %d bytes, more than the result", n)
		}
	})
	t.Run("in the container that has it", func(t *testing.T) {
		l := newLab(t)
		l.market.pull = func(files []PullFile) error {
			t.Errorf("%d files were pulled", len(files))
			return nil
		}
		for n := range 2 { // nobody waits for the other
			if err := os.WriteFile(fmt.Sprintf("%s/at-%d", l.home, n), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		l.plan(l.kept(false))
		id := l.submit("command: [\"true\"]\nslots: 1\noutputs: outputs/").ID
		l.goOn()
		l.want(l.wait(id), journal.JobDone, 4, 0)
		l.checkKept()
		if n := l.stored(); n > 6<<20 {
			t.Errorf("the publisher has %d bytes, more than the result", n)
		}
	})
	t.Run("a provider that does not reach the other", func(t *testing.T) {
		l := newLab(t)
		l.market.pull = func([]PullFile) error { return errors.New("no route") }
		id := begin(l, false)
		l.goOn()
		l.want(l.wait(id), journal.JobDone, 4, 0)
		l.checkKept()
	})
}

// TestRetire gives back a slot that holds what is still needed: it is brought
// here first.
func TestRetire(t *testing.T) {
	l := newLab(t)
	l.plan(l.kept(true))
	id := l.submit("command: [\"true\"]\nslots: 3\noutputs: outputs/").ID
	// Two of three slots idle while the gate is shut, and are given back.
	l.until(id, func(s journal.Status) bool { return s.Tasks.Done == 2 && len(l.market.live()) == 1 })
	l.goOn()
	l.want(l.wait(id), journal.JobDone, 5, 0)
	l.checkKept()
	if ran := l.ran(); ran["one"] != 1 || ran["two"] != 1 {
		t.Errorf("ran %v", ran)
	}
}
