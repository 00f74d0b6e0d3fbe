package planner_test

import (
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

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
	root, err := os.OpenRoot(examples)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	job, err := spec.Parse(name, data, root.FS(), sets)
	if err != nil {
		t.Fatal(err)
	}
	return job, root.FS()
}

// The plans of the examples: "plan FILE set=…" prints every task, "mdp TASK" the
// parameter files of one, "inspect FILE" what is said before it runs.
func TestPlans(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
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
		}{{task.Publish, "publish"}, {task.Report, "report"}, {task.BestEffort, "best-effort"}} {
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
		fmt.Fprintf(&b, "  env %s\n", strings.Join(env, " "))
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
		if len(task.Checkpoint) > 0 {
			fmt.Fprintf(&b, "  checkpoint %s\n", strings.Join(task.Checkpoint, " "))
		}
	}
	return b.String()
}

// Equal jobs have equal plans: nothing in one depends on time, order of maps, or
// the machine.
func TestDeterministic(t *testing.T) {
	for _, name := range []string{"fold.yaml", "array.yaml", "matrix.yaml"} {
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
