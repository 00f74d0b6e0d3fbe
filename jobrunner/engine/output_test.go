package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// press is a lab whose jobs deliver into a folder of the local disk, through the
// real package data, with a hook before and after each of its calls.
type press struct {
	*lab
	output string // absolute
	hook   func(call string, after bool) error
	hang   chan string // where set, calls tell of themselves here and then wait for their context's end

	mu    sync.Mutex
	calls map[string]int // those that succeeded
}

func newPress(t testing.TB) *press {
	old := patience
	patience = delivering{first: time.Millisecond, most: 10 * time.Millisecond, limit: time.Second, discard: time.Second, stage: 2 * time.Second}
	t.Cleanup(func() { patience = old })
	p := &press{lab: newLab(t), calls: map[string]int{}}
	p.output = filepath.Join(p.dir, "made", "out")
	p.data = func(job spec.Job, dir string) (Source, func(string) Output, error) {
		job.MapReduce = &spec.MapReduce{Output: "made/out"}
		d, err := data.Open(job, dir, data.Options{})
		if err != nil {
			return nil, nil, err
		}
		return d, func(id string) Output { return &hooked{press: p, out: d.Output(id)} }, nil
	}
	p.planner = func(spec.Job, fs.FS) (plan.Graph, error) { return p.graph(), nil }
	p.close()
	p.open()
	return p
}

// graph is two tasks that deliver: a few bytes and a folder, which are stored here
// first, and a large file, which goes straight into the staging folder.
func (p *press) graph() plan.Graph {
	mark := fmt.Sprintf("echo $ZENNET_TASK_INDEX >> %s/ran; test ! -e %[1]s/fail || exit 1; while test -e %[1]s/wait; do sleep 0.02; done; mkdir o; ", p.home)
	return plan.Graph{Output: "made/out", Tasks: []plan.Task{
		{Name: "a", Index: "a", Command: []string{"sh", "-c", mark + "echo one > o/x; mkdir s; seq 30000 > s/y"}, Collect: []string{"o/x", "s"},
			Deliver: []plan.Delivery{{From: "o/x", Name: "part-00000"}, {From: "s", Name: "_skipped", Optional: true}}},
		{Name: "b", Index: "b", Command: []string{"sh", "-c", mark + "seq 300000 > o/x"}, Collect: []string{"o/x"},
			Deliver: []plan.Delivery{{From: "o/x", Name: "part-00001"}, {From: "s", Name: "_skipped", Optional: true}}},
	}}
}

// seq is what seq writes.
func seq(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// whole checks that the output is as it must be, with nothing beside it.
func (p *press) whole() {
	p.t.Helper()
	want := map[string]string{"part-00000": "one\n", "part-00001": seq(300_000), "_skipped/y": seq(30_000), "_SUCCESS": ""}
	found := 0
	err := filepath.WalkDir(filepath.Dir(p.output), func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(p.output, at)
		text, ok := want[name]
		if data, err := os.ReadFile(at); !ok || err != nil || string(data) != text {
			p.t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
		found++
		return nil
	})
	if err != nil || found != len(want) {
		p.t.Errorf("%d files, want %d: %v", found, len(want), err)
	}
	p.tidy()
}

// tidy checks that no hidden folder is left anywhere.
func (p *press) tidy() {
	p.t.Helper()
	filepath.WalkDir(p.dir, func(at string, d fs.DirEntry, err error) error {
		if strings.Contains(d.Name(), ".zennet-") && d.Name() != owner {
			p.t.Errorf("%s is left", at)
		}
		return err
	})
}

const pressed = `command: ["true"]
	outputs: outputs/
	retry: {attempts: 1}
	slots: 1
	`

func (p *press) sub() Submitted { return p.submit(strings.ReplaceAll(pressed, "\n\t", "\n")) }

// hooked is an Output with hooks.
type hooked struct {
	press *press
	out   Output
}

func (h *hooked) do(call string, fn func() error) error {
	p := h.press
	if p.hook != nil {
		if err := p.hook(call, false); err != nil {
			return err
		}
	}
	err := fn()
	if err == nil {
		p.mu.Lock()
		p.calls[call]++
		p.mu.Unlock()
		if p.hook != nil {
			err = p.hook(call, true)
		}
	}
	return err
}

func (h *hooked) Begin(ctx context.Context) (s data.Staging, err error) {
	err = h.do("begin", func() (err error) { s, err = h.out.Begin(ctx); return err })
	return s, err
}

func (h *hooked) Find(ctx context.Context, s data.Staging) (at data.Place, err error) {
	err = h.do("find", func() (err error) { at, err = h.out.Find(ctx, s); return err })
	return at, err
}

func (h *hooked) Put(ctx context.Context, s data.Staging, name string, size int64, from func() (io.ReadCloser, error)) error {
	if h.press.hang != nil {
		h.press.hang <- name
		<-ctx.Done()
		return ctx.Err()
	}
	return h.do("put", func() error { return h.out.Put(ctx, s, name, size, from) })
}

func (h *hooked) Settle(ctx context.Context, s data.Staging, from, name string, size int64) error {
	return h.do("settle", func() error { return h.out.Settle(ctx, s, from, name, size) })
}

func (h *hooked) Commit(ctx context.Context, s data.Staging, names map[string]int64) error {
	return h.do("commit", func() error { return h.out.Commit(ctx, s, names) })
}

func (h *hooked) Discard(ctx context.Context, s data.Staging) error {
	return h.do("discard", func() error { return h.out.Discard(ctx, s) })
}

func TestOutput(t *testing.T) {
	p := newPress(t)
	watch, stop := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() { // whoever looks sees all or nothing
		defer close(watched)
		for watch.Err() == nil {
			if _, err := os.Stat(p.output); err != nil {
				continue
			}
			for _, name := range []string{"part-00000", "part-00001", "_skipped/y", "_SUCCESS"} {
				if _, err := os.Stat(filepath.Join(p.output, name)); err != nil {
					t.Errorf("the output is there without %s", name)
				}
			}
			return
		}
	}()
	first := p.sub()
	if first.Output != p.output {
		t.Errorf("output %q", first.Output)
	}
	s := p.wait(first.ID)
	p.want(s, journal.JobDone, 2, 0)
	if s.Output != p.output {
		t.Errorf("status says output %q", s.Output)
	}
	<-watched
	stop()
	p.whole()
	if _, err := os.Stat(filepath.Join(p.dir, "outputs/tasks")); err == nil {
		t.Error("what is delivered is in the results too")
	}
	filepath.WalkDir(filepath.Join(p.home, "blobs"), func(at string, d fs.DirEntry, err error) error {
		if info, failed := d.Info(); err == nil && failed == nil && d.Type().IsRegular() && info.Size() > 500_000 {
			t.Errorf("%s: %d bytes of what went straight into the output are stored", at, info.Size())
		}
		return err
	})

	// The same job again is done; where its output is gone, it is made of what is kept,
	// and of what is made again.
	if again := p.sub(); again.State != SubmittedDone || again.Output != p.output {
		t.Errorf("again: %+v", again)
	}
	if err := os.RemoveAll(p.output); err != nil {
		t.Fatal(err)
	}
	if again := p.sub(); again.State != SubmittedResumed {
		t.Errorf("with its output gone: %+v", again)
	}
	p.want(p.wait(first.ID), journal.JobDone, 2, 0)
	p.whole()
	if got := p.ran(); got["a"] != 1 || got["b"] != 2 {
		t.Errorf("ran %v", got)
	}

	// Another folder of the same name is not this job's, and is never touched.
	if err := errors.Join(os.RemoveAll(p.output), os.Mkdir(p.output, 0o755), os.WriteFile(filepath.Join(p.output, "precious"), []byte("x"), 0o644)); err != nil {
		t.Fatal(err)
	}
	p.refused(false, "exists already")
	if data, err := os.ReadFile(filepath.Join(p.output, "precious")); err != nil || string(data) != "x" {
		t.Errorf("precious: %q %v", data, err)
	}
	p.tidy()
}

func (p *press) refused(again bool, words string) {
	p.t.Helper()
	acquired := p.market.acquired
	job := p.job(strings.ReplaceAll(pressed, "\n\t", "\n"))
	_, err := p.engine.Submit(p.ctx(), Submission{Job: job, Dir: p.dir, Again: again})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), words) || !strings.HasPrefix(err.Error(), "test.yaml:") {
		p.t.Errorf("got %v, want %q", err, words)
	}
	if p.market.acquired != acquired {
		p.t.Error("something was leased for it")
	}
}

// TestAgainNeedsRoom: to run all again, the output that is there must go first.
func TestAgainNeedsRoom(t *testing.T) {
	p := newPress(t)
	p.want(p.wait(p.sub().ID), journal.JobDone, 2, 0)
	p.refused(true, "remove it")
	p.whole()
	if s, err := p.engine.Status(p.sub().ID); err != nil || s.State != journal.JobDone {
		t.Errorf("%s %v", s.State, err)
	}
}

// TestOutputCannotBeMade: nothing is leased for a job whose output cannot be
// written.
func TestOutputCannotBeMade(t *testing.T) {
	p := newPress(t)
	p.write("made", "a file where a folder must be")
	p.refused(false, "made is not a folder")
	if _, err := p.journal.List(); err != nil {
		t.Error(err)
	}
	if rows, _ := p.journal.List(); len(rows) != 0 {
		t.Errorf("jobs %v", rows)
	}
}

// TestOneOutputTwoJobs: what one running job makes, another may not.
func TestOneOutputTwoJobs(t *testing.T) {
	p := newPress(t)
	must(t, os.WriteFile(filepath.Join(p.home, "wait"), nil, 0o644))
	first := p.sub()
	p.until(first.ID, func(s journal.Status) bool { return s.Tasks.Running == 1 })
	graph := p.graph()
	graph.Tasks = graph.Tasks[:1]
	p.engine.planner = func(spec.Job, fs.FS) (plan.Graph, error) { return graph, nil }
	job := p.job(strings.ReplaceAll(strings.ReplaceAll(pressed, "\n\t", "\n"), "outputs/", "others/"))
	if _, err := p.engine.Submit(p.ctx(), Submission{Job: job, Dir: p.dir}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "is being made by job "+first.ID) {
		t.Errorf("the other job: %v", err)
	}
	must(t, os.Remove(filepath.Join(p.home, "wait")))
	p.want(p.wait(first.ID), journal.JobDone, 2, 0)
	p.whole()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFailedJobLeavesNothing: neither a failed nor a cancelled job leaves anything,
// and submitted again it makes its output.
func TestFailedJobLeavesNothing(t *testing.T) {
	for _, end := range []journal.JobState{journal.JobFailed, journal.JobCancelled} {
		p := newPress(t)
		stop := filepath.Join(p.home, map[journal.JobState]string{journal.JobFailed: "fail", journal.JobCancelled: "wait"}[end])
		put := make(chan struct{})
		var once sync.Once
		p.hook = func(call string, after bool) error {
			if call == "put" && after {
				once.Do(func() {
					must(t, os.WriteFile(stop, nil, 0o644))
					close(put)
				})
			}
			return nil
		}
		id := p.sub().ID
		<-put
		p.until(id, func(s journal.Status) bool { return s.Ended() || p.ran()["b"] == 1 })
		if end == journal.JobCancelled {
			must(t, p.engine.Cancel(p.ctx(), id))
		}
		s := p.wait(id)
		if s.State == journal.JobDone { // b was faster than the first delivery
			p.whole()
			continue
		}
		if s.State != end {
			t.Errorf("job is %s, want %s", s.State, end)
		}
		if _, err := os.Stat(filepath.Join(p.dir, "made")); err == nil {
			t.Errorf("%s: something is left", end)
		}
		p.tidy()
		if _, err := p.journal.Output(id); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("journal: %v", err)
		}
		p.hook = nil
		must(t, os.Remove(stop))
		p.want(p.wait(p.sub().ID), journal.JobDone, 2, 0)
		p.whole()
	}
}

// TestDeliveryFails: a delivery is tried again; one that cannot be is told as the
// job's end, and nothing is left.
func TestDeliveryFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails int // times
		err   error
		state journal.JobState
	}{
		{"for a while", 5, errors.New("no route to the data node"), journal.JobDone},
		{"too long", 1 << 30, errors.New("no route to the data node"), journal.JobFailed},
		{"for good", 1 << 30, fmt.Errorf("quota: %w", fs.ErrPermission), journal.JobFailed},
	} {
		for _, call := range []string{"put", "settle", "commit"} {
			t.Run(c.name+" at "+call, func(t *testing.T) {
				p := newPress(t)
				failed := 0
				var mu sync.Mutex
				p.hook = func(at string, after bool) error {
					mu.Lock()
					defer mu.Unlock()
					if at != call || after || failed >= c.fails {
						return nil
					}
					failed++
					return c.err
				}
				s := p.wait(p.sub().ID)
				if s.State != c.state {
					t.Fatalf("%s: %s", s.State, s.Message)
				}
				if c.state == journal.JobDone {
					p.whole()
					return
				}
				if s.Cause != journal.CauseOutput || s.Exit() != 1 || !strings.Contains(s.Message, c.err.Error()) || !strings.Contains(s.Message, p.output) {
					t.Errorf("cause %s, exit %d: %s", s.Cause, s.Exit(), s.Message)
				}
				if _, err := os.Stat(p.output); err == nil {
					t.Error("there is an output")
				}
				p.tidy()
				must(t, p.journal.Check())
			})
		}
	}
}

// TestAnswerLost: a rename that happened although its answer was lost is found.
func TestAnswerLost(t *testing.T) {
	p := newPress(t)
	lost := false
	p.hook = func(call string, after bool) error {
		if call == "commit" && after && !lost {
			lost = true
			return errors.New("connection reset")
		}
		return nil
	}
	p.want(p.wait(p.sub().ID), journal.JobDone, 2, 0)
	p.whole()
	if p.calls["commit"] != 1 {
		t.Errorf("committed %d times", p.calls["commit"])
	}
}

// TestStagingVanishes: where somebody removes delivered files, or all of them, just
// before the end, they are delivered again as far as they are stored; else the job fails
// and says so, and is made whole by the next submit. Nothing is ever half there.
func TestStagingVanishes(t *testing.T) {
	for what, again := range map[string]int{"part-00000": 0, "part-00001": 1, "*": 1, "": 1} {
		p := newPress(t)
		gone := false
		p.hook = func(call string, after bool) error {
			if call == "commit" && !after && !gone {
				gone = true
				p.remove(what)
			}
			return nil
		}
		s := p.wait(p.sub().ID)
		if again > 0 {
			if s.State != journal.JobFailed || s.Cause != journal.CauseOutput || !strings.Contains(s.Message, "what task b delivered") || !strings.Contains(s.Message, "submit the job again") {
				t.Errorf("%q: %s %s %q", what, s.State, s.Cause, s.Message)
			}
			p.tidy()
			s = p.wait(p.sub().ID)
		}
		p.want(s, journal.JobDone, 2, 0)
		p.whole()
		if got := p.ran(); got["a"] != 1 || got["b"] != 1+again {
			t.Errorf("%q: ran %v", what, got)
		}
	}
}

// remove removes what is in the staging folder, or that.
func (p *press) remove(what string) {
	p.t.Helper()
	all, err := filepath.Glob(filepath.Join(p.dir, ".*.zennet-*", what))
	if err != nil || len(all) == 0 {
		p.t.Errorf("nothing to remove: %v", err)
	}
	for _, at := range all {
		must(p.t, os.RemoveAll(at))
	}
}

// TestStagingVanishesUnderway: where that happens while tasks run, what is not stored is
// made again, and the job does not fail.
func TestStagingVanishesUnderway(t *testing.T) {
	p := newPress(t)
	graph := p.graph()
	graph.Tasks = []plan.Task{graph.Tasks[1], { // after b has been delivered
		Name: "c", Command: []string{"sh", "-c", "echo c >> " + p.home + "/ran; while test ! -e " + p.home + "/go; do sleep 0.02; done; mkdir o; cat in > o/c"}, Collect: []string{"o"},
		Inputs: []plan.Input{{Path: "in", Task: "b", From: "s"}}, Deliver: []plan.Delivery{{From: "o/c", Name: "part-00000"}}}}
	graph.Tasks[0].Command[2] += "; mkdir s; echo one > s/in"
	graph.Tasks[0].Collect = []string{"o/x", "s"}
	graph.Tasks[0].Deliver = graph.Tasks[0].Deliver[:1]
	graph.Tasks[1].Inputs[0].From = "s/in"
	graph.Tasks = append(graph.Tasks, plan.Task{Name: "d", Command: []string{"sh", "-c", `until test "$(grep -c b ` + p.home + `/ran)" = 2; do sleep 0.02; done`}})
	planner := func(spec.Job, fs.FS) (plan.Graph, error) { return graph, nil }
	p.planner, p.engine.planner = planner, planner
	var once sync.Once
	p.hook = func(call string, after bool) error {
		if call == "settle" && after {
			once.Do(func() {
				p.remove("")
				must(t, os.WriteFile(filepath.Join(p.home, "go"), nil, 0o644))
			})
		}
		return nil
	}
	id := p.submit(strings.ReplaceAll(strings.ReplaceAll(pressed, "\n\t", "\n"), "slots: 1", "slots: 2")).ID
	p.want(p.wait(id), journal.JobDone, 3, 0)
	for name, want := range map[string]string{"part-00000": "one\n", "part-00001": seq(300_000), "_SUCCESS": ""} {
		if data, err := os.ReadFile(filepath.Join(p.output, name)); err != nil || string(data) != want {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	p.tidy()
	if got := p.ran(); got["b"] != 2 || got["c"] != 1 {
		t.Errorf("ran %v", got)
	}
}

// killedAt runs the job until a call of its output, at which its host dies.
func (p *press) killedAt(at string) (id string) {
	p.t.Helper()
	p.hook = func(call string, after bool) error {
		if call == at {
			go p.engine.fail(errKilled)
			return errKilled
		}
		return nil
	}
	id = p.sub().ID
	if _, err := p.engine.Wait(p.ctx(), id); err == nil {
		p.t.Fatal("it ended")
	}
	p.close()
	p.hook = nil
	return id
}

// TestPowerCut: what a job delivers is not synced here. What of it is lost before the
// output is there, in the blob store or in the staging folder, is made again, though the
// job was at its end.
func TestPowerCut(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(p *press)
		a, b int // times that they ran
	}{
		"stored": {func(p *press) { damage(t, filepath.Join(p.home, "blobs")) }, 2, 1},
		"staged": {func(p *press) { p.remove("") }, 1, 2},
		"both":   {func(p *press) { damage(t, filepath.Join(p.home, "blobs")); p.remove("") }, 2, 2},
	} {
		p := newPress(t)
		id := p.killedAt("commit")
		if b, err := p.journal.Job(id); err == nil && b.State != journal.JobSettling {
			t.Errorf("the job is %s", b.State)
		}
		c.lose(p)
		p.restart()
		p.want(p.wait(id), journal.JobDone, 2, 0)
		p.whole()
		if got := p.ran(); got["a"] != c.a || got["b"] != c.b {
			t.Errorf("%s: ran %v", name, got)
		}
	}
}

// TestPowerCutOfSideFiles: what is delivered of a task whose large outputs stay where
// they were made is made again, too, if it is lost.
func TestPowerCutOfSideFiles(t *testing.T) {
	p := newPress(t)
	planner := func(spec.Job, fs.FS) (plan.Graph, error) {
		return plan.Graph{Output: "made/out", Tasks: []plan.Task{
			{Name: "m", Keep: true, Command: []string{"sh", "-c", "echo m >> " + p.home + "/ran; mkdir seg side; head -c 2000000 /dev/zero > seg/0; seq 30000 > side/m"},
				Collect: []string{"seg", "side"}, Deliver: []plan.Delivery{{From: "side", Name: ".", Optional: true}}},
			{Name: "r", Command: []string{"sh", "-c", "mkdir o; wc -c < in > o/x"}, Collect: []string{"o"},
				Inputs: []plan.Input{{Path: "in", Task: "m", From: "seg/0"}}, Deliver: []plan.Delivery{{From: "o/x", Name: "part-00000"}}},
		}}, nil
	}
	p.planner, p.engine.planner = planner, planner
	id := p.killedAt("put")
	damage(t, filepath.Join(p.home, "blobs"))
	p.restart()
	p.want(p.wait(id), journal.JobDone, 2, 0)
	if data, err := os.ReadFile(filepath.Join(p.output, "m")); err != nil || !strings.HasSuffix(string(data), "\n30000\n") || len(data) != 168894 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if got := p.ran(); got["m"] != 2 {
		t.Errorf("ran %v", got)
	}
}

// TestCancelWhileSettling: a job whose output cannot be renamed now can be
// cancelled.
func TestCancelWhileSettling(t *testing.T) {
	p := newPress(t)
	patience.limit = time.Hour
	trying := make(chan struct{})
	var once sync.Once
	p.hook = func(call string, after bool) error {
		if call == "commit" {
			once.Do(func() { close(trying) })
			return errors.New("name node is in safe mode")
		}
		return nil
	}
	id := p.sub().ID
	<-trying
	must(t, p.engine.Cancel(p.ctx(), id))
	s := p.wait(id)
	p.want(s, journal.JobCancelled, 2, 0)
	p.tidy()
}

var errKilled = errors.New("killed")

// TestCrashAtEveryStep kills the host before and after each step of the output's
// making and each write to the journal: whatever the step, after the next start the
// output is the same, was renamed once, and no task that was done ran again.
func TestCrashAtEveryStep(t *testing.T) {
	for n := 1; ; n++ {
		p := newPress(t)
		var mu sync.Mutex
		steps, dead := 0, false
		step := func(kind string) error {
			mu.Lock()
			defer mu.Unlock()
			if steps++; steps >= n && !dead {
				dead = true
				go p.engine.fail(fmt.Errorf("%w at step %d, %s", errKilled, n, kind))
			}
			if dead {
				return errKilled
			}
			return nil
		}
		p.hook = func(call string, after bool) error { return step(fmt.Sprint(call, after)) }
		p.close()
		p.options.Before = func(kind string) error {
			if kind == "lease" || kind == "start" {
				return nil
			}
			return step("journal " + kind)
		}
		p.open()
		job := p.job(strings.ReplaceAll(pressed, "\n\t", "\n"))
		s, err := p.engine.Submit(p.ctx(), Submission{Job: job, Dir: p.dir})
		if err == nil {
			_, err = p.engine.Wait(p.ctx(), s.ID)
		}
		mu.Lock()
		reached := dead
		mu.Unlock()
		if !reached {
			must(t, err)
			p.whole()
			if n < 20 {
				t.Fatalf("only %d steps", n)
			}
			return
		}
		p.hook = nil
		done := map[string]bool{}
		if rows, err := p.journal.Jobs(true); err == nil && len(rows) == 1 {
			tasks, _ := p.journal.Tasks(rows[0].ID)
			for _, task := range tasks {
				done[task.Name] = task.State == journal.TaskDone
			}
		}
		ran := p.ran()
		p.restart()
		end := p.wait(p.sub().ID)
		p.want(end, journal.JobDone, 2, 0)
		p.whole()
		if p.calls["commit"] != 1 {
			t.Errorf("step %d: the output was renamed %d times", n, p.calls["commit"])
		}
		for name, was := range done {
			if was && p.ran()[name] != ran[name] {
				t.Errorf("step %d: task %s was done and ran again", n, name)
			}
		}
		p.close()
		p.open()
	}
}
