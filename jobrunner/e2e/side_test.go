package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/journal"
)

// TestSideFiles: what mappers and reducers write into mapreduce_task_output_dir is in the
// output, beside the parts; where two tasks write one name, there is no output.
func TestSideFiles(t *testing.T) {
	s := newSite(t)
	s.network()
	s.write("in/a.txt", "a\n")
	s.write("in/b.txt", "b\n")
	s.write("side.py", `import os, sys
name = sys.argv[1].replace("N", os.environ["mapreduce_task_partition"])
with open(os.path.join(os.environ["mapreduce_task_output_dir"], name), "w") as f:
    for line in sys.stdin:
        f.write(line)
        sys.stdout.write(line)
`)
	s.write("job.yaml", `version: 1
kind: mapreduce
name: side
slots: 2
input: in
output: made/out
mapreduce: {mapper: python3 side.py map-N.log, reducer: python3 side.py red-N.log, files: [side.py], reducers: 1}
`)
	s.job(0, "submit", "job.yaml")
	made := parts(t, s.dir+"/made/out")
	if got := made["map-0.log"] + made["map-1.log"] + made["red-0.log"]; len(made) != 4 || len(got) != len("a\nb\na\t\nb\t\n") || made["red-0.log"] != "a\t\nb\t\n" || made["part-00000"] != "a\t\nb\t\n" {
		t.Errorf("made %q", made)
	}
	out, stderr := s.job(1, "submit", "job.yaml", "--set", "output=made/other", "--set", "mapreduce.mapper=python3 side.py same.log")
	if !strings.Contains(stderr, "leaves a file same.log for the output, where task map-0000") || s.status(first(out)).Cause != journal.CauseOutput {
		t.Errorf("ended with %s", stderr)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "made/other")); err == nil {
		t.Error("there is an output")
	}
	if left := hidden(t, s.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
