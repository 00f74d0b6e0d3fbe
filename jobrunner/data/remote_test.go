package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/spec"
)

// shipping is data of a job whose tasks start from the given files and archives.
func (r *rooted) shipping(t testing.TB, files, archives []string) *Data {
	t.Helper()
	d := r.open(t, spec.MapReduce{Files: files, Archives: archives})
	d.job.Lines["mapreduce.files"], d.job.Lines["mapreduce.archives"] = "job.yaml:7", "job.yaml:8"
	return d
}

func TestRemotes(t *testing.T) {
	r := newRooted(t)
	r.write(t, map[string]string{"lib/map.py": "print", "lib/a*": "", "words/_hidden": "h", "words/deep/er/z": "zz", "words/a": "a", "words/none/": "", "beside.py": "x"})
	d := r.shipping(t, []string{"hdfs://nn/lib/map.py", "beside.py", "hdfs://nn/words#dict", "file:" + r.in("beside.py"), "hdfs://nn/lib/map.py#again"}, []string{"hdfs://nn/lib/a*"})
	found, err := d.Remotes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range found {
		got = append(got, one.URL)
		for _, f := range one.Files {
			got = append(got, fmt.Sprintf("  %s %d %s", f.Name, f.Size, f.Path))
			info, err := os.Stat(r.in(strings.TrimPrefix(f.Path, "hdfs://nn")))
			if strings.HasPrefix(f.Path, "file:") {
				info, err = os.Stat(strings.TrimPrefix(f.Path, "file:"))
			}
			if err != nil || f.ID != info.Sys().(*syscall.Stat_t).Ino || f.ModTime != info.ModTime().UnixMilli() {
				t.Errorf("%+v: %v", f, err)
			}
			// What was found can be opened as it was found.
			read(t, d, partOf(f.Found, 0, f.Size))
		}
	}
	want := strings.ReplaceAll(`hdfs://nn/lib/map.py
  . 5 hdfs://nn/lib/map.py
hdfs://nn/words
  _hidden 1 hdfs://nn/words/_hidden
  a 1 hdfs://nn/words/a
  deep/er/z 2 hdfs://nn/words/deep/er/z
file:ROOT/beside.py
  . 1 file:ROOT/beside.py
hdfs://nn/lib/a*
  . 0 hdfs://nn/lib/a*`, "ROOT", r.root)
	if strings.Join(got, "\n") != want {
		t.Errorf("found\n%s", strings.Join(got, "\n"))
	}
}

func TestRemotesRefused(t *testing.T) {
	r := newRooted(t)
	r.write(t, map[string]string{"secret": "s", "words/a": "a", "empty/deep/": ""})
	if err := syscall.Mkfifo(r.in("words/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.fail = func(call, path string) error {
		if call == "open" && path == "/secret" {
			return &fs.PathError{Op: call, Path: path, Err: fs.ErrPermission}
		}
		return nil
	}
	for url, want := range map[string]struct {
		words string
		kind  error
	}{
		"hdfs://nn/missing": {"does not exist", fs.ErrNotExist},
		"hdfs://nn/secret":  {"permission denied", fs.ErrPermission},
		"hdfs://nn/words":   {"is neither a file nor a folder", nil},
		"hdfs://nn/empty":   {"empty is a folder without files", nil},
		"hdfs://down/x":     {"its file system does not answer", files.ErrUnavailable},
	} {
		for i, key := range []string{"files", "archives"} {
			lists := [2][]string{}
			lists[i] = []string{url + "#x"}
			_, err := r.shipping(t, lists[0], lists[1]).Remotes(context.Background())
			begin := fmt.Sprintf("job.yaml:%d: mapreduce.%s: %s: ", 7+i, key, url)
			if err == nil || !strings.HasPrefix(err.Error(), begin) || !strings.Contains(err.Error(), want.words) || !errors.Is(err, spec.ErrFile) ||
				want.kind != nil && !errors.Is(err, want.kind) {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
}
