package planner_test

import (
	"fmt"
	"io/fs"
	"os"
	"sort"
	"strings"
	"testing"

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
	files := os.DirFS(examples)
	job, err := spec.Parse(name, data, files, sets)
	if err != nil {
		t.Fatal(err)
	}
	return job, files
}

func show(t testing.TB, name string, sets ...string) string {
	job, files := parse(t, name, sets...)
	graph, err := planner.Plan(job, files)
	if err != nil {
		return err.Error() + "\n"
	}
	return text(graph)
}

func text(graph plan.Graph) string {
	var b strings.Builder
	for _, task := range graph.Tasks {
		fmt.Fprintf(&b, "%s (%s) %q", task.Name, task.Stage, task.Command)
		for _, word := range []struct {
			is   bool
			name string
		}{{task.Publish, "publish"}, {task.Report, "report"}, {task.BestEffort, "best-effort"}} {
			if word.is {
				fmt.Fprint(&b, " ", word.name)
			}
		}
		fmt.Fprintf(&b, " %gs\n", task.ExpectSeconds)
		names := make([]string, 0, len(task.Env))
		for name := range task.Env {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			fmt.Fprintf(&b, "  %s=%s\n", name, task.Env[name])
		}
		for _, in := range task.Inputs {
			switch {
			case in.Task != "":
				fmt.Fprintf(&b, "  in %q ← %s/%s\n", in.Path, in.Task, in.From)
			case in.File != "":
				fmt.Fprintf(&b, "  in %q ← file %s\n", in.Path, in.File)
			default:
				fmt.Fprintf(&b, "  in %q ← %d bytes\n", in.Path, len(in.Data))
			}
		}
		fmt.Fprintf(&b, "  collect %q checkpoint %q\n", task.Collect, task.Checkpoint)
	}
	return b.String()
}

func TestShow(t *testing.T) {
	t.Log(show(t, "fold.yaml", "gromacs.ensemble=2", "gromacs.length=25ps"))
	for _, name := range []string{"fold.yaml", "fold-long.yaml"} {
		job, files := parse(t, name)
		info, err := planner.Inspect(job, files)
		t.Logf("%+v %v", info, err)
	}
}
