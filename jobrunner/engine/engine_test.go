package engine

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/provider/blob"
)

// lab is an engine with its home and market; restart replaces the engine as a
// new process would.
type lab struct {
	t       testing.TB
	home    string
	dir     string // of the job file
	market  *fakeMarket
	journal *journal.Journal
	blobs   *blob.Store
	engine  *Engine
	options journal.Options
	data    OpenData                                  // nil: none
	planner func(spec.Job, fs.FS) (plan.Graph, error) // nil: the real planner
}

func newLab(t testing.TB) *lab {
	l := &lab{t: t, home: t.TempDir(), dir: t.TempDir(), market: newFakeMarket(t)}
	l.open()
	t.Cleanup(l.close)
	return l
}

func (l *lab) open() {
	l.t.Helper()
	var err error
	if l.journal, err = journal.OpenWith(filepath.Join(l.home, "journal.db"), l.options); err != nil {
		l.t.Fatal(err)
	}
	if l.blobs, err = blob.Open(filepath.Join(l.home, "blobs"), 0); err != nil {
		l.t.Fatal(err)
	}
	l.market.journal = l.journal
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if l.engine, err = New(Config{Journal: l.journal, Market: l.market, Blobs: l.blobs, Data: l.data, Log: log}); err != nil {
		l.t.Fatal(err)
	}
	if l.planner != nil {
		l.engine.planner = l.planner
	}
}

func (l *lab) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := l.engine.Close(ctx); err != nil {
		l.t.Error(err)
	}
	l.journal.Close()
	l.blobs.Close()
}

// restart is a kill -9 of the host and a new start: what was not journalled is gone.
func (l *lab) restart() {
	l.t.Helper()
	l.close()
	l.options = journal.Options{}
	l.open()
	if err := l.engine.Recover(l.ctx()); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	l.t.Cleanup(cancel)
	return ctx
}

// job parses a job file of kind container, indented as in a Go literal.
func (l *lab) job(text string) spec.Job {
	l.t.Helper()
	text = "version: 1\nkind: container\nname: test\n" + strings.ReplaceAll(text, "\n\t\t", "\n")
	job, err := spec.Parse("test.yaml", []byte(text), os.DirFS(l.dir), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return job
}

func (l *lab) submit(text string) Submitted {
	l.t.Helper()
	s, err := l.engine.Submit(l.ctx(), Submission{Job: l.job(text), Dir: l.dir})
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// run submits a job and waits for its end.
func (l *lab) run(text string) journal.Status {
	l.t.Helper()
	s, err := l.engine.Wait(l.ctx(), l.submit(text).ID)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

func (l *lab) want(s journal.Status, state journal.JobState, done, failed int) {
	l.t.Helper()
	if s.State != state || s.Tasks.Done != done || s.Tasks.Failed != failed {
		l.t.Fatalf("job is %s (%s: %s), tasks %+v, want %s with %d done and %d failed; failures %v",
			s.State, s.Cause, s.Message, s.Tasks, state, done, failed, s.Failures)
	}
	if err := l.journal.Check(); err != nil {
		l.t.Fatal(err)
	}
	if live := l.market.live(); s.Ended() && len(live) > 0 {
		l.t.Fatalf("%d leases live after the end", len(live))
	}
}

func (l *lab) file(name string) string {
	l.t.Helper()
	data, err := os.ReadFile(filepath.Join(l.dir, "outputs", name))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(data)
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	at := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func TestOneTask(t *testing.T) {
	l := newLab(t)
	l.write("in/a.txt", "alpha\n")
	l.write("in/big.txt", strings.Repeat("0123456789", 300_000))
	s := l.run(`command: ["sh", "-c", "cat in/a.txt; wc -c < in/big.txt >&2; cp -r in out/copy; echo $ZENNET_TASK_INDEX $ZENNET_ATTEMPT $OMP_NUM_THREADS > out/env"]
		inputs: [in/]
		collect: ["out/*"]
		outputs: outputs/
		`)
	l.want(s, journal.JobDone, 1, 0)
	if got := l.file("logs/0.stdout"); got != "alpha\n" {
		t.Errorf("stdout %q", got)
	}
	if got := strings.TrimSpace(l.file("logs/0.stderr")); got != "3000000" {
		t.Errorf("stderr %q", got)
	}
	if got := l.file("tasks/0/out/env"); got != "0 1 1\n" {
		t.Errorf("env %q", got)
	}
	if got := len(l.file("tasks/0/out/copy/big.txt")); got != 3_000_000 {
		t.Errorf("big output has %d bytes", got)
	}
	if !strings.Contains(l.file("receipt.json"), s.ID) {
		t.Errorf("receipt %s", l.file("receipt.json"))
	}
	if left, _ := filepath.Glob(filepath.Join(l.dir, "outputs", ".zennet-tmp*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestArray(t *testing.T) {
	l := newLab(t)
	s := l.run(`command: ["sh", "-c", "echo $ZENNET_TASK_INDEX > out; echo said $ZENNET_TASK_NUMBER of $ZENNET_TASK_COUNT"]
		array: 100-299
		slots: 3
		collect: [out]
		outputs: outputs/
		`)
	l.want(s, journal.JobDone, 200, 0)
	for i := 100; i < 300; i++ {
		if got := l.file(fmt.Sprintf("tasks/%d/out", i)); got != fmt.Sprintf("%d\n", i) {
			t.Fatalf("task %d: %q", i, got)
		}
		if got := l.file(fmt.Sprintf("logs/%d.stdout", i)); got != fmt.Sprintf("said %d of 200\n", i-100) {
			t.Fatalf("task %d said %q", i, got)
		}
	}
}

func TestFailsOnceAndAlways(t *testing.T) {
	l := newLab(t)
	s := l.run(`command: ["sh", "-c", "case $ZENNET_TASK_INDEX in 1) test $ZENNET_ATTEMPT -gt 1 || { echo no luck >&2; exit 7; };; 2) echo bad >&2; exit 3;; 3) exit 65;; esac"]
		array: 0-3
		slots: 2
		retry: {attempts: 2, never: [64-78]}
		outputs: outputs/
		`)
	l.want(s, journal.JobFailed, 2, 2)
	if s.Cause != journal.CauseTask || s.Exit() != 1 {
		t.Errorf("cause %s, exit %d", s.Cause, s.Exit())
	}
	got := map[string]int{}
	for _, f := range s.Failures {
		got[f.Task+" "+f.Class]++
		if f.Task == "1" && !strings.Contains(f.Message, "no luck") {
			t.Errorf("first cause: %q", f.Message)
		}
	}
	if fmt.Sprint(got) != "map[1 exit:1 2 exit:2 3 exit:1]" {
		t.Errorf("failures %v", got)
	}
	// Submitted again, it runs what failed, and only that.
	again := l.submit(`command: ["sh", "-c", "case $ZENNET_TASK_INDEX in 1) test $ZENNET_ATTEMPT -gt 1 || { echo no luck >&2; exit 7; };; 2) echo bad >&2; exit 3;; 3) exit 65;; esac"]
		array: 0-3
		slots: 2
		retry: {attempts: 1}
		outputs: outputs/
		`)
	if again.ID != s.ID || again.State != SubmittedResumed {
		t.Fatalf("again: %+v", again)
	}
	s, err := l.engine.Wait(l.ctx(), again.ID)
	if err != nil {
		t.Fatal(err)
	}
	l.want(s, journal.JobFailed, 2, 2)
	if len(s.Failures) != 2 {
		t.Errorf("second run: %v", s.Failures)
	}
}
