package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOneOutputTwoPublishers: the same job of two publishers, who know nothing of each
// other, makes one output: the first one's, whole. The second is told, and leaves
// nothing.
func TestOneOutputTwoPublishers(t *testing.T) {
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	input := filepath.Join(shared, "in.txt")
	if err := os.WriteFile(input, []byte("b\na\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var sites []*site
	var runs []*process
	for range 2 {
		s := newSite(t)
		s.write("slow.py", "import sys, time\nfor line in sys.stdin:\n    sys.stdout.write(line)\nsys.stdout.flush()\ntime.sleep(8)\n")
		s.write("job.yaml", `version: 1
kind: mapreduce
name: twice
slots: 1
budget: 1 XEN
input: file:`+input+`
output: file:`+shared+`/out
mapreduce: {mapper: cat, reducer: python3 slow.py, files: [slow.py], reducers: 1}
`)
		sites = append(sites, s)
		runs = append(runs, s.start("zennet-job", "submit", "job.yaml"))
	}
	for _, p := range runs {
		p.await("leased a container")
	}
	if staging := hidden(t, shared); len(staging) != 2 {
		t.Errorf("two jobs have the staging folders %v", staging)
	}
	codes := []int{runs[0].exit(), runs[1].exit()}
	if sorted := slices.Sorted(slices.Values(codes)); !slices.Equal(sorted, []int{0, 1}) {
		t.Fatalf("exit %v:\n%s\n\n%s", codes, runs[0].said(), runs[1].said())
	}
	second := runs[slices.Index(codes, 1)]
	if said := second.said(); !strings.Contains(said, "somebody else made it") || !strings.Contains(said, shared+"/out") {
		t.Errorf("the second says:\n%s", said)
	}
	if got := parts(t, shared+"/out"); len(got) != 1 || got["part-00000"] != "a\t\nb\t\n" {
		t.Errorf("output %q", got)
	}
	if left := hidden(t, shared); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if runs[0].id() != runs[1].id() {
		t.Error("these are two jobs")
	}
	// Submitted again it is refused: the output is there, and another's.
	loser := sites[slices.Index(codes, 1)]
	if _, stderr := loser.job(2, "submit", "job.yaml"); !strings.Contains(stderr, "exists already") {
		t.Errorf("again: %s", stderr)
	}
}
