package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/provider/protocol"
)

// sayVar makes the test program a task that says something, and waits for the file
// "go" in the folder that the variable names.
const sayVar = "ZENNET_TEST_SAYS"

func sayAndWait() {
	fd, err := strconv.Atoi(os.Getenv(protocol.EnvSay))
	if err != nil {
		os.Exit(3)
	}
	fmt.Fprintf(os.NewFile(uintptr(fd), "say"), "at record %s\n", os.Getenv("ZENNET_TASK_INDEX"))
	for {
		if _, err := os.Stat(filepath.Join(os.Getenv(sayVar), "go")); err == nil {
			os.Exit(0)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestSaid: what a running task says of itself is in the status of its slot, and gone
// with its end.
func TestSaid(t *testing.T) {
	l := newLab(t)
	l.planner = func(spec.Job, fs.FS) (plan.Graph, error) {
		var g plan.Graph
		for _, name := range []string{"a", "b"} {
			g.Tasks = append(g.Tasks, plan.Task{Name: name, Index: name, Command: []string{protocol.WorkerProgram}, Env: map[string]string{sayVar: l.home}})
		}
		return g, nil
	}
	l.close()
	l.open()
	id := l.submit("command: [x]\nslots: 2\noutputs: outputs/\n").ID
	says := func(s journal.Status) map[string]string {
		all := map[string]string{}
		for _, slot := range s.Slots {
			for task, text := range slot.Messages {
				all[task] = text
			}
		}
		return all
	}
	l.until(id, func(s journal.Status) bool {
		all := says(s)
		return all["a"] == "at record a" && all["b"] == "at record b"
	})
	l.goOn()
	s := l.wait(id)
	l.want(s, journal.JobDone, 2, 0)
	if all := says(s); len(all) > 0 {
		t.Errorf("ended, and says %v", all)
	}
}
