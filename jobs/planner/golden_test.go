package planner_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/planner"
	"github.com/zennet/zennet/jobs/spec"
)

const examples = "../examples"

func parse(t testing.TB, name string, sets ...string) (spec.Job, fs.FS) {
	t.Helper()
	data, err := os.ReadFile(examples + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(examples + "/" + path.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	job, err := spec.Parse(path.Base(name), data, root.FS(), sets)
	if err != nil {
		t.Fatal(err)
	}
	if job.MapReduce != nil {
		job.MapReduce.Found = survey(t, job, root.FS())
	}
	return job, root.FS()
}

// survey finds the input files of a job of kind mapreduce, all of the same age.
func survey(t testing.TB, job spec.Job, files fs.FS) []spec.Found {
	t.Helper()
	config, _, err := mapreduce.Resolve(job)
	if err != nil {
		t.Fatal(err)
	}
	var out []spec.Found
	for _, in := range job.MapReduce.Input {
		if info, err := fs.Stat(files, in); err == nil && info.IsDir() {
			in += "/*"
		}
		names, err := fs.Glob(files, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			f := spec.Found{Path: name, Size: int64(len(data)), Block: 32 << 20}
			if config.Input.Lines > 0 {
				if f.Cuts, err = mapreduce.Cuts(bytes.NewReader(data), config.Input.Lines, 100); err != nil {
					t.Fatal(err)
				}
			}
			out = append(out, f)
		}
	}
	return out
}

// The plans of the examples: "plan FILE set=…" prints every task, "mdp TASK" the
// parameter files of one, "inspect FILE" what is said before it runs.
func TestPlans(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			var sets []string
			name, task := d.CmdArgs[0].Key, ""
			for _, arg := range d.CmdArgs[1:] {
				if arg.Key == "set" {
					sets = append(sets, strings.Join(arg.Vals, ","))
				} else {
					task = arg.Key
				}
			}
			job, files := parse(t, name, sets...)
			switch d.Cmd {
			case "plan", "mdp":
				graph, err := planner.Plan(job, files)
				if err != nil {
					return err.Error() + "\n"
				}
				if d.Cmd == "mdp" {
					return parameters(graph, task)
				}
				return text(graph)
			case "inspect":
				info, err := planner.Inspect(job, files)
				if err != nil {
					return err.Error() + "\n"
				}
				if job.MapReduce != nil {
					return strings.Join(append(info.Notes, info.Warnings...), "\n") + "\n"
				}
				return fmt.Sprintf("atoms %d, a segment %.1f s, all tasks %.0f s, memory %d MiB\n%s\n", info.Atoms, info.SegmentSeconds, info.TotalSeconds,
					info.Memory>>20, strings.Join(append(info.Notes, info.Warnings...), "\n"))
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

// parameters prints the mdp files of a task.
func parameters(graph plan.Graph, name string) string {
	var b strings.Builder
	for _, task := range graph.Tasks {
		for _, in := range task.Inputs {
			if task.Name == name && strings.HasSuffix(in.Path, ".mdp") {
				fmt.Fprintf(&b, "[%s]\n%s", in.Path, in.Data)
			}
		}
	}
	return b.String()
}

func text(graph plan.Graph) string {
	var b strings.Builder
	for _, task := range graph.Tasks {
		fmt.Fprintf(&b, "%s (%s) %s", task.Name, task.Stage, strings.Join(task.Command[:min(2, len(task.Command))], " "))
		for _, word := range []struct {
			is   bool
			name string
		}{{task.Publish, "publish"}, {task.Report, "report"}, {task.BestEffort, "best-effort"},
			{task.Keep, "keep"}, {task.Speculate, "speculate"}, {task.SkipBad, "skip-bad"}} {
			if word.is {
				fmt.Fprint(&b, ", ", word.name)
			}
		}
		fmt.Fprintf(&b, ", about %g s\n", task.ExpectSeconds)
		names := make([]string, 0, len(task.Env))
		for name := range task.Env {
			names = append(names, name)
		}
		sort.Strings(names)
		var env []string
		for _, name := range names {
			if task.Env[name] != "" {
				env = append(env, fmt.Sprintf("%s=%s", name, task.Env[name]))
			}
		}
		if len(env) > 0 {
			fmt.Fprintf(&b, "  env %s\n", strings.Join(env, " "))
		}
		for _, p := range task.Stdin {
			fmt.Fprintf(&b, "  stdin %s %d+%d", p.File, p.Offset, p.Length)
			for _, word := range []struct {
				is   bool
				name string
			}{{p.Whole, "whole"}, {p.Lead, "lead"}, {p.Limit > 0, fmt.Sprint("limit ", p.Limit)}, {p.Codec != "", p.Codec}} {
				if word.is {
					fmt.Fprint(&b, ", ", word.name)
				}
			}
			fmt.Fprintln(&b)
		}
		for _, in := range task.Inputs {
			switch {
			case in.Task != "":
				fmt.Fprintf(&b, "  in %q from %s %s\n", in.Path, in.Task, in.From)
			case in.File != "":
				fmt.Fprintf(&b, "  in %q from the publisher's %s\n", in.Path, in.File)
			default:
				fmt.Fprintf(&b, "  in %q\n", in.Path)
			}
		}
		fmt.Fprintf(&b, "  out %s\n", strings.Join(task.Collect, " "))
		for _, d := range task.Deliver {
			fmt.Fprintf(&b, "  deliver %s as %s\n", d.From, d.Name)
		}
		if len(task.Checkpoint) > 0 {
			fmt.Fprintf(&b, "  checkpoint %s\n", strings.Join(task.Checkpoint, " "))
		}
	}
	return b.String()
}

// Equal jobs have equal plans: nothing in one depends on time, order of maps, or
// the machine.
func TestDeterministic(t *testing.T) {
	for _, name := range []string{"fold.yaml", "array.yaml", "matrix.yaml", "mapreduce/wordcount.yaml", "mapreduce/join.yaml"} {
		job, files := parse(t, name)
		first, err := planner.Plan(job, files)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			again, err := planner.Plan(job, files)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(first, again) {
				t.Fatal(cmp.Diff(first, again))
			}
		}
	}
}

func TestReportOfContainerJob(t *testing.T) {
	job, files := parse(t, "array.yaml")
	graph, err := planner.Plan(job, files)
	if err != nil {
		t.Fatal(err)
	}
	list, err := planner.Report(job, graph, files, func(int) []byte { return nil })
	if err != nil || len(list) != 0 {
		t.Errorf("%d files, %v", len(list), err)
	}
}
