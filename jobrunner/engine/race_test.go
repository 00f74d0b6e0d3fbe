package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/provider/protocol"
)

// plan lets the lab's engine run a graph in place of what a job file says.
func (l *lab) plan(g plan.Graph) {
	l.engine.planner = func(spec.Job, fs.FS) (plan.Graph, error) { return g, nil }
}

// shell is a task that notes its run in a file of the test, as marked does.
func (l *lab) shell(name, script string) plan.Task {
	return plan.Task{Name: name, Stage: "run", Collect: []string{"f"}, Publish: true,
		Command: []string{"sh", "-c", fmt.Sprintf("home=%s; echo %s.$ZENNET_ATTEMPT >> $home/ran; %s", l.home, name, script)}}
}

// TestRace lets the first attempt at a task hang: once it is late, a second one
// at another provider ends it.
func TestRace(t *testing.T) {
	l := newLab(t)
	hang := l.shell("c", `test $ZENNET_ATTEMPT = 2 || { while test -d $home; do sleep 0.02; done; }; echo $ZENNET_ATTEMPT > f`)
	hang.Speculate = true
	l.plan(plan.Graph{Tasks: []plan.Task{l.shell("a", "echo > f"), l.shell("b", "echo > f"), hang}})
	id := l.submit("command: [\"true\"]\nslots: 3\noutputs: outputs/").ID
	l.want(l.wait(id), journal.JobDone, 3, 0)
	if got := l.file("tasks/c/f"); got != "2\n" {
		t.Errorf("the result is that of attempt %s", got)
	}
	attempts, err := l.journal.Attempts(id, false)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]string{}
	for _, a := range attempts {
		ends[fmt.Sprintf("%d.%d", a.Task, a.Attempt)] = a.Class
	}
	if class, known := ends["2.2"]; !known || class != protocol.ClassOK {
		t.Errorf("attempts ended %v", ends)
	}
	if class := ends["2.1"]; class != protocol.ClassKilled && class != "" {
		t.Errorf("the slower attempt ended with class %q", class)
	}
}

// TestLostOutputs damages what a task has left in the publisher's store before
// the task that needs it had it: it is made again, also after a restart.
func TestLostOutputs(t *testing.T) {
	for name, restart := range map[string]bool{"at once": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			gate := l.shell("gate", `while test -d $home -a ! -e $home/go; do sleep 0.02; done; echo > f`)
			use := l.shell("use", "cp big f")
			use.Inputs = []plan.Input{{Path: "big", Task: "big", From: "f"}, {Path: "gate", Task: "gate", From: "f"}}
			graph := plan.Graph{Tasks: []plan.Task{l.shell("big", "seq 100000 > f"), gate, use}}
			l.plan(graph)
			id := l.submit("command: [\"true\"]\nslots: 2\noutputs: outputs/").ID
			l.until(id, func(s journal.Status) bool { return s.Tasks.Done == 1 && l.ran()["gate"] == 1 })
			damage(t, filepath.Join(l.home, "blobs"))
			if restart {
				l.close()
				l.options = journal.Options{}
				l.open()
				l.plan(graph)
				if err := l.engine.Recover(l.ctx()); err != nil {
					t.Fatal(err)
				}
			}
			l.goOn()
			l.want(l.wait(id), journal.JobDone, 3, 0)
			if got := l.file("tasks/use/f"); !strings.HasSuffix(got, "\n100000\n") || len(got) != 588895 {
				t.Errorf("%d bytes that end in %q", len(got), got[max(0, len(got)-20):])
			}
			if ran := l.ran(); ran["big"] != 2 || ran["use"] != 1 {
				t.Errorf("ran %v", ran)
			}
		})
	}
}

// damage flips a byte in every large blob of a store.
func damage(t *testing.T, dir string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) < 100_000 {
			return err
		}
		data[len(data)/2] ^= 1
		n++
		return os.WriteFile(path, data, 0o644)
	})
	if err != nil || n == 0 {
		t.Fatalf("%d blobs damaged, %v", n, err)
	}
}
