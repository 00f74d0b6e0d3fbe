package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/spec"
)

func TestSurvey(t *testing.T) {
	r := newRooted(t)
	r.write(t, map[string]string{
		"in/b.txt": "bb", "in/a.txt": "a", "in/_logs/x": "x", "in/.hidden": "x", "in/_SUCCESS": "", "in/empty": "",
		"logs/1/x.log": "1", "logs/1/y.txt": "1", "logs/2/x.log": "22", "logs/2/sub/deep.log": "3", "logs/_3/x.log": "4", "logs/file": "5",
		"nest/a": "a", "nest/sub/b": "b", "nest/sub/_no/c": "c", "none/": "", "odd/a,b": "1", "odd/a*": "2", "odd/[x]": "3",
	})
	for _, c := range []struct {
		input, want string // want: paths by spaces
		conf        string
	}{
		{input: "in/a.txt", want: "in/a.txt"},
		{input: "in", want: "in/a.txt in/b.txt in/empty"},
		{input: "in/", want: "in/a.txt in/b.txt in/empty"},
		{input: "in/*", want: "in/a.txt in/b.txt in/empty"},
		{input: "in/*.txt", want: "in/a.txt in/b.txt"},
		{input: "in/{b,a}.txt", want: "in/a.txt in/b.txt"},
		{input: "in/{b,nothing}.txt", want: "in/b.txt"},
		{input: "{in/a.txt,logs/file,in/none}", want: "in/a.txt logs/file"},
		{input: "none", want: ""},
		{input: "logs/*/x.log", want: "logs/1/x.log logs/2/x.log logs/_3/x.log"},
		{input: "logs/1", want: "logs/1/x.log logs/1/y.txt"},
		{input: "logs/[12]/*.log", want: "logs/1/x.log logs/2/x.log"},
		{input: "nest", want: "nest/a nest/sub/b", conf: "mapreduce.input.fileinputformat.input.dir.recursive=true"},
		{input: "nest", want: "nest/a nest/sub/b", conf: "mapred.input.dir.recursive=true"},
		{input: "hdfs://nn/in/*.txt", want: "hdfs://nn/in/a.txt hdfs://nn/in/b.txt"},
		{input: "hdfs://nn/logs/1", want: "hdfs://nn/logs/1/x.log hdfs://nn/logs/1/y.txt"},
		{input: "file:" + r.root + "/in/a.txt", want: "file:" + r.root + "/in/a.txt"},
		{input: "in/a.txt|hdfs://nn/in/a.txt|in/a.txt", want: "in/a.txt hdfs://nn/in/a.txt in/a.txt"},
		{input: `odd/a\*|odd/\[x]|odd/a\,b`, want: "odd/a* odd/[x] odd/a,b"},
	} {
		m := spec.MapReduce{Input: strings.Split(c.input, "|")}
		if name, value, ok := strings.Cut(c.conf, "="); ok {
			m.Conf = []spec.Setting{{Name: name, Value: "false"}, {Name: name, Value: value}}
		}
		d := r.open(t, m)
		found, err := d.Survey(context.Background())
		if err != nil {
			t.Errorf("%s: %v", c.input, err)
			continue
		}
		var got []string
		for _, f := range found {
			got = append(got, f.Path)
			p, _ := parse(f.Path, r.root)
			at, _ := p.absolute()
			if p.scheme == "hdfs" {
				at = r.in(at)
			}
			info, err := os.Stat(at)
			if err != nil || f.Size != info.Size() || f.ModTime != info.ModTime().UnixMilli() || f.ID != info.Sys().(*syscall.Stat_t).Ino || f.Block == 0 {
				t.Errorf("%s: %+v %v", c.input, f, err)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.input, got, c.want)
		}
	}
}

func TestSurveyRefuses(t *testing.T) {
	r := newRooted(t)
	r.write(t, map[string]string{"in/a": "a", "nest/sub/b": "b", "_x": "x", "secret/a": "a"})
	if err := syscall.Mkfifo(r.in("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.fail = func(call, path string) error {
		if strings.HasPrefix(path, "/secret") {
			return &fs.PathError{Op: call, Path: path, Err: fs.ErrPermission}
		}
		return nil
	}
	for input, want := range map[string]struct {
		words string
		kind  error
	}{
		"missing":           {"missing: does not exist", fs.ErrNotExist},
		"in/a/b":            {"in/a/b: does not exist", fs.ErrNotExist},
		"hdfs://nn/missing": {"hdfs://nn/missing: does not exist", fs.ErrNotExist},
		"in/*.none":         {"in/*.none: no file matches it", nil},
		"gone/*":            {"gone/*: no file matches it", nil},
		"in/a/*":            {"in/a/*: no file matches it", nil},
		"nest":              {"nest: not a file: ", nil},
		"_x":                {"names that begin with _ or .", nil},
		"pipe":              {"is neither a file nor a folder", nil},
		"hdfs://nn/secret":  {"permission denied", fs.ErrPermission},
		"hdfs://down/x":     {"its file system does not answer", files.ErrUnavailable},
		"s3a://b/x":         {"is not spoken here", ErrPlace},
		"in/[":              {"is not closed", ErrPlace},
	} {
		_, err := r.open(t, spec.MapReduce{Input: []string{"in", input}}).Survey(context.Background())
		if err == nil || !strings.HasPrefix(err.Error(), "job.yaml:3: input: "+input+": ") || !strings.Contains(err.Error(), want.words) || !errors.Is(err, spec.ErrFile) ||
			want.kind != nil && !errors.Is(err, want.kind) {
			t.Errorf("%s: %v", input, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.open(t, spec.MapReduce{Input: []string{"in"}}).Survey(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestSurveyReads: a file that is listed and cannot be read is found out before
// anything is spent, though its folder has others that can.
func TestSurveyReads(t *testing.T) {
	r := newRooted(t)
	r.write(t, map[string]string{"in/a": "a", "in/b": "b", "in/c": "c", "in/secret": "x", "far/a": "a", "far/empty": ""})
	must(t, os.Chmod(r.in("in/secret"), 0o600))
	for name, c := range map[string]struct {
		input, path string
		err         error
		words       string
	}{
		"permission": {"hdfs://nn/in", "/in/secret", fs.ErrPermission, "permission denied"},
		"protection": {"hdfs://nn/far", "/far/a", files.ErrUnsupported, "the DataNodes protect transfers"},
		"no answer":  {"hdfs://nn/far", "/far/a", files.ErrUnavailable, "its file system does not answer"},
	} {
		clear(r.calls)
		r.fail = func(call, path string) error {
			if call == "open" && path == c.path {
				return fmt.Errorf("open %s: the DataNodes protect transfers: %w", path, c.err)
			}
			return nil
		}
		_, err := r.open(t, spec.MapReduce{Input: []string{c.input}}).Survey(context.Background())
		if !errors.Is(err, c.err) || !errors.Is(err, spec.ErrFile) || !strings.HasPrefix(err.Error(), "job.yaml:3: input: "+c.input+": ") || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
		if n := r.calls["open"]; n > 2 {
			t.Errorf("%s: %d files were opened", name, n)
		}
	}
}

// many makes a folder of n files.
func many(t testing.TB, n int) *rooted {
	r := newRooted(t)
	r.write(t, map[string]string{"in/": ""})
	for i := range n {
		if err := os.WriteFile(r.in(fmt.Sprintf("in/file-with-a-name-of-some-length-%06d.txt", i)), []byte("x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestSurveyMakesNoCallAFile: a folder of many files is one listing, and little
// memory.
func TestSurveyMakesNoCallAFile(t *testing.T) {
	const n = 10_000
	r := many(t, n)
	for input, most := range map[string]int{"hdfs://nn/in": 3, "hdfs://nn/in/*": 2} { // one file is opened
		clear(r.calls)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		found, err := r.open(t, spec.MapReduce{Input: []string{input}}).Survey(context.Background())
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil || len(found) != n {
			t.Fatalf("%d files, %v", len(found), err)
		}
		total := 0
		for _, c := range r.calls {
			total += c
		}
		if total > most {
			t.Errorf("%s: calls %v", input, r.calls)
		}
		if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 1000*n {
			t.Errorf("%s: keeps %d bytes a file", input, kept/n)
		}
		runtime.KeepAlive(found)
	}
}

// BenchmarkSurvey lists 10,000 files of the local disk.
func BenchmarkSurvey(b *testing.B) {
	r := many(b, 10_000)
	d := r.open(b, spec.MapReduce{Input: []string{"in"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Survey(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
