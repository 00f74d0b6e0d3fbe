package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// TestSideFiles: files that tasks name themselves are delivered under these names, also
// those of a task whose large outputs stay where they were made. Where two tasks give one
// name, the job fails, says so, and leaves nothing.
func TestSideFiles(t *testing.T) {
	for name, want := range map[string][]string{ // words; either of two may be first
		"deep/from-r": nil,
		"from-m":      {"task m", "task r", " from-m"},
		"deep":        {"task m", "task r", " deep"},
		"part-00000":  {"task r leaves a file part-00000 for the output, where task r delivers part-00000"},
	} {
		p := newPress(t)
		p.engine.planner = func(spec.Job, fs.FS) (plan.Graph, error) {
			side := plan.Delivery{From: "side", Name: ".", Optional: true}
			return plan.Graph{Output: "made/out", Tasks: []plan.Task{
				{Name: "m", Keep: true, Command: []string{"sh", "-c", "mkdir -p seg side/deep; head -c 2000000 /dev/zero > seg/0; echo m | tee side/from-m > side/deep/m"},
					Collect: []string{"seg", "side"}, Deliver: []plan.Delivery{side}},
				{Name: "r", Command: []string{"sh", "-c", "mkdir -p o side/$(dirname " + name + "); wc -c < in > o/x; echo r > side/" + name}, Collect: []string{"o", "side"},
					Inputs: []plan.Input{{Path: "in", Task: "m", From: "seg/0"}}, Deliver: []plan.Delivery{{From: "o/x", Name: "part-00000"}, side}},
			}}, nil
		}
		s := p.wait(p.sub().ID)
		if want != nil {
			if s.State != journal.JobFailed || s.Cause != journal.CauseOutput {
				t.Errorf("%s: %s %s %q", name, s.State, s.Cause, s.Message)
			}
			for _, words := range want {
				if !strings.Contains(s.Message, words) {
					t.Errorf("%s: %q does not say %q", name, s.Message, words)
				}
			}
			if _, err := os.Stat(p.output); err == nil {
				t.Errorf("%s: there is an output", name)
			}
			p.tidy()
			continue
		}
		p.want(s, journal.JobDone, 2, 0)
		for name, text := range map[string]string{"part-00000": "2000000\n", "from-m": "m\n", "deep/m": "m\n", "deep/from-r": "r\n", "_SUCCESS": ""} {
			if data, err := os.ReadFile(filepath.Join(p.output, name)); err != nil || string(data) != text {
				t.Errorf("%s: %q %v", name, data, err)
			}
		}
		p.tidy()
	}
}
