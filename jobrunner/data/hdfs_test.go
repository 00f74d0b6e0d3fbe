package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/hdfs"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
	"github.com/zennet/zennet/jobs/spec"
)

func TestMain(m *testing.M) { hdfstest.Main(m) }

func onHDFS(t testing.TB, c *hdfstest.Cluster, m spec.MapReduce, o Options) *Data {
	t.Helper()
	m.HDFS = spec.HDFS{Conf: c.Conf, User: cmpOr(m.HDFS.User, c.User)}
	d, err := Open(spec.Job{File: "job.yaml", Kind: spec.KindMapReduce, MapReduce: &m}, t.TempDir(), o)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestHDFS goes the whole way on a real HDFS: files are found and read in parts that
// cross blocks, an output is made while the NameNode restarts, and appears once.
func TestHDFS(t *testing.T) {
	c := hdfstest.Shared(t, hdfstest.Options{})
	ctx := limited(t)
	sys, err := hdfs.Open(hdfs.Config{Conf: c.Conf, User: c.User})
	must(t, err)
	defer sys.Close()
	must(t, sys.MkdirAll(ctx, "/data/in/_temporary"))
	var long strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&long, "line %d\n", i)
	}
	for name, content := range map[string]string{"/data/in/long.txt": long.String(), "/data/in/short.txt": "short", "/data/in/empty.txt": "", "/data/in/_x": "x"} {
		_, err := sys.Put(ctx, name, text(content))
		must(t, err)
	}
	d := onHDFS(t, c, spec.MapReduce{Input: []string{c.URL("/data/in/*.txt"), c.URL("/data/in")}, Output: c.URL("/data/made/out")}, Options{})
	found, err := d.Survey(ctx)
	must(t, err)
	var names []string
	for _, f := range found {
		names = append(names, strings.TrimPrefix(f.Path, c.URL("/data/in/")))
	}
	if got := strings.Join(names, " "); got != "empty.txt long.txt short.txt empty.txt long.txt short.txt" {
		t.Fatalf("found %s", got)
	}
	f := found[1]
	if f.Block != 1<<20 || f.Size != int64(long.Len()) || f.ID == 0 {
		t.Errorf("%+v", f)
	}
	var all strings.Builder
	for at := int64(0); at < f.Size; at += 700_001 {
		all.WriteString(read(t, d, partOf(f, at, min(700_001, f.Size-at))))
	}
	if all.String() != long.String() {
		t.Error("the parts are not the file")
	}

	o := d.Output("job1")
	s, err := o.Begin(ctx)
	must(t, err)
	if s.Path != "/data/.out.zennet-job1" {
		t.Errorf("staging folder %s", s.Path)
	}
	must(t, o.Put(ctx, s, "part-00000", int64(long.Len()), text(long.String())))
	must(t, c.RestartNameNode(0))
	find(t, o, s, Staged)
	must(t, o.Put(ctx, s, "part-00001", 5, text("short")))
	must(t, o.Put(ctx, s, "part-00001", 5, text("again")))
	must(t, o.Put(ctx, s, "lost", 1, text("x")))
	must(t, o.Commit(ctx, s, map[string]int64{"part-00000": int64(long.Len()), "part-00001": 5}))
	find(t, o, s, Committed)
	var out []string
	must(t, sys.List(ctx, "/data/made/out", func(all []files.Info) error {
		for _, one := range all {
			out = append(out, fmt.Sprint(one.Path[len("/data/made/out/"):], one.Size))
		}
		return nil
	}))
	if got := strings.Join(out, " "); got != fmt.Sprintf("_SUCCESS0 part-00000%d part-000015", long.Len()) {
		t.Errorf("output %s", got)
	}
	if _, err := o.Begin(ctx); !errors.Is(err, fs.ErrExist) || !errors.Is(err, spec.ErrFile) {
		t.Errorf("begun over an output: %v", err)
	}

	// A file that was written since the survey is refused by name.
	must(t, sys.Remove(ctx, "/data/in/short.txt"))
	_, err = sys.Put(ctx, "/data/in/short.txt", text("other"))
	must(t, err)
	if _, err := d.Open(ctx, partOf(found[2], 0, 5)); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "short.txt") {
		t.Errorf("changed: %v", err)
	}
}

// TestHDFSRefuses: what is missing, may not be read or written, or does not answer is
// told with the job file's line.
func TestHDFSRefuses(t *testing.T) {
	c := hdfstest.Shared(t, hdfstest.Options{})
	ctx := limited(t)
	sys, err := hdfs.Open(hdfs.Config{Conf: c.Conf, User: c.User})
	must(t, err)
	defer sys.Close()
	must(t, sys.MkdirAll(ctx, "/mine/in"))
	_, err = sys.Put(ctx, "/mine/in/a", text("a"))
	must(t, err)
	stranger := spec.HDFS{User: "stranger"}
	if _, err := onHDFS(t, c, spec.MapReduce{Input: []string{c.URL("/mine/none")}}, Options{}).Survey(ctx); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, spec.ErrFile) {
		t.Errorf("missing: %v", err)
	}
	if _, err := onHDFS(t, c, spec.MapReduce{Output: c.URL("/mine/out"), HDFS: stranger}, Options{}).Output("j").Begin(ctx); !errors.Is(err, fs.ErrPermission) || !errors.Is(err, spec.ErrFile) {
		t.Errorf("a stranger's output: %v", err)
	}
	if _, err := onHDFS(t, c, spec.MapReduce{Output: c.URL("/mine/in/a/out")}, Options{}).Output("j").Begin(ctx); !errors.Is(err, spec.ErrFile) {
		t.Errorf("output below a file: %v", err)
	}
	shipped := func(hdfs spec.HDFS, name string) *Data {
		return onHDFS(t, c, spec.MapReduce{Files: []string{c.URL(name)}, HDFS: hdfs}, Options{})
	}
	if found, err := shipped(spec.HDFS{}, "/mine").Remotes(ctx); err != nil || len(found) != 1 || len(found[0].Files) != 1 || found[0].Files[0].Name != "in/a" {
		t.Errorf("files of a folder: %+v %v", found, err)
	}
	if _, err := c.Java("org.apache.hadoop.fs.FsShell", "-chmod", "600", c.URL("/mine/in/a")); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]error{"/mine/in/a": fs.ErrPermission, "/mine/none": fs.ErrNotExist} {
		if _, err := shipped(stranger, name).Remotes(ctx); !errors.Is(err, kind) || !errors.Is(err, spec.ErrFile) {
			t.Errorf("a stranger's file %s: %v", name, err)
		}
	}
	c.StopNameNode(0)
	defer c.ContinueNameNode(0)
	d := onHDFS(t, c, spec.MapReduce{Input: []string{c.URL("/mine/in")}, Output: c.URL("/mine/out")}, Options{Patience: time.Second})
	if _, err := d.Survey(ctx); !errors.Is(err, files.ErrUnavailable) || !strings.Contains(err.Error(), "does not answer") || !strings.HasPrefix(err.Error(), "job.yaml") {
		t.Errorf("a stopped NameNode: %v", err)
	}
}
