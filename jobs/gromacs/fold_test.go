package gromacs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/plan"
)

const examples = "../examples"

// folding is the example's job, small enough for a test and at constant volume,
// where a continued run is bitwise the uninterrupted one.
const folding = `
version: 1
kind: gromacs
name: fold
gromacs:
  structure: chignolin.pdb
  collapse: 400ps
  box: {type: dodecahedron, size: 3.2nm}
  pressure: none
  equilibrate: {nvt: 0.4ps}
  ensemble: 2
  length: 1.1ps
  segment: 0.4ps
  frames: 0.1ps
`

// prepared is a runner that has the prepare task of a graph; others begin with a
// copy of its work, for every plan of the same system shares it.
var prepared struct {
	key  string
	done string
}

func withPrepared(t *testing.T, graph plan.Graph) *runner {
	t.Helper()
	r := newRunner(t, examples)
	keys := keysOf(t, graph, examples)
	if prepared.key != keys["prepare"] {
		if err := r.task(graph.Tasks[0], nil); err != nil {
			t.Fatalf("%v\n%s", err, r.logs["prepare"])
		}
		prepared.key = keys["prepare"]
		prepared.done = filepath.Join(shared, "prepare")
		if err := os.RemoveAll(prepared.done); err != nil {
			t.Fatal(err)
		}
		copyTree(t, filepath.Join(r.done, "prepare"), prepared.done)
		return r
	}
	copyTree(t, prepared.done, filepath.Join(r.done, "prepare"))
	return r
}

// shared outlives a test.
var shared string

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "gromacs-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(shared)
	os.Exit(code)
}

func without(graph plan.Graph, name string) plan.Graph {
	var out plan.Graph
	for _, task := range graph.Tasks {
		if task.Name != name {
			out.Tasks = append(out.Tasks, task)
		}
	}
	return out
}

func read(t testing.TB, elements ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sameRun compares the trajectories and energies of two joined members bytewise.
func sameRun(t *testing.T, a, b string, want bool) {
	t.Helper()
	for _, name := range []string{"md.xtc", "md.edr"} {
		if got := bytes.Equal(read(t, a, name), read(t, b, name)); got != want {
			t.Errorf("%s and %s are equal: %v; want %v", filepath.Join(a, name), filepath.Join(b, name), got, want)
		}
	}
}

func TestFold(t *testing.T) {
	needGromacs(t)
	_, graph := planned(t, examples, folding)
	r := withPrepared(t, graph)
	r.run(without(graph, "prepare"))

	about := string(read(t, r.done, "prepare", "prepare.txt"))
	for _, want := range []string{"molecules_SOL ", "molecules_NA ", "box_nm 3.2"} {
		if !strings.Contains(about, want) {
			t.Errorf("prepare.txt has no %q:\n%s", want, about)
		}
	}
	// Frames and steps as asked: 12 frames every 0.1 ps, the checkpoint at step 550.
	check := strings.ReplaceAll(gmx(t, filepath.Join(r.done, "member-0"), "", "check", "-f", "md.xtc"), "\r", "\n")
	if !strings.Contains(check, "Coords          12    0.1") {
		t.Errorf("gmx check says\n%s", check)
	}
	if dump := gmx(t, filepath.Join(r.done, "member-1"), "", "dump", "-cp", "md.cpt"); !strings.Contains(dump, "\nstep = 550\n") {
		t.Error("the last checkpoint does not stand at step 550")
	}
	sameRun(t, filepath.Join(r.done, "member-0"), filepath.Join(r.done, "member-1"), false)
	for _, item := range []string{"energy", "rmsd", "gyration", "image"} {
		if _, err := os.Stat(filepath.Join(r.done, "report-1", item+".member-1.xvg")); err != nil {
			t.Errorf("report: %v", err)
		}
	}

	t.Run("one segment is the same run", func(t *testing.T) {
		_, whole := planned(t, examples, folding, "gromacs.segment=1.2ps", "gromacs.ensemble=1", "report=[]")
		u := withPrepared(t, whole)
		u.run(without(whole, "prepare"))
		sameRun(t, filepath.Join(r.done, "member-0"), filepath.Join(u.done, "member-0"), true)
	})
	t.Run("a killed segment goes on", func(t *testing.T) {
		_, whole := planned(t, examples, folding, "gromacs.segment=1.2ps", "gromacs.ensemble=1", "report=[]")
		u := withPrepared(t, whole)
		for _, task := range without(whole, "prepare").Tasks {
			var stop interrupt
			if task.Name == "member-0.1" {
				stop = func(_, log string) bool { return strings.Contains(log, "starting mdrun") }
			}
			if err := u.task(task, stop); err != nil {
				t.Fatalf("%v\n%s", err, u.logs[task.Name])
			}
		}
		if log := u.logs["member-0.1"]; !strings.Contains(log, "where a former attempt had come to") {
			t.Errorf("the second attempt did not go on:\n%s", log)
		}
		sameRun(t, filepath.Join(r.done, "member-0"), filepath.Join(u.done, "member-0"), true)
	})
	t.Run("a wrong checkpoint is noticed", func(t *testing.T) {
		for _, task := range graph.Tasks {
			if task.Name != "member-0.2" {
				continue
			}
			// member-1's second segment ends 200 steps later than member-0.2 must begin.
			for i := range task.Inputs {
				if task.Inputs[i].Path == "prev.cpt" {
					task.Inputs[i].Task = "member-1.2"
				}
			}
			err := r.task(task, nil)
			if err == nil || !strings.Contains(r.logs["member-0.2"], "the segment before ended at step 400, not at 200") {
				t.Errorf("got %v\n%s", err, r.logs["member-0.2"])
			}
		}
	})
}

// A preparation that is told to stop goes on with the stages that it had finished.
func TestPrepareGoesOn(t *testing.T) {
	needGromacs(t)
	_, graph := planned(t, examples, folding)
	r := newRunner(t, examples)
	err := r.task(graph.Tasks[0], func(scratch, log string) bool { return strings.Contains(log, "prepare: water and ions") })
	if err != nil {
		t.Fatalf("%v\n%s", err, r.logs["prepare"])
	}
	if n := strings.Count(r.logs["prepare"], "prepare: collapse"); n != 1 {
		t.Errorf("collapse ran %d times\n%s", n, r.logs["prepare"])
	}
}

// What is only known after the collapse ends with the verdict's exit code and the numbers.
func TestBoxTooSmallAtRunTime(t *testing.T) {
	needGromacs(t)
	_, graph := planned(t, examples, folding, "gromacs.collapse=0.2ps", "gromacs.box.size=3nm")
	r := newRunner(t, examples)
	err := r.task(graph.Tasks[0], nil)
	if err == nil || !strings.HasSuffix(err.Error(), "exit 65") || !strings.Contains(r.logs["prepare"], "gromacs.box: 3nm is too small: the solute is") {
		t.Errorf("got %v\n%s", err, r.logs["prepare"])
	}
}
