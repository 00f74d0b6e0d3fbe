package mapreduce

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce"
)

func tarred(t testing.TB, headers []tar.Header, gz bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content = "content of " + h.Name
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(content))
	}
	w.Close()
	if !gz {
		return b.Bytes()
	}
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	g.Write(b.Bytes())
	g.Close()
	return z.Bytes()
}

func zipped(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		h := &zip.FileHeader{Name: name}
		h.SetMode(0o644)
		content := "content of " + name
		if link, target, ok := strings.Cut(name, "->"); ok {
			h.Name, content = link, target
			h.SetMode(0o777 | fs.ModeSymlink)
		}
		if strings.HasSuffix(name, "/") {
			h.SetMode(0o755 | fs.ModeDir)
			content = ""
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(content))
	}
	w.Close()
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755} }
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	good := []tar.Header{{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755}, file("d/a"), file("./b"), link("d/l", "../b"), link("here", "d"),
		{Typeflag: tar.TypeLink, Name: "h", Linkname: "d/a"}, file("b")}
	for name, c := range map[string]struct {
		file string
		data []byte
		want map[string]string
	}{
		"tar":              {"x.tar", tarred(t, good, false), map[string]string{"d/a": "content of d/a", "b": "content of b", "d/l": "content of b", "here/a": "content of d/a", "h": "content of d/a"}},
		"tgz":              {"x.tgz", tarred(t, good, true), map[string]string{"d/a": "content of d/a"}},
		"tar.gz":           {"x.tar.gz", tarred(t, good, true), map[string]string{"d/a": "content of d/a"}},
		"zip":              {"x.zip", zipped(t, "d/", "d/a", "e/f", "l->e/f"), map[string]string{"d/a": "content of d/a", "e/f": "content of e/f", "l": "content of e/f"}},
		"jar":              {"x.JAR", zipped(t, "a"), map[string]string{"a": "content of a"}},
		"dots stay inside": {"x.tar", tarred(t, []tar.Header{file("../../up")}, false), map[string]string{"up": "content of ../../up"}},
		"absolute inside":  {"x.zip", zipped(t, "/etc/x"), map[string]string{"etc/x": "content of /etc/x"}},
		"link up":          {"x.tar", tarred(t, []tar.Header{link("l", "../../x")}, false), nil},
		"absolute link":    {"x.tar", tarred(t, []tar.Header{link("l", "/etc")}, false), nil},
		"zip link up":      {"x.zip", zipped(t, "d/l->../../x"), nil},
		"hard link up":     {"x.tar", tarred(t, []tar.Header{{Typeflag: tar.TypeLink, Name: "h", Linkname: "../../secret"}}, false), nil},
		"device":           {"x.tar", tarred(t, []tar.Header{{Typeflag: tar.TypeChar, Name: "null"}}, false), nil},
		"no tar":           {"x.tar", []byte(strings.Repeat("garbage", 1000)), nil},
		"no gzip":          {"x.tgz", []byte("garbage"), nil},
		"no zip":           {"x.zip", []byte("garbage"), nil},
		"cut":              {"x.tgz", tarred(t, good, true)[:100], nil},
		"no kind":          {"x.rar", []byte("garbage"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "secret"), "secret")
			path := filepath.Join(dir, c.file)
			write(t, path, string(c.data))
			folder := filepath.Join(dir, "a", "b")
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(folder)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			err = unpack(path, root)
			if c.want == nil {
				if err == nil {
					t.Error("unpacked")
				}
				if entries, _ := os.ReadDir(dir); len(entries) != 3 {
					t.Errorf("outside there are now %d files", len(entries))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range c.want {
				data, err := os.ReadFile(filepath.Join(folder, name))
				if diff := cmp.Diff(want, string(data)); err != nil || diff != "" {
					t.Errorf("%s: %v %s", name, err, diff)
				}
			}
		})
	}
	if err := unpack("/nowhere.tar", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// The user's program finds what its archives hold, and its files are executable.
func TestArchive(t *testing.T) {
	j := &job{Options: streamed("sh -c 'cat; ./dir/d/a 2>/dev/null; cat dir/b'", "cat"), inputs: []string{"x\n"}}
	j.change = func(task *mapreduce.Task) { task.Archives = []mapreduce.Archive{{File: "00000.tgz", Folder: "dir"}} }
	data := tarred(t, []tar.Header{{Typeflag: tar.TypeReg, Name: "b", Mode: 0o644}}, true)
	j.place = func(dir string) { write(t, filepath.Join(dir, mapreduce.ArchiveDir, "00000.tgz"), string(data)) }
	parts, err := j.run(t)
	if err != nil || parts[0] != "content of b\t\nx\t\n" {
		t.Errorf("%q, %v", parts, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarred(f, []tar.Header{{Typeflag: tar.TypeReg, Name: "a/../../b"}, {Typeflag: tar.TypeSymlink, Name: "a", Linkname: "b"}, {Typeflag: tar.TypeReg, Name: "a/c"}}, false), false)
	f.Add(zipped(f, "a", "b->a", "b/c"), true)
	f.Fuzz(func(t *testing.T, data []byte, zip bool) {
		dir := t.TempDir()
		path := filepath.Join(dir, map[bool]string{true: "x.zip", false: "x.tar"}[zip])
		write(t, path, string(data))
		write(t, filepath.Join(dir, "in", "x"), "")
		root, err := os.OpenRoot(filepath.Join(dir, "in"))
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		_ = unpack(path, root)
		if entries, _ := os.ReadDir(dir); len(entries) != 2 {
			t.Errorf("outside there are now %d files", len(entries))
		}
	})
}
