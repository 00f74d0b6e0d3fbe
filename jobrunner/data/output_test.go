package data

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/spec"
)

func text(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// find asks for a staging folder's place.
func find(t testing.TB, o *Output, s Staging, want Place) {
	t.Helper()
	got, err := o.Find(context.Background(), s)
	if err != nil || got != want {
		t.Errorf("place %d, want %d: %v", got, want, err)
	}
}

func TestOutput(t *testing.T) {
	ctx := context.Background()
	for _, output := range []string{"out", "hdfs://nn/out", "deep/er/out", "hdfs://nn/deep/er/out"} {
		r := newRooted(t)
		o := r.open(t, spec.MapReduce{Output: output}).Output("job1")
		_, there, err := o.Exists(ctx)
		if err != nil || there {
			t.Errorf("exists: %v %v", there, err)
		}
		s, err := o.Begin(ctx)
		must(t, err)
		if filepath.Base(s.Path) != ".out.zennet-job1" {
			t.Errorf("staging folder %s", s.Path)
		}
		find(t, o, s, Staged)
		must(t, o.Put(ctx, s, "part-00000", 3, text("one")))
		must(t, o.Put(ctx, s, "part-00000", 3, text("two"))) // nobody vouched for the first
		must(t, o.Put(ctx, s, "_skipped/map-00001", 1, text("x")))
		must(t, o.Put(ctx, s, "left-by-a-loser", 1, text("x")))
		must(t, o.Put(ctx, s, "_skipped/too", 1, text("x")))
		if err := o.Put(ctx, s, "part-00001", 4, text("two")); err == nil {
			t.Error("a file of another size was taken")
		}
		for _, bad := range []string{"", ".", "../x", "/x", "a/../b"} {
			if err := o.Put(ctx, s, bad, 1, text("x")); !errors.Is(err, ErrPlace) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		must(t, o.Put(ctx, s, ".0.1", 4, text("long")))
		for _, from := range []string{".0.1", ".0.2"} {
			if err := o.Settle(ctx, s, from, "part-00001", 5); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s settled as part-00001: %v", from, err)
			}
		}
		for range 2 { // the second time it has happened
			must(t, o.Settle(ctx, s, ".0.1", "deep/part", 4))
		}
		must(t, o.Put(ctx, s, ".0.1", 4, text("last")))
		must(t, o.Settle(ctx, s, ".0.1", "deep/part", 4)) // nobody vouched for the first
		for _, bad := range []string{"", ".", "../x", "/x"} {
			if err := errors.Join(o.Settle(ctx, s, bad, "x", 1), o.Settle(ctx, s, "x", bad, 1)); !errors.Is(err, ErrPlace) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		for _, wrong := range []map[string]int64{{"part-00000": 4}, {"part-00000": 3, "part-00001": 3}} {
			if err := o.Commit(ctx, s, wrong); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v: %v", wrong, err)
			}
		}
		find(t, o, s, Staged)
		must(t, o.Put(ctx, s, "part-00000", 3, text("two"))) // it was removed: nobody called it delivered
		must(t, o.Put(ctx, s, "_skipped/map-00001", 1, text("x")))
		must(t, o.Put(ctx, s, ".0.2", 4, text("last")))
		must(t, o.Settle(ctx, s, ".0.2", "deep/part", 4))
		must(t, o.Commit(ctx, s, map[string]int64{"part-00000": 3, "_skipped/map-00001": 1, "deep/part": 4}))
		find(t, o, s, Committed)
		id, there, err := o.Exists(ctx)
		if err != nil || !there || id != s.ID {
			t.Errorf("exists: %d %v %v, want %d", id, there, err, s.ID)
		}
		got := map[string]string{}
		must(t, filepath.WalkDir(r.root, func(at string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(at)
			got[strings.TrimPrefix(at, r.root+"/")] = string(data)
			return err
		}))
		at := strings.TrimPrefix(output, "hdfs://nn/")
		if len(got) != 4 || got[at+"/part-00000"] != "two" || got[at+"/deep/part"] != "last" || got[at+"/_skipped/map-00001"] != "x" || got[at+"/_SUCCESS"] != "" {
			t.Errorf("%s: %q", output, got)
		}
		if _, err := o.Begin(ctx); !errors.Is(err, fs.ErrExist) || !errors.Is(err, spec.ErrFile) || !strings.HasPrefix(err.Error(), "job.yaml:4: output: "+output+": ") {
			t.Errorf("begun over an output: %v", err)
		}

		// Another folder in its place, even with its number, is not it.
		must(t, os.Remove(r.in(at+"/_SUCCESS")))
		find(t, o, s, Gone)
	}
}

func TestDiscard(t *testing.T) {
	ctx := context.Background()
	r := newRooted(t)
	o := r.open(t, spec.MapReduce{Output: "hdfs://nn/a/b/out"}).Output("job1")
	first, err := o.Begin(ctx)
	must(t, err)
	must(t, o.Put(ctx, first, "part-00000", 1, text("x")))
	s, err := o.Begin(ctx) // what a former process left goes
	must(t, err)
	if all, _ := os.ReadDir(r.in(s.Path)); len(all) != 0 {
		t.Errorf("begun with %v", all)
	}
	must(t, o.Discard(ctx, s))
	find(t, o, s, Gone)
	if all, _ := os.ReadDir(r.root); len(all) != 0 {
		t.Errorf("left %v", all)
	}
	must(t, o.Discard(ctx, s))
}

// TestOutputInTheWay: what somebody makes in the output's place is never touched.
func TestOutputInTheWay(t *testing.T) {
	ctx := context.Background()
	r := newRooted(t)
	o := r.open(t, spec.MapReduce{Output: "hdfs://nn/out"}).Output("job1")
	s, err := o.Begin(ctx)
	must(t, err)
	must(t, o.Put(ctx, s, "part-00000", 1, text("x")))
	must(t, os.Mkdir(r.in("out"), 0o755))
	if err := o.Commit(ctx, s, map[string]int64{"part-00000": 1}); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "somebody else made it") {
		t.Errorf("committed over a folder: %v", err)
	}
	find(t, o, s, Staged)
	if all, _ := os.ReadDir(r.in("out")); len(all) != 0 {
		t.Errorf("the folder has %v", all)
	}
	must(t, os.Remove(r.in("out")))
	must(t, o.Put(ctx, s, "part-00000", 1, text("x")))
	must(t, o.Commit(ctx, s, map[string]int64{"part-00000": 1}))
}

func TestOutputRefused(t *testing.T) {
	ctx := context.Background()
	r := newRooted(t)
	r.write(t, map[string]string{"file": "x", "locked/": ""})
	r.fail = func(call, path string) error {
		if strings.HasPrefix(path, "/locked/") && call == "mkdir" {
			return &fs.PathError{Op: call, Path: path, Err: fs.ErrPermission}
		}
		return nil
	}
	for output, words := range map[string]string{
		"hdfs://nn/file":       "already",
		"file/out":             "file is not a folder",
		"hdfs://nn/locked/out": "permission denied",
		"hdfs://down/out":      "does not answer",
		"hdfs://nn/":           "root folder",
		"s3a://b/out":          "is not spoken here",
	} {
		_, err := r.open(t, spec.MapReduce{Output: output}).Output("job1").Begin(ctx)
		if err == nil || !errors.Is(err, spec.ErrFile) || !strings.HasPrefix(err.Error(), "job.yaml:4: output: "+output+": ") || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", output, err)
		}
	}
}

func TestPrepare(t *testing.T) {
	ctx := context.Background()
	r := newRooted(t)
	r.write(t, map[string]string{"in/a": "a", "out/x": "x"})
	job := spec.Job{File: "job.yaml", Kind: spec.KindMapReduce, MapReduce: &spec.MapReduce{Input: []string{"in"}, Output: "out"}}
	done, id, there, err := Prepare(ctx, job, r.root, Options{})
	if err != nil || !there || id == 0 || len(done.MapReduce.Found) != 1 || len(job.MapReduce.Found) != 0 {
		t.Errorf("%+v %d %v %v", done.MapReduce, id, there, err)
	}
	if err := Occupied(done); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "job.yaml:1: output: out: ") && !strings.Contains(err.Error(), "output: out: ") {
		t.Errorf("%v", err)
	}
	if _, _, there, err := Prepare(ctx, spec.Job{Kind: spec.KindContainer}, r.root, Options{}); err != nil || there {
		t.Errorf("a job without data: %v", err)
	}
}
