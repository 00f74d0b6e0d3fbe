package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/provider/protocol"
)

// until waits for a snapshot that fulfils ok.
func (l *lab) until(id string, ok func(journal.Status) bool) journal.Status {
	l.t.Helper()
	ch, err := l.engine.Watch(l.ctx(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	var last journal.Status
	for s := range ch {
		if last = s; ok(s) {
			return s
		}
	}
	l.t.Fatalf("never came: last %+v", last)
	return last
}

func (l *lab) wait(id string) journal.Status {
	l.t.Helper()
	s, err := l.engine.Wait(l.ctx(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// marked is a command that notes each of its runs in a file of the test, and
// waits there for the file "go" where its index is in slow.
func (l *lab) marked(slow string) string {
	return fmt.Sprintf(`command: ["sh", "-c", "echo $ZENNET_TASK_INDEX.$ZENNET_ATTEMPT >> %[1]s/ran; case $ZENNET_TASK_INDEX in %[2]s) while test -d %[1]s -a ! -e %[1]s/go; do sleep 0.02; done;; esac; echo out $ZENNET_TASK_INDEX > f"]`, l.home, slow)
}

func (l *lab) ran() map[string]int {
	data, _ := os.ReadFile(filepath.Join(l.home, "ran"))
	out := map[string]int{}
	for line := range strings.Lines(string(data)) {
		task, _, _ := strings.Cut(strings.TrimSpace(line), ".")
		out[task]++
	}
	return out
}

func (l *lab) goOn() {
	if err := os.WriteFile(filepath.Join(l.home, "go"), nil, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// TestProviderDies kills containers under running tasks: they run elsewhere, it
// does not count as an attempt, and what was finished is not run again.
func TestProviderDies(t *testing.T) {
	l := newLab(t)
	id := l.submit(l.marked("2|3") + `
		array: 0-3
		slots: 2
		retry: {attempts: 1}
		collect: [f]
		outputs: outputs/
		`).ID
	l.until(id, func(s journal.Status) bool { return s.Tasks.Done == 2 && l.ran()["2"] == 1 && l.ran()["3"] == 1 })
	for _, lease := range l.market.live() {
		lease.process.Process.Kill()
	}
	l.until(id, func(s journal.Status) bool { return len(s.Failures) >= 2 })
	l.goOn()
	s := l.wait(id)
	l.want(s, journal.JobDone, 4, 0)
	for _, f := range s.Failures {
		if f.Class != protocol.ClassProvider || f.Provider == "" || !strings.Contains(f.Message, "container is gone") {
			t.Errorf("failure %+v", f)
		}
	}
	if got := l.ran(); got["0"] != 1 || got["1"] != 1 || got["2"] != 2 || got["3"] != 2 {
		t.Errorf("ran %v", got)
	}
}

// TestLinkBreaks cuts all connections while tasks run and end: nothing runs twice.
func TestLinkBreaks(t *testing.T) {
	l := newLab(t)
	id := l.submit(l.marked("*") + `
		array: 0-3
		slots: 4
		collect: [f]
		outputs: outputs/
		`).ID
	l.until(id, func(s journal.Status) bool { return len(l.ran()) == 4 })
	for _, lease := range l.market.live() {
		lease.cut()
	}
	l.goOn()
	time.AfterFunc(300*time.Millisecond, func() {
		for _, lease := range l.market.live() {
			lease.mend()
		}
	})
	s := l.wait(id)
	l.want(s, journal.JobDone, 4, 0)
	for task, n := range l.ran() {
		if n != 1 {
			t.Errorf("task %s ran %d times", task, n)
		}
	}
}

// TestRestart kills the host while tasks run: after the restart they are found
// again in their containers and run on.
func TestRestart(t *testing.T) {
	l := newLab(t)
	id := l.submit(l.marked("1|2|3") + `
		array: 0-5
		slots: 4
		collect: [f]
		outputs: outputs/
		`).ID
	l.until(id, func(s journal.Status) bool { return s.Tasks.Done == 3 && l.ran()["1"]+l.ran()["2"]+l.ran()["3"] == 3 })
	l.restart()
	l.goOn()
	s := l.wait(id)
	l.want(s, journal.JobDone, 6, 0)
	for task, n := range l.ran() {
		if n != 1 {
			t.Errorf("task %s ran %d times", task, n)
		}
	}
	if len(s.Failures) > 0 {
		t.Errorf("failures %v", s.Failures)
	}
	for i := range 6 {
		if got := l.file(fmt.Sprintf("tasks/%d/f", i)); got != fmt.Sprintf("out %d\n", i) {
			t.Errorf("task %d: %q", i, got)
		}
	}
}

// TestRestartWithoutLeases kills host and containers: only what ran is run again.
func TestRestartWithoutLeases(t *testing.T) {
	l := newLab(t)
	id := l.submit(l.marked("2") + `
		array: 0-2
		slots: 2
		collect: [f]
		outputs: outputs/
		`).ID
	l.until(id, func(s journal.Status) bool { return s.Tasks.Done == 2 && l.ran()["2"] == 1 })
	l.close()
	for _, lease := range l.market.live() {
		lease.end(errors.New("killed"))
	}
	l.open()
	if err := l.engine.Recover(l.ctx()); err != nil {
		t.Fatal(err)
	}
	l.goOn()
	s := l.wait(id)
	l.want(s, journal.JobDone, 3, 0)
	if got := l.ran(); got["0"] != 1 || got["1"] != 1 || got["2"] != 2 {
		t.Errorf("ran %v", got)
	}
	if len(s.Failures) != 1 || s.Failures[0].Class != protocol.ClassProvider {
		t.Errorf("failures %v", s.Failures)
	}
}

// TestCrashAtEveryWrite kills the host at its nth write to the journal, for every
// n: after a restart the job ends with the same results, and nothing finished ran
// again.
func TestCrashAtEveryWrite(t *testing.T) {
	for n := int64(1); ; n++ {
		l := newLab(t)
		l.close()
		var writes atomic.Int64
		l.options.Before = func(kind string) error {
			if kind != "lease" && writes.Add(1) >= n {
				return fmt.Errorf("killed at write %d, %s", n, kind)
			}
			return nil
		}
		l.open()
		text := l.marked("none") + `
			array: 0-3
			slots: 2
			collect: [f]
			outputs: outputs/
			`
		text = strings.ReplaceAll(text, "\n\t\t\t", "\n")
		s, err := l.engine.Submit(l.ctx(), Submission{Job: l.job(text), Dir: l.dir})
		if err == nil {
			_, err = l.engine.Wait(l.ctx(), s.ID)
		}
		if err == nil {
			if n < 4 {
				t.Fatalf("only %d writes", n)
			}
			return
		}
		if !errors.Is(err, journal.ErrFailed) {
			t.Fatalf("write %d: %v", n, err)
		}
		done, err := l.journal.Tasks(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		ran := l.ran()
		l.restart()
		if s.ID == "" || len(done) == 0 {
			s = l.submit(text)
		}
		end := l.wait(s.ID)
		l.want(end, journal.JobDone, 4, 0)
		for i := range 4 {
			if got := l.file(fmt.Sprintf("tasks/%d/f", i)); got != fmt.Sprintf("out %d\n", i) {
				t.Errorf("write %d: task %d: %q", n, i, got)
			}
		}
		for i, task := range done {
			if name := fmt.Sprint(i); task.State == journal.TaskDone && l.ran()[name] != ran[name] {
				t.Errorf("write %d: task %d was done and ran again", n, i)
			}
		}
		for name, times := range l.ran() {
			if times > 1 {
				t.Errorf("write %d: task %s ran %d times although its container lived", n, name, times)
			}
		}
		l.close()
		l.open()
	}
}

// TestPaymentCannotBeStored: a lease whose payment cannot be journalled stops its
// job, though its task runs on and no part of the job writes anything; so does
// every other job, nothing new is taken, and a new process goes on with all.
func TestPaymentCannotBeStored(t *testing.T) {
	l := newLab(t)
	l.close()
	var full atomic.Bool
	l.options.Before = func(kind string) error {
		if kind == "lease" && full.Load() {
			return fmt.Errorf("disk full at %s", kind)
		}
		return nil
	}
	l.open()
	text := l.marked("*") + `
		collect: [f]
		outputs: outputs/
		`
	id := l.submit(text).ID
	l.until(id, func(s journal.Status) bool { return s.Tasks.Running == 1 && len(l.ran()) == 1 })
	snapshots, err := l.engine.Watch(l.ctx(), id)
	if err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	if err := l.market.live()[0].save(journal.LeaseActive); !errors.Is(err, journal.ErrFailed) {
		t.Fatal(err)
	}
	if _, err := l.engine.Wait(l.ctx(), id); !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "disk full at lease") {
		t.Fatalf("the job ended with %v", err)
	}
	var last journal.Status
	for s := range snapshots {
		last = s
	}
	if last.Ended() || !strings.Contains(last.Stopped, "goes on when it is submitted again") || !strings.Contains(last.Stopped, "disk full") {
		t.Errorf("followers were told %+v", last)
	}
	<-l.engine.Failed()
	full.Store(false)
	if _, err := l.engine.Submit(l.ctx(), Submission{Job: l.job("command: x\n"), Dir: l.dir}); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("another job: %v", err)
	}
	l.restart()
	l.goOn()
	l.want(l.wait(id), journal.JobDone, 1, 0)
	if got := l.ran()["0"]; got != 1 {
		t.Errorf("ran %d times", got)
	}
}

// TestCancel stops a job: its task gets TERM, leaves its checkpoint, and starts
// from it when the job is submitted again.
func TestCancel(t *testing.T) {
	l := newLab(t)
	l.write("state.txt", "start\n")
	text := fmt.Sprintf(`command: ["sh", "-c", "trap 'echo saved >> state.txt; exit 1' TERM; echo began:$ZENNET_RESTART >> %[1]s/ran; while test -d %[1]s -a ! -e %[1]s/go; do sleep 0.02; done"]
		inputs: [state.txt]
		collect: [state.txt]
		checkpoint: ["state.*"]
		outputs: outputs/
		`, l.home)
	id := l.submit(text).ID
	l.until(id, func(s journal.Status) bool { return s.Tasks.Running == 1 && len(l.ran()) == 1 })
	if again := l.submit(text); again.ID != id || again.State != SubmittedRunning {
		t.Errorf("submitted twice: %+v", again)
	}
	if err := l.engine.Cancel(l.ctx(), id); err != nil {
		t.Fatal(err)
	}
	s := l.wait(id)
	l.want(s, journal.JobCancelled, 0, 0)
	if s.Exit() != 130 || len(s.Failures) > 0 {
		t.Errorf("exit %d, failures %v", s.Exit(), s.Failures)
	}
	if err := l.engine.Cancel(l.ctx(), id); err != nil {
		t.Errorf("cancelled twice: %v", err)
	}
	l.goOn()
	if again := l.submit(text); again.ID != id || again.State != SubmittedResumed {
		t.Errorf("submitted again: %+v", again)
	}
	l.want(l.wait(id), journal.JobDone, 1, 0)
	if got := l.file("tasks/0/state.txt"); got != "start\nsaved\n" {
		t.Errorf("state %q", got)
	}
	if data, _ := os.ReadFile(filepath.Join(l.home, "ran")); string(data) != "began:\nbegan:1\n" {
		t.Errorf("ran %q", data)
	}
	if again := l.submit(text); again.State != SubmittedDone {
		t.Errorf("submitted when done: %+v", again)
	}
}

// TestCancelThenKilled: a cancel is not forgotten when the host dies at once.
func TestCancelThenKilled(t *testing.T) {
	l := newLab(t)
	id := l.submit(l.marked("*") + `
		array: 0-1
		`).ID
	l.until(id, func(s journal.Status) bool { return len(l.ran()) == 2 })
	if err := l.engine.Cancel(l.ctx(), id); err != nil {
		t.Fatal(err)
	}
	l.restart()
	l.want(l.wait(id), journal.JobCancelled, 0, 0)
}

// TestKilledBeforeSettling kills the host when all is done and nothing settled; its
// lease comes back while the job is being ended, and is settled all the same.
func TestKilledBeforeSettling(t *testing.T) {
	l := newLab(t)
	l.close()
	jobWrites := func(nth int64, do func() error) func(string) error {
		var n atomic.Int64
		return func(kind string) error {
			if kind == "job" && n.Add(1) == nth {
				return do()
			}
			return nil
		}
	}
	l.options.Before = jobWrites(2, func() error { return errors.New("killed at the settling") })
	l.open()
	l.market.deaf.Store(true)
	id := l.submit(l.marked("none") + "\n").ID
	if _, err := l.engine.Wait(l.ctx(), id); !errors.Is(err, journal.ErrFailed) {
		t.Fatal(err)
	}
	if n := len(l.market.live()); n != 1 {
		t.Fatalf("%d leases live", n)
	}
	l.close()
	l.market.deaf.Store(false)
	ending, handed := make(chan struct{}), make(chan struct{})
	l.options.Before = jobWrites(2, func() error { close(ending); <-handed; return nil })
	l.market.back = func(hand func()) {
		select {
		case <-ending:
			t.Error("the job's end was written before its lease came back")
		case <-time.After(200 * time.Millisecond): // it waits
		}
		hand()
		close(handed)
	}
	l.open()
	if err := l.engine.Recover(l.ctx()); err != nil {
		t.Fatal(err)
	}
	l.want(l.wait(id), journal.JobDone, 1, 0)
	if n := len(l.market.live()); n != 0 {
		t.Errorf("%d leases live although the job has ended", n)
	}
}

func TestDeadline(t *testing.T) {
	l := newLab(t)
	s := l.run(`command: ["sh", "-c", "test $ZENNET_TASK_INDEX = 0 || exec sleep 100"]
		array: 0-3
		slots: 1
		deadline: 1s
		outputs: outputs/
		`)
	l.want(s, journal.JobFailed, 1, 0)
	if s.Cause != journal.CauseDeadline || s.Exit() != 1 {
		t.Errorf("cause %s, exit %d", s.Cause, s.Exit())
	}
}

func TestNobodyOffers(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		err   error
		cause journal.Cause
	}{{ErrNoOffers, journal.CauseNoOffers}, {fmt.Errorf("%w: budget", ErrNotAffordable), journal.CauseUnaffordable}} {
		l.market.refuse = c.err
		s := l.run(`command: ["true"]`)
		l.want(s, journal.JobFailed, 0, 0)
		if s.Cause != c.cause || s.Exit() != 3 || s.Message != c.err.Error() {
			t.Errorf("cause %s, exit %d, %q", s.Cause, s.Exit(), s.Message)
		}
	}
	l.market.refuse = nil
	l.want(l.run(`command: ["true"]`), journal.JobDone, 1, 0)
}

// TestTakeOver: a longer array takes the finished tasks of the shorter one over,
// with their outputs and logs; again runs all.
func TestTakeOver(t *testing.T) {
	l := newLab(t)
	text := l.marked("none") + `
		array: 0-%d
		collect: [f]
		outputs: %s/
		`
	first := l.run(fmt.Sprintf(text, 1, "outputs"))
	l.want(first, journal.JobDone, 2, 0)
	second := l.run(fmt.Sprintf(text, 3, "outputs/longer"))
	l.want(second, journal.JobDone, 4, 0)
	if first.ID == second.ID {
		t.Error("both jobs have one id")
	}
	for i := range 4 {
		if got := l.file(fmt.Sprintf("longer/tasks/%d/f", i)); got != fmt.Sprintf("out %d\n", i) {
			t.Errorf("task %d: %q", i, got)
		}
		l.file(fmt.Sprintf("longer/logs/%d.stdout", i))
	}
	if got := l.ran(); got["0"] != 1 || got["3"] != 1 {
		t.Errorf("ran %v", got)
	}
	acquired := l.market.acquired
	os.RemoveAll(filepath.Join(l.dir, "outputs"))
	l.want(l.run(fmt.Sprintf(text, 1, "outputs")), journal.JobDone, 2, 0)
	if l.file("tasks/1/f") != "out 1\n" || l.market.acquired != acquired {
		t.Error("lost results are written again for nothing")
	}
	s, err := l.engine.Submit(l.ctx(), Submission{Job: l.job(fmt.Sprintf(text, 1, "outputs")), Dir: l.dir, Again: true})
	if err != nil {
		t.Fatal(err)
	}
	l.want(l.wait(s.ID), journal.JobDone, 2, 0)
	if got := l.ran(); got["0"] != 2 || got["3"] != 1 {
		t.Errorf("again ran %v", got)
	}
}

func TestManyFilesAndLongLogs(t *testing.T) {
	l := newLab(t)
	s := l.run(`command: ["sh", "-c", "mkdir d; for i in $(seq 1200); do echo $i > d/$i; done; ln -s 1 d/link; head -c 100000000 /dev/zero | tr '\\0' x; echo end >&2"]
		collect: [d]
		outputs: outputs/
		`)
	l.want(s, journal.JobDone, 1, 0)
	if info, err := os.Stat(filepath.Join(l.dir, "outputs/logs/0.stdout")); err != nil || info.Size() != 100_000_000 {
		t.Errorf("log: %v %v", info, err)
	}
	if got := l.file("tasks/0/d/1199") + l.file("tasks/0/d/link"); got != "1199\n1\n" {
		t.Errorf("files %q", got)
	}
	if all, _ := os.ReadDir(filepath.Join(l.dir, "outputs/tasks/0/d")); len(all) != 1201 {
		t.Errorf("%d files", len(all))
	}
}

func TestFollowLogs(t *testing.T) {
	l := newLab(t)
	id := l.submit(fmt.Sprintf(`command: ["sh", "-c", "echo one; while test -d %[1]s -a ! -e %[1]s/go; do sleep 0.02; done; echo two"]
		outputs: outputs/
		`, l.home)).ID
	log, err := l.engine.Logs(l.ctx(), id, "0", false, true)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var first [4]byte
	if _, err := io.ReadFull(log, first[:]); err != nil || string(first[:]) != "one\n" {
		t.Fatalf("%q %v", first, err)
	}
	l.goOn()
	rest, err := io.ReadAll(log)
	if err != nil || string(rest) != "two\n" {
		t.Errorf("%q %v", rest, err)
	}
	l.wait(id)
	after, err := l.engine.Logs(l.ctx(), id, "0", false, false)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(after)
	after.Close()
	if err != nil || string(all) != "one\ntwo\n" {
		t.Errorf("after the end %q %v", all, err)
	}
	if _, err := l.engine.Logs(l.ctx(), id, "7", false, false); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown task: %v", err)
	}
}

// TestGraph runs tasks that pass files on: whole trees, folders, single files,
// optional ones of a best-effort task that fails, and inline data.
func TestGraph(t *testing.T) {
	l := newLab(t)
	big := strings.Repeat("x", 2_500_000)
	graph := plan.Graph{Tasks: []plan.Task{
		{Name: "make", Stage: "make", Command: []string{"sh", "-c", "mkdir -p d/e; echo 1 > d/one; echo 2 > d/e/two; cat big > d/big"},
			Inputs: []plan.Input{{Path: "big", Data: []byte(big)}}, Collect: []string{"d"}},
		{Name: "bad", Stage: "make", Command: []string{"false"}, BestEffort: true, Collect: []string{"x"}},
		{Name: "join", Stage: "join", Command: []string{"sh", "-c", "cat a/d/one sub/two f script > out; wc -c < a/d/big >> out; sh ./script >> out; test ! -e opt"},
			Inputs: []plan.Input{{Path: "a", Task: "make"}, {Path: "sub", Task: "make", From: "d/e"}, {Path: "f", Task: "make", From: "d/one"},
				{Path: "opt", Task: "bad", From: "x", Optional: true}, {Path: "script", Data: []byte("echo hi\n"), Mode: 0o755}},
			Collect: []string{"out"}, Publish: true, PublishAs: "joined"},
		{Name: "after", Stage: "join", Command: []string{"true"}, Inputs: []plan.Input{{Path: "x", Task: "bad", From: "x"}}, BestEffort: true},
		{Name: "page", Stage: "join", Command: []string{"sh", "-c", "mkdir r; cp out r/t.txt"}, Inputs: []plan.Input{{Path: "", Task: "join"}}, Collect: []string{"r/t.txt"}, Report: true},
	}}
	l.engine.planner = func(spec.Job, fs.FS) (plan.Graph, error) { return graph, nil }
	s := l.run(`command: ["true"]
		retry: {attempts: 1}
		outputs: outputs/
		`)
	l.want(s, journal.JobDone, 3, 1)
	want := "1\n2\n1\necho hi\n2500000\nhi\n"
	if got := l.file("tasks/joined/out"); got != want {
		t.Errorf("joined %q", got)
	}
	if got := l.file("report/r/t.txt"); got != want {
		t.Errorf("report %q", got)
	}
}

// TestPrograms: a job's leases agree in the versions of its programs.
func TestPrograms(t *testing.T) {
	l := newLab(t)
	l.market.programs = func(n int) map[string]string {
		return map[string]string{"tool": fmt.Sprint("v", n/2), "other": fmt.Sprint(n)}
	}
	graph := plan.Graph{Programs: []string{"tool"}}
	for i := range 6 {
		graph.Tasks = append(graph.Tasks, plan.Task{Name: fmt.Sprint(i), Command: []string{"sleep", "0.2"}})
	}
	l.engine.planner = func(spec.Job, fs.FS) (plan.Graph, error) { return graph, nil }
	s := l.run(`command: ["true"]`)
	l.want(s, journal.JobDone, 6, 0)
	b, err := l.journal.Job(s.ID)
	if err != nil || len(b.Programs) != 1 {
		t.Fatalf("programs %v %v", b.Programs, err)
	}
	attempts, err := l.journal.Attempts(s.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attempts {
		lease, err := l.journal.Lease(a.Lease)
		if err != nil || lease.Programs["tool"] != b.Programs["tool"] {
			t.Errorf("task %d ran with %v: %v", a.Task, lease.Programs, err)
		}
	}
}

// TestChangedInputs: a job whose inputs were changed while its host was down
// cannot go on.
func TestChangedInputs(t *testing.T) {
	l := newLab(t)
	l.write("in.txt", "one")
	id := l.submit(l.marked("*") + `
		inputs: [in.txt]
		`).ID
	l.until(id, func(s journal.Status) bool { return len(l.ran()) > 0 || s.Tasks.Running == 1 })
	l.write("in.txt", "two")
	l.restart()
	s := l.wait(id)
	if s.State != journal.JobFailed || s.Cause != journal.CauseInvalid {
		t.Errorf("%s %s %s", s.State, s.Cause, s.Message)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for len(l.market.live()) > 0 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if err := l.journal.Check(); err != nil || len(l.market.live()) > 0 {
		t.Errorf("%d leases live: %v", len(l.market.live()), err)
	}
}

// bigOutput makes 3 MB of files and a log that is fetched.
const bigOutput = `command: ["sh", "-c", "echo ran >> %s/ran; head -c 3000000 /dev/urandom > a; cp a b; head -c 100000 /dev/zero | tr '\\0' x"]
	collect: [a, b]
	retry: {attempts: 1}
	outputs: outputs/
	`

func (l *lab) bigOutput() string {
	return strings.ReplaceAll(fmt.Sprintf(bigOutput, l.home), "\n\t", "\n")
}

// TestFetchBreaks: results that come over a link that breaks are fetched again,
// and the task is not run again.
func TestFetchBreaks(t *testing.T) {
	l := newLab(t)
	var broke atomic.Int64
	l.market.spoil = func(int) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn {
			return &spoiled{Conn: c, at: 500_000, then: func([]byte) error {
				if broke.Add(1) > 2 {
					return nil
				}
				return errors.New("link broke")
			}}
		}
	}
	l.want(l.run(l.bigOutput()), journal.JobDone, 1, 0)
	if broke.Load() < 2 || l.ran()["ran"] != 1 {
		t.Errorf("broke %d times, ran %v", broke.Load(), l.ran())
	}
	if a, b := l.file("tasks/0/a"), l.file("tasks/0/b"); len(a) != 3_000_000 || a != b {
		t.Error("outputs differ")
	}
}

// TestLiar: results that are not what was announced by hash are thrown away, the
// task runs again at another provider, and that does not count as its attempt.
func TestLiar(t *testing.T) {
	l := newLab(t)
	l.market.spoil = func(n int) func(net.Conn) net.Conn {
		if n > 1 {
			return nil
		}
		return func(c net.Conn) net.Conn {
			return &spoiled{Conn: c, at: 500_000, then: func(p []byte) error { p[len(p)/2]++; return nil }}
		}
	}
	s := l.run(l.bigOutput())
	l.want(s, journal.JobDone, 1, 0)
	if len(s.Failures) != 1 || s.Failures[0].Class != protocol.ClassProvider || !strings.Contains(s.Failures[0].Message, "hash") {
		t.Errorf("failures %+v", s.Failures)
	}
	leases, err := l.journal.Leases(s.ID, false)
	if err != nil || len(leases) != 2 || leases[0].Verdict != chain.VerdictMismatch || leases[1].Provider == leases[0].Provider {
		t.Errorf("leases %+v %v", leases, err)
	}
	if a, b := l.file("tasks/0/a"), l.file("tasks/0/b"); a != b {
		t.Error("outputs differ")
	}
}
