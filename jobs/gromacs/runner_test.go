package gromacs_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zennet/zennet/jobs/gromacs"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// needGromacs skips on a laptop without gmx, and fails in CI.
func needGromacs(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("gmx"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("gmx is not installed (Debian: gromacs)")
		}
		t.Skip("gmx is not installed (Debian: gromacs)")
	}
}

// runner executes a graph's tasks here, one after another, each in an empty
// folder: what the engine and the worker do, without leases and containers.
type runner struct {
	t     testing.TB
	files string // the job file's folder
	done  string // outputs of finished tasks, a folder each
	logs  map[string]string
	runs  int
}

func newRunner(t testing.TB, files string) *runner {
	return &runner{t: t, files: files, done: t.TempDir(), logs: map[string]string{}}
}

// run executes every task of the graph.
func (r *runner) run(graph plan.Graph) {
	r.t.Helper()
	for _, task := range graph.Tasks {
		if err := r.task(task, nil); err != nil {
			r.t.Fatalf("%v\n%s", err, r.logs[task.Name])
		}
	}
}

// interrupt says when an attempt is sent TERM: when this says so of its log so far.
type interrupt func(scratch string, log string) bool

// task executes one task; stop, if any, ends its first attempt, after which a
// second goes on with the checkpoint files.
func (r *runner) task(task plan.Task, stop interrupt) error {
	scratch := r.t.TempDir()
	r.place(task, scratch)
	code := r.attempt(task, scratch, 1, false, stop)
	if stop != nil {
		if code == 0 {
			return fmt.Errorf("task %s ended before it was interrupted", task.Name)
		}
		next := r.t.TempDir()
		kept := collect(r.t, scratch, next, task.Checkpoint, false)
		r.place(task, next)
		scratch = next
		code = r.attempt(task, scratch, 2, len(kept) > 0, nil)
	}
	if code != 0 {
		return fmt.Errorf("task %s: exit %d", task.Name, code)
	}
	collect(r.t, scratch, filepath.Join(r.done, task.Name), task.Collect, true)
	return nil
}

func (r *runner) attempt(task plan.Task, scratch string, number int, restart bool, stop interrupt) int {
	r.runs++
	cmd := exec.Command(task.Command[0], task.Command[1:]...)
	cmd.Dir = scratch
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "OMP_NUM_THREADS=1", fmt.Sprintf("ZENNET_ATTEMPT=%d", number)}
	if restart {
		cmd.Env = append(cmd.Env, "ZENNET_RESTART=1")
	}
	for k, v := range task.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log watched
	cmd.Stdout, cmd.Stderr = &log, &log
	log.changed = func(text string) {
		if stop != nil && stop(scratch, text) {
			stop = nil
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
				r.t.Error(err)
			}
		}
	}
	err := cmd.Run()
	r.logs[task.Name] += log.String()
	if err != nil && cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// watched is an attempt's log; changed sees it whenever it grows.
type watched struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed func(string)
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	w.changed(w.text.String())
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// place puts a task's inputs into its scratch folder.
func (r *runner) place(task plan.Task, scratch string) {
	r.t.Helper()
	for _, in := range task.Inputs {
		to := filepath.Join(scratch, in.Path)
		switch {
		case in.Task != "":
			copyTree(r.t, filepath.Join(r.done, in.Task, in.From), to)
		case in.File != "":
			copyTree(r.t, filepath.Join(r.files, in.File), to)
		default:
			write(r.t, to, in.Data)
		}
	}
}

// collect copies what the patterns match; each must match something if must says so.
func collect(t testing.TB, from, to string, patterns []string, must bool) []string {
	t.Helper()
	var all []string
	for _, pattern := range patterns {
		names, err := doublestar.Glob(os.DirFS(from), pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 && must {
			t.Fatalf("pattern %s matches nothing", pattern)
		}
		for _, name := range names {
			copyTree(t, filepath.Join(from, name), filepath.Join(to, name))
		}
		all = append(all, names...)
	}
	return all
}

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rest, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		in, err := os.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		data, err := io.ReadAll(in)
		if err == nil {
			write(t, filepath.Join(to, rest), data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// planned parses and plans a job; both must succeed.
func planned(t testing.TB, folder, yaml string, sets ...string) (spec.Job, plan.Graph) {
	t.Helper()
	files := os.DirFS(folder)
	job, err := spec.Parse("job.yaml", []byte(yaml), files, sets)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := gromacs.Plan(job, files)
	if err != nil {
		t.Fatal(err)
	}
	if err := graph.Check(); err != nil {
		t.Fatal(err)
	}
	return job, graph
}

// gmx runs a tool in a folder and returns all it prints.
func gmx(t testing.TB, folder, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("gmx", append([]string{"-quiet"}, args...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GMX_MAXBACKUP=-1")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("gmx %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// results arranges what the runner has as the results folder of a job.
func (r *runner) results(graph plan.Graph) string {
	out := r.t.TempDir()
	for _, task := range graph.Tasks {
		from := filepath.Join(r.done, task.Name)
		if _, err := os.Stat(from); err != nil {
			continue
		}
		switch {
		case task.Report:
			copyTree(r.t, from, filepath.Join(out, "report"))
		case task.Publish:
			copyTree(r.t, from, filepath.Join(out, "tasks", task.Name))
		}
	}
	return out
}
