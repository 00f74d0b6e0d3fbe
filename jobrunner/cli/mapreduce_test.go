package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/jobrunner/journal"
)

// TestMapReduceFiles: what a job of kind mapreduce names is looked for before
// anything is started; an output that is there is refused unless a job of this home
// made it.
func TestMapReduceFiles(t *testing.T) {
	t.Setenv("ZENNET_HOME", t.TempDir())
	dir := t.TempDir()
	write := func(name, text string) string {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return at
	}
	write("in/a.txt", strings.Repeat("some words\n", 100))
	write("in/b.txt", "others\n")
	job := write("count.yaml", `version: 1
kind: mapreduce
name: count
input: ["in/*.txt"]
output: made/out
mapreduce:
  mapper: builtin:wordcount
  reducer: builtin:sum
  reducers: 3
`)
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := Run(t.Context(), args, nil, &out, &errs)
		return code, out.String(), errs.String()
	}
	code, out, errs := run("plan", job, "--json")
	var view planView
	if err := json.Unmarshal([]byte(out), &view); code != 0 || err != nil {
		t.Fatalf("plan: %d %v %s", code, err, errs)
	}
	if view.Input == nil || *view.Input != (planInput{Files: 2, Bytes: 1107, Maps: 3, Reducers: 3}) || view.Output != "made/out" {
		t.Errorf("plan: input %+v, output %q", view.Input, view.Output)
	}
	for _, command := range []string{"validate", "plan", "submit"} {
		code, out, errs := run(command, job, "--set", "input=[in/*.csv]")
		if code != 2 || out != "" || !strings.Contains(errs, "--set input=[in/*.csv]: input: in/*.csv: no file matches it") {
			t.Errorf("%s without input: %d %q %q", command, code, out, errs)
		}
	}
	write("made/out/precious", "x")
	for _, command := range []string{"validate", "plan", "submit"} {
		code, out, errs := run(command, job)
		if code != 2 || out != "" || !strings.Contains(errs, "count.yaml:5: output: made/out: exists already") {
			t.Errorf("%s over an output: %d %q %q", command, code, out, errs)
		}
	}

	// One that a job of this home made may be this job's own.
	h, err := home.Default()
	if err == nil {
		err = h.Make()
	}
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(h.Journal())
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "made/out")
	info, err := os.Stat(at)
	if err != nil {
		t.Fatal(err)
	}
	o := journal.Output{Job: "x", URL: at, Folder: info.Sys().(*syscall.Stat_t).Ino}
	for i, step := range []func() error{
		func() error { return j.StartJob(journal.Job{ID: "x", State: journal.JobDone}, nil) },
		func() error { return j.BeginOutput(o) }, // and then its host may have died behind the rename
		func() error { return j.MakeOutput("x") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		want := 0
		if i == 0 {
			want = 2
		}
		if code, _, errs := run("validate", job); code != want {
			t.Errorf("over its own output, step %d: %d %s", i, code, errs)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
