package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func first(lines string) string { line, _, _ := strings.Cut(lines, "\n"); return line }

// TestArray is the way of one job on the embedded network: results where they
// are promised, every lease paid exactly, supply conserved, the same job done.
func TestArray(t *testing.T) {
	s := newSite(t)
	s.write("in/words.txt", "one two three\n")
	file := s.write("array.yaml", `version: 1
kind: container
name: count
command: ["sh", "-c", "mkdir -p out; echo $ZENNET_TASK_INDEX $ZENNET_TASK_NUMBER $ZENNET_TASK_COUNT > out/index.txt; wc -w < in/words.txt; echo err >&2"]
array: 3-9:3
inputs: [in/]
collect: ["out/*.txt"]
slots: 2
budget: 1 XEN
`)
	out, stderr := s.job(0, "submit", file)
	id := first(out)
	for number, index := range []int{3, 6, 9} {
		if got := s.read(fmt.Sprintf("results/tasks/%d/out/index.txt", index)); got != fmt.Sprintf("%d %d 3\n", index, number) {
			t.Errorf("task %d wrote %q", index, got)
		}
		if got := strings.TrimSpace(s.read(fmt.Sprintf("results/logs/%d.stdout", index))); got != "3" {
			t.Errorf("task %d printed %q", index, got)
		}
		if got := s.read(fmt.Sprintf("results/logs/%d.stderr", index)); got != "err\n" {
			t.Errorf("task %d complained %q", index, got)
		}
	}
	st := s.status(id)
	if st.State != "done" || st.Tasks.Done != 3 || st.Tasks.Total != 3 {
		t.Errorf("status: %+v", st)
	}
	r := s.receipt(id)
	if st.SpentNXEN != r.TotalNXEN || r.TotalNXEN+r.FeesNXEN > st.BudgetNXEN {
		t.Errorf("spent %d, settled %d, fees %d, budget %d", st.SpentNXEN, r.TotalNXEN, r.FeesNXEN, st.BudgetNXEN)
	}
	if !strings.Contains(stderr, "holds") {
		t.Errorf("no supply check in:\n%s", stderr)
	}
	var kept json.RawMessage
	if err := json.Unmarshal([]byte(s.read("results/receipt.json")), &kept); err != nil {
		t.Errorf("receipt.json: %v", err)
	}
	again, _ := s.job(0, "submit", file)
	if first(again) != id {
		t.Errorf("second submit is job %s, first was %s", first(again), id)
	}
	if after := s.receipt(id); after.TotalNXEN != r.TotalNXEN {
		t.Errorf("the second submit cost %d", after.TotalNXEN-r.TotalNXEN)
	}
}

func TestJSONEvents(t *testing.T) {
	s := newSite(t)
	file := s.write("one.yaml", "version: 1\nkind: container\ncommand: \"exit 3\"\nretry: {attempts: 2}\n")
	out, _ := s.job(1, "submit", file, "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	type event struct {
		Event, ID, State string
		Spent            *uint64 `json:"spent_nxen"`
	}
	var events []event
	for _, line := range lines {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Event != "note" {
			events = append(events, e)
		}
	}
	if events[0].Event != "job" || events[0].ID == "" {
		t.Errorf("first event: %+v", events[0])
	}
	last := events[len(events)-1]
	if last.Event != "end" || last.State != "failed" || last.Spent == nil || last.ID != events[0].ID {
		t.Errorf("last event: %+v", last)
	}
	st := s.status(last.ID)
	if len(st.Failures) != 2 || st.Failures[0].Class != "exit" || st.Failures[1].Attempt != 2 {
		t.Errorf("failures: %+v", st.Failures)
	}
	s.receipt(last.ID)
}

// TestKillHost kills the hosting zennet-job in the middle: what was finished is
// not run again, and nobody is paid twice.
func TestKillHost(t *testing.T) {
	s := newSite(t)
	file := s.write("slow.yaml", `version: 1
kind: container
name: slow
command: ["sh", "-c", "cat /proc/sys/kernel/random/uuid > id.txt; case $ZENNET_TASK_INDEX in [0-3]) ;; *) sleep 6;; esac"]
array: 0-7
collect: ["id.txt"]
slots: 2
budget: 1 XEN
`)
	p := s.start("zennet-job", "submit", file)
	p.await("running")
	id := p.id()
	s.eventually("four tasks are done", func() bool { return s.status(id).Tasks.Done >= 4 })
	p.kill()
	before := s.status(id)
	if before.Tasks.Done < 4 || before.State != "running" {
		t.Fatalf("after the kill: %+v", before)
	}
	out, _ := s.job(0, "submit", file)
	if first(out) != id {
		t.Errorf("goes on as job %s, was %s", first(out), id)
	}
	st := s.status(id)
	if st.Tasks.Done != 8 {
		t.Errorf("status: %+v", st)
	}
	s.receipt(id)
}

// TestInterrupt cancels by Ctrl-C: exit 130, leases settled, nothing running.
func TestInterrupt(t *testing.T) {
	s := newSite(t)
	file := s.write("sleep.yaml", "version: 1\nkind: container\ncommand: [\"sleep\", \"600\"]\narray: 0-3\nslots: 2\n")
	p := s.start("zennet-job", "submit", file)
	p.await("running")
	p.cmd.Process.Signal(syscall.SIGINT)
	if code := p.exit(); code != 130 {
		t.Errorf("exit %d, want 130:\n%s", code, p.said())
	}
	out, _ := s.job(0, "ls", "--json")
	var rows []struct{ ID, State string }
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 || rows[0].State != "cancelled" {
		t.Fatalf("ls: %v %s", err, out)
	}
	s.receipt(rows[0].ID)
	if left := containers(t, s.home); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
}

// containers lists the container folders of a home's embedded providers.
func containers(t *testing.T, home string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(home, "devnet", "provider-*", "runc", "bundles", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRefusals: wrong files, wrong flags and unaffordable jobs have their own
// exit status and spend nothing.
func TestRefusals(t *testing.T) {
	s := newSite(t)
	bad := s.write("bad.yaml", "version: 1\nkind: container\ncommand: [\"true\"]\nslots: 5\nslotz: 4\n")
	if _, stderr := s.job(2, "submit", bad); !strings.Contains(stderr, "bad.yaml:5: slotz") {
		t.Errorf("unknown key: %s", stderr)
	}
	s.job(2, "submit", filepath.Join(s.dir, "missing.yaml"))
	s.job(2, "submit")
	s.job(2, "submit", bad, "--nonsense")
	s.job(2, "frobnicate")
	s.job(2, "status", "abcdef")
	good := s.write("good.yaml", "version: 1\nkind: container\ncommand: [\"true\"]\n")
	s.job(4, "submit", good, "--detach")
	if _, err := os.Stat(filepath.Join(s.home, "devnet")); err == nil {
		t.Error("a refused submission started a network")
	}
	start := time.Now()
	if _, stderr := s.job(3, "submit", good, "--budget", "100 nXEN"); !strings.Contains(stderr, "budget") {
		t.Errorf("unaffordable after %v: %s", time.Since(start), stderr)
	}
	if _, stderr := s.job(3, "submit", good, "--set", "resources={cpu: 500}"); !strings.Contains(stderr, "500 cpu") {
		t.Errorf("nobody offers it: %s", stderr)
	}
}
