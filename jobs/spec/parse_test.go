package spec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/jobs/spec"
)

// folder is what stands beside every job file of the transcripts.
func folder() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
	}
	return fstest.MapFS{
		"chignolin.pdb":   file("ATOM"),
		"map.py":          file("import sys"),
		"lib.tar.gz":      file(""),
		"conf.gro":        file(""),
		"topol.top":       file(""),
		"run.mdp":         file(""),
		"a.tpr":           file(""),
		"b.tpr":           file(""),
		"scene/a.txt":     file(""),
		"scene/sub/b.txt": file(""),
		"frames/0.exr":    file(""),
		"frames/1.exr":    file(""),
		"frames/2.exr":    file(""),
		"bad/out":         link("../../etc"),
		"bad/abs":         link("/etc/passwd"),
		"ok/link":         link("../scene"),
		"leaves":          link(".."),
		"within":          link("scene/sub"),
		"special/socket":  {Mode: fs.ModeSocket},
		"results/old.txt": file(""),
		"loop":            link("loop"),
	}
}

// Transcripts: "parse" reads its input as fold.yaml; each set= is a --set flag.
// The answer is the job as JSON, or the problems.
func TestParse(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var sets []string
			for _, arg := range d.CmdArgs {
				sets = append(sets, strings.Join(arg.Vals, ","))
			}
			input := d.Input
			switch d.Cmd {
			case "parse":
			case "container": // the keys that every container job needs, then the input
				input = "version: 1\nkind: container\ncommand: \"true\"\n" + d.Input
			case "gromacs":
				input = "version: 1\nkind: gromacs\ngromacs:"
				for _, line := range strings.Split(d.Input, "\n") {
					if line = strings.TrimSpace(line); !strings.HasPrefix(line, "report:") {
						line = "  " + line
					}
					input += "\n" + line
				}
			case "mapreduce": // the keys that every mapreduce job needs; lines that are indented stand in the section
				input = "version: 1\nkind: mapreduce\ninput: hdfs://nn:8020/in\noutput: hdfs://nn:8020/out\n" + d.Input
			default:
				t.Fatalf("unknown command %s", d.Cmd)
			}
			job, err := spec.Parse("fold.yaml", []byte(input), folder(), sets)
			if err != nil {
				return err.Error() + "\n"
			}
			job.Lines = nil
			text, err := json.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			return strings.ReplaceAll(string(text), ",\"", ",\n  \"") + "\n"
		})
	})
}

// What a script may rely on: the kind of every problem.
func TestKinds(t *testing.T) {
	const base = "version: 1\nkind: container\ncommand: \"true\"\n"
	for _, c := range []struct {
		name, text string
		kind       spec.ErrorKind
	}{
		{"no YAML", "a: [", spec.ErrSyntax},
		{"alias", base + "env: &a {A: 1}\n", spec.ErrSyntax},
		{"unknown key", base + "slot: 2\n", spec.ErrKey},
		{"bad unit", base + "budget: 2 EUR\n", spec.ErrValue},
		{"missing file", base + "inputs: [nothing]\n", spec.ErrFile},
		{"outside", base + "inputs: [../x]\n", spec.ErrFile},
		{"later", base + "pool: nomad\n", spec.ErrNotBuilt},
		{"later kind", "version: 1\nkind: mpi\n", spec.ErrNotBuilt},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := spec.Parse("job.yaml", []byte(c.text), folder(), nil)
			if !errors.Is(err, c.kind) {
				t.Errorf("got %v, want %v", err, c.kind)
			}
			var problem spec.Problem
			if !errors.As(err, &problem) || !strings.HasPrefix(problem.Where, "job.yaml") {
				t.Errorf("no problem with a place: %v", err)
			}
		})
	}
}

// At most MaxErrors problems are told, the rest counted.
func TestManyProblems(t *testing.T) {
	var text strings.Builder
	text.WriteString("version: 1\nkind: container\ncommand: \"true\"\n")
	for i := range 500 {
		fmt.Fprintf(&text, "unknown%d: 1\n", i)
	}
	_, err := spec.Parse("job.yaml", []byte(text.String()), folder(), nil)
	var all spec.Problems
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	if len(all.List) != spec.MaxErrors || all.More != 500-spec.MaxErrors {
		t.Errorf("%d problems and %d more", len(all.List), all.More)
	}
	if all.List[0].Where != "job.yaml:4" {
		t.Errorf("the first is at %s", all.List[0].Where)
	}
}

// The bounds hold before anything large is made.
func TestBounds(t *testing.T) {
	const base = "version: 1\nkind: container\ncommand: \"true\"\n"
	for name, text := range map[string]string{
		"a huge file":        base + strings.Repeat("# filling\n", spec.MaxFile/10+1),
		"an absurd array":    base + "array: 0-9223372036854775807\n",
		"too large an array": base + fmt.Sprintf("array: 0-%d\n", spec.MaxTasks),
		"a huge matrix":      base + "matrix: {a: [" + strings.Repeat("1,", 999) + "1]}\n" + "retry: {attempts: 0}\n",
		"deep nesting":       base + "env: " + strings.Repeat("[", 50_000) + "\n",
		"deep block nesting": base + deepBlock(2000),
		"deep set":           base + "\nslots: 0\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := spec.Parse("job.yaml", []byte(text), folder(), nil); err == nil {
				t.Error("accepted")
			}
		})
	}
	axes := "matrix: {a: [0-9], b: [1], c: [2]}"
	if _, err := spec.Parse("job.yaml", []byte(base+axes), folder(), nil); err != nil {
		t.Error(err)
	}
	values := make([]string, 400)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	list := strings.Join(values, ",")
	_, err := spec.Parse("job.yaml", []byte(base+"matrix: {a: ["+list+"], b: ["+list+"]}"), folder(), nil)
	if err == nil || !strings.Contains(err.Error(), "more than 100000 tasks") {
		t.Errorf("got %v", err)
	}
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// Real links of a real folder: what leaves it is refused through os.Root too.
func TestRealLinks(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "job")
	for _, name := range []string{"job/data", "secret"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"job/out": "../secret", "job/data/up": "../../secret", "job/in": "data2"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(inner, "data2"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inner)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, files := range map[string]fs.FS{"os.Root": root.FS(), "os.DirFS": os.DirFS(inner)} {
		for _, c := range []struct {
			line string
			want string
		}{
			{"inputs: [out]", "job.yaml:4: inputs: out is, or goes through, a symbolic link that leaves the job file's folder"},
			{"inputs: [data]", "job.yaml:4: inputs: data/up is a symbolic link that leaves the job file's folder"},
			{"outputs: out/x", "job.yaml:4: outputs: out/x is, or goes through, a symbolic link that leaves the job file's folder"},
			{"inputs: [in]", ""},
		} {
			_, err := spec.Parse("job.yaml", []byte("version: 1\nkind: container\ncommand: \"true\"\n"+c.line), files, nil)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%s: %s: got %q", name, c.line, got)
			}
		}
	}
}

// A job goes to the daemon as JSON and comes out the same.
func TestJSON(t *testing.T) {
	text := "version: 1\nkind: container\ncommand: [a, b]\nmatrix: {t: [1, 2]}\nproviders: {maxRate: 0.1 XEN/h}\nenv: {A: b}\n"
	job, err := spec.Parse("job.yaml", []byte(text), folder(), []string{"slots=7"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var again spec.Job
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(job, again); diff != "" {
		t.Error(diff)
	}
	if got := again.At("slots"); got != "--set slots=7" {
		t.Errorf("slots is at %s", got)
	}
	if got := again.At("matrix.t"); got != "job.yaml:4" {
		t.Errorf("matrix.t is at %s", got)
	}
	if got := again.At("gromacs.box.size"); got != "job.yaml" {
		t.Errorf("a key that is not there is at %s", got)
	}
}

func TestSimTime(t *testing.T) {
	for text, want := range map[string]spec.SimTime{"0.5ps": 500, "5 ns": 5e6, "1ms": 1e12, "2.5us": 2.5e9, "3µs": 3e9, "7fs": 7, "0.0005ns": 500} {
		got, problem := spec.ParseSimTime(text)
		if problem != "" || got != want {
			t.Errorf("%s: %d, %s", text, got, problem)
		}
		again, _ := spec.ParseSimTime(got.String())
		if again != got {
			t.Errorf("%s prints as %s", text, got)
		}
	}
	for _, text := range []string{"", "5", "ps", "0.5fs", "-1ps", "1e3ps", "1.ps", ".5ps", "99999999999999999999ns", "5 m", "NaNps"} {
		if got, problem := spec.ParseSimTime(text); problem == "" {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// No text makes the parser panic, hang or grow; what it accepts is within bounds
// and can be sent on.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"fold.yaml", "array.yaml", "matrix.yaml"} {
		data, err := os.ReadFile("../examples/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "slots=2")
	}
	f.Add([]byte("version: 1\nkind: container\ncommand: x\nenv: {<<: *a}"), "a.b=[1,{c: d}]")
	f.Add([]byte("version: 1\nkind: mapreduce\ninput: ['hdfs://nn/{a,b}/*,scene', 'file:/x']\noutput: out\nmapreduce:\n  mapper: python3 map.py\n"+
		"  files: ['map.py#m', scene]\n  archives: lib.tar.gz#lib\n  reducers: 3\n  split: 64M\n  conf: {mapreduce.job.maps: 7}\n  env: {A: b}\n"+
		"  hdfs: {user: u, conf: /etc/hadoop, principal: p, keytab: k}"), "mapreduce.conf.a.b=c")
	f.Add([]byte("a: &a [*a]"), "=")
	f.Add([]byte("? [a]\n: b\n"), "env.A=1")
	files := folder()
	f.Fuzz(func(t *testing.T, data []byte, set string) {
		job, err := spec.Parse("f.yaml", data, files, []string{set})
		if err != nil {
			var all spec.Problems
			if !errors.As(err, &all) || len(all.List) == 0 || len(all.List) > spec.MaxErrors {
				t.Fatalf("not a list of problems: %v", err)
			}
			return
		}
		if job.Container != nil && job.Container.Tasks() > spec.MaxTasks {
			t.Fatalf("%d tasks", job.Container.Tasks())
		}
		sections := map[string]bool{spec.KindContainer: job.Container != nil, spec.KindGromacs: job.Gromacs != nil, spec.KindMapReduce: job.MapReduce != nil}
		for kind, there := range sections {
			if there != (kind == job.Kind) {
				t.Fatalf("kind %s with section %s: %v", job.Kind, kind, there)
			}
		}
		if m := job.MapReduce; m != nil && (len(m.Input) == 0 || m.Output == "" || m.Reducers < spec.NotGiven || m.Reducers > spec.MaxReducers) {
			t.Fatalf("not complete: %+v", m)
		}
		if job.Slots < 1 || job.Budget == 0 {
			t.Fatalf("not complete: %+v", job)
		}
		if _, err := json.Marshal(job); err != nil {
			t.Fatal(err)
		}
	})
}

// Many inputs of many tasks are refused before they are looked for.
func TestTotal(t *testing.T) {
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("\"{index}/%d\"", i)
	}
	text := "version: 1\nkind: container\ncommand: \"true\"\narray: 0-99999\ninputs: [" + strings.Join(names, ",") + "]\n"
	_, err := spec.Parse("job.yaml", []byte(text), folder(), nil)
	if err == nil || err.Error() != "job.yaml:5: inputs: 5000 entries for each of 100000 tasks are more than 1000000 in all" {
		t.Errorf("got %v", err)
	}
}
