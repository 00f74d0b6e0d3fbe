package container_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/zennet/zennet/jobs/container"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/types"
)

var files = fstest.MapFS{
	"walk.sh":      {Data: []byte("echo $ZENNET_TASK_INDEX"), Mode: 0o644},
	"count.sh":     {Data: []byte("echo $ZENNET_TASK_COUNT"), Mode: 0o644},
	"data/x":       {Data: []byte("1"), Mode: 0o644},
	"frames/0.exr": {Mode: 0o644},
	"frames/1.exr": {Mode: 0o644},
}

func graph(t testing.TB, text string) plan.Graph {
	t.Helper()
	job, err := spec.Parse("job.yaml", []byte("version: 1\nkind: container\n"+text), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := container.Plan(job, files)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	return g
}

func keys(t testing.TB, g plan.Graph) map[string]types.Hash {
	t.Helper()
	list, err := g.Keys("host", func(path string) (types.Hash, error) {
		var all strings.Builder
		err := fs.WalkDir(files, path, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(files, name)
			fmt.Fprintf(&all, "%s %q\n", name, data)
			return err
		})
		return types.HashOf("test", []byte(all.String())), err
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]types.Hash{}
	for i, task := range g.Tasks {
		out[task.Name] = list[i]
	}
	return out
}

func names(g plan.Graph) string {
	var out []string
	for _, task := range g.Tasks {
		out = append(out, task.Name)
	}
	return strings.Join(out, " ")
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"command: x", "0"},
		{"command: x\narray: 3-5", "3 4 5"},
		{"command: x\narray: [9, 4]", "9 4"},
		{"command: x\nmatrix: {temp: [300, 310], seed: [1, 2]}", "temp=300,seed=1 temp=300,seed=2 temp=310,seed=1 temp=310,seed=2"},
		{"command: x\nmatrix: {f: [a/b.txt, 'x y', ü]}", "f=a_b.txt f=x_y f=ü"},
	} {
		if got := names(graph(t, c.text)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.text, got, c.want)
		}
	}
}

// placed is what a task finds, and what it is.
func placed(t plan.Task) (out []string) {
	for _, in := range t.Inputs {
		out = append(out, in.Path+"="+in.File)
	}
	return out
}

func TestTask(t *testing.T) {
	g := graph(t, "command: [a, b]\nmatrix: {n: [0, 1], T: [5]}\ninputs: [data/, 'frames/{n}.exr']\nenv: {A: b}\ncollect: ['out-{n}/*.png']\ncheckpoint: [s]")
	task := g.Tasks[1]
	if got := strings.TrimSpace(fmt.Sprintln(task.Command, placed(task), task.Collect, task.Checkpoint, task.Env, task.Index, task.Number, task.Params)); got !=
		"[a b] [data=data frames/1.exr=frames/1.exr] [out-1/*.png] [s] "+
			"map[A:b ZENNET_PARAM_N:1 ZENNET_PARAM_T:5 ZENNET_PARAM_n:1] 1 1 [{n 1} {T 5}]" {
		t.Errorf("got %s", got)
	}
}

func TestSameName(t *testing.T) {
	job, err := spec.Parse("job.yaml", []byte("version: 1\nkind: container\ncommand: x\nmatrix: {f: [a/b, a b]}"), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = container.Plan(job, files)
	if err == nil || err.Error() != "job.yaml:4: matrix: tasks 0 and 1 would both be named f=a_b" {
		t.Errorf("got %v", err)
	}
}

// A longer array takes finished tasks over, unless its tasks ask how many they are.
func TestTakeOver(t *testing.T) {
	for _, c := range []struct {
		name, before, after, task string
		same                      bool
	}{
		{"longer array", "command: x\narray: 0-9", "command: x\narray: 0-19", "7", true},
		{"other part of an array", "command: x\narray: 0-9", "command: x\narray: [7]", "7", true},
		{"another value", "command: x\narray: 0-9", "command: x\narray: 0-9\nenv: {A: b}", "7", false},
		{"count in the command", "command: x $ZENNET_TASK_COUNT\narray: 0-9", "command: x $ZENNET_TASK_COUNT\narray: 0-19", "7", false},
		{"count in a script", "command: sh count.sh\ninputs: [count.sh]\narray: 0-9", "command: sh count.sh\ninputs: [count.sh]\narray: 0-19", "7", false},
		{"no count in a script", "command: sh walk.sh\ninputs: [walk.sh]\narray: 0-9", "command: sh walk.sh\ninputs: [walk.sh]\narray: 0-19", "7", true},
		{"number", "command: x $ZENNET_TASK_NUMBER\narray: 0-9", "command: x $ZENNET_TASK_NUMBER\narray: [7]", "7", false},
		{"larger matrix", "command: x\nmatrix: {a: [1, 2], b: [1, 2]}", "command: x\nmatrix: {a: [1, 2], b: [0, 1, 2, 3]}", "a=2,b=1", true},
		{"index of a matrix", "command: x $ZENNET_TASK_INDEX\nmatrix: {a: [1, 2], b: [1, 2]}", "command: x $ZENNET_TASK_INDEX\nmatrix: {a: [1, 2], b: [0, 1, 2]}", "a=2,b=1", false},
		{"terms", "command: x\nslots: 1", "command: x\nslots: 9\nbudget: 3 XEN\nretry: {attempts: 9}", "0", true},
		{"what is collected", "command: x\ncollect: [a]", "command: x\ncollect: [b]", "0", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := keys(t, graph(t, c.before)), keys(t, graph(t, c.after))
			if before[c.task].IsZero() || after[c.task].IsZero() {
				t.Fatalf("no task %s", c.task)
			}
			if got := before[c.task] == after[c.task]; got != c.same {
				t.Errorf("taken over: %v, want %v", got, c.same)
			}
		})
	}
}

// Inputs of another file system lie in the scratch folder under their own names. Small
// ones, which may be scripts, are not looked into: they count as reading what a script
// can read.
func TestRemote(t *testing.T) {
	for size, count := range map[int64]string{100: "2", 2 << 20: ""} {
		job, err := spec.Parse("job.yaml", []byte("version: 1\nkind: container\ncommand: x\narray: [4, 7]\ninputs: ['hdfs://nn/in/{index}.txt', hdfs:/lib]\n"), files, nil)
		if err != nil {
			t.Fatal(err)
		}
		var urls []string
		for _, s := range job.Sources() {
			urls = append(urls, s.Key+" "+s.URL)
			job.Remote = append(job.Remote, spec.Remote{URL: s.URL, Files: []spec.RemoteFile{{Name: ".", Found: spec.Found{Size: size}}}})
		}
		if got := strings.Join(urls, ", "); got != "inputs hdfs://nn/in/4.txt, inputs hdfs://nn/in/7.txt, inputs hdfs:/lib" {
			t.Errorf("sources %s", got)
		}
		g, err := container.Plan(job, files)
		if err != nil || g.Check() != nil {
			t.Fatal(err, g.Check())
		}
		if got := fmt.Sprint(placed(g.Tasks[1])); got != "[7.txt=hdfs://nn/in/7.txt lib=hdfs:/lib]" {
			t.Errorf("inputs %s", got)
		}
		if got := g.Tasks[1].Env["ZENNET_TASK_COUNT"]; got != count {
			t.Errorf("%d bytes: the count is %q", size, got)
		}
	}
}

// Tasks of one job never share a key: each array value is a task of its own even
// where its command does not name it.
func TestKeysDiffer(t *testing.T) {
	seen := map[types.Hash]string{}
	for name, key := range keys(t, graph(t, "command: ./reads-its-environment\narray: 0-99")) {
		if other, ok := seen[key]; ok {
			t.Fatalf("%s and %s have one key", other, name)
		}
		seen[key] = name
	}
}

func BenchmarkPlan(b *testing.B) {
	job, err := spec.Parse("job.yaml", []byte("version: 1\nkind: container\ncommand: x\narray: 0-99999\n"), files, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := container.Plan(job, files); err != nil {
			b.Fatal(err)
		}
	}
}
