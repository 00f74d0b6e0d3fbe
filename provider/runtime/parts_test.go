package runtime

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVersionLine(t *testing.T) {
	for name, c := range map[string]struct{ said, want string }{
		"python":  {"Python 3.11.2\n", "Python 3.11.2"},
		"gromacs": {"GROMACS version:    2022.5-Debian_2022.5_2\nPrecision: mixed 1.0\n", "GROMACS version: 2022.5-Debian_2022.5_2"},
		"stderr":  {"\n  :-) tool, 1.2 (-:\n", ":-) tool, 1.2 (-:"},
		"later":   {"usage 1.5\nthis is Version 2\n", "this is Version 2"},
		"nothing": {"usage: tool FILE\n", ""},
		"bytes":   {"\xff 1.2 \xff\n", "? 1.2 ?"},
		"long":    {string(bytes.Repeat([]byte("1.2"), 100)), string(bytes.Repeat([]byte("1.2"), 100)[:200])},
	} {
		t.Run(name, func(t *testing.T) {
			if got := versionLine([]byte(c.said)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestUsers: the lowest free user is taken; a bundle that is gone gives its up.
func TestUsers(t *testing.T) {
	dir, bundles := filepath.Join(t.TempDir(), "uid"), t.TempDir()
	bundle := func(i int) string {
		path := filepath.Join(bundles, fmt.Sprint(i))
		os.Mkdir(path, 0o700)
		return path
	}
	claim := func(i int) uint32 {
		t.Helper()
		uid, err := claimUID(dir, bundle(i))
		if err != nil {
			t.Fatal(err)
		}
		return uid - firstUID
	}
	got := []uint32{claim(0), claim(1), claim(2)}
	if err := releaseUID(dir, bundle(1)); err != nil {
		t.Fatal(err)
	}
	got = append(got, claim(3))
	os.Remove(bundle(0))
	got = append(got, claim(4), claim(5))
	if diff := cmp.Diff([]uint32{0, 1, 2, 1, 0, 3}, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeyed(t *testing.T) {
	var k keyed
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var order []int
	unlock, err := k.lock(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := k.lock(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	done := make(chan struct{})
	go func() {
		defer close(done)
		again, err := k.lock(ctx, "a")
		if err == nil {
			order = append(order, 2)
			again()
		}
	}()
	order = append(order, 1)
	unlock()
	<-done
	if !slices.Equal(order, []int{1, 2}) || len(k.held) != 0 {
		t.Errorf("order %v, held %v", order, k.held)
	}
	unlock, _ = k.lock(ctx, "a")
	defer unlock()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := k.lock(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// entry is one entry of a tar.
type entry struct {
	name, link, data string
	kind             byte
	mode             int64
}

func archive(t testing.TB, zip bool, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		head := &tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.data))}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !zip {
		return buf.Bytes()
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(buf.Bytes())
	z.Close()
	return packed.Bytes()
}

// goodArchive is what every bad one differs from in one entry.
var goodArchive = []entry{
	{name: "./", kind: tar.TypeDir, mode: 0o755},
	{name: "./bin/", kind: tar.TypeDir, mode: 0o755},
	{name: "/bin/tool", kind: tar.TypeReg, mode: 0o4755, data: "tool"},
	{name: "lib", kind: tar.TypeSymlink, link: "bin", mode: 0o777},
	{name: "lib/more", kind: tar.TypeReg, mode: 0o600, data: "more"},
	{name: "hard", kind: tar.TypeLink, link: "./bin/tool"},
	{name: "null", kind: tar.TypeChar, mode: 0o666},
	{name: "pipe", kind: tar.TypeFifo, mode: 0o666},
	{name: "bin/tool", kind: tar.TypeReg, mode: 0o755, data: "newer"},
}

func TestUntar(t *testing.T) {
	for _, zip := range []bool{false, true} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := untar(root, bytes.NewReader(archive(t, zip, goodArchive...)), 100, 1000); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			data, _ := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			got[name] = fmt.Sprintf("%v %s", info.Mode(), data)
			return err
		})
		delete(got, ".")
		want := map[string]string{"bin": "drwxr-xr-x ", "bin/tool": "-rwxr-xr-x newer", "bin/more": "-rw------- more",
			"lib": "Lrwxrwxrwx ", "hard": "-rwxr-xr-x tool"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	for name, bad := range map[string]entry{
		"dots":              {name: "../x", kind: tar.TypeReg},
		"dots inside":       {name: "bin/../../x", kind: tar.TypeReg},
		"through a link":    {name: "out/x", kind: tar.TypeReg},
		"hard link out":     {name: "x", kind: tar.TypeLink, link: "../../etc/passwd"},
		"hard link to none": {name: "x", kind: tar.TypeLink, link: "none"},
		"folder in a file":  {name: "hard/x", kind: tar.TypeReg},
		"too much":          {name: "x", kind: tar.TypeReg, data: string(make([]byte, 1000))},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := os.OpenRoot(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			entries := append(slices.Clone(goodArchive), entry{name: "out", kind: tar.TypeSymlink, link: "/tmp"}, bad)
			if err := untar(root, bytes.NewReader(archive(t, false, entries...)), 100, 1000); !errors.Is(err, ErrImage) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := untar(root, bytes.NewReader(archive(t, false, goodArchive...)), 3, 1000); !errors.Is(err, ErrImage) {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzUntar(f *testing.F) {
	f.Add(archive(f, false, goodArchive...))
	f.Add(archive(f, true, goodArchive...))
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := untar(root, bytes.NewReader(data), 50, 1<<20); err != nil && !errors.Is(err, ErrImage) {
			t.Errorf("error of another kind: %v", err)
		}
		if entries, _ := os.ReadDir(outer); len(entries) != 1 {
			t.Errorf("written outside: %v", entries)
		}
	})
}

// What is read of an image is counted, once for its hash and once more to unpack it;
// one that is there already is not read again.
func TestUnpacked(t *testing.T) {
	dir := t.TempDir()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	content := bytes.Repeat([]byte("x"), 100_000)
	if err := w.WriteHeader(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	w.Write(content)
	w.Close()
	path := filepath.Join(dir, "image.tar")
	size := uint64(archive.Len())
	if err := errors.Join(os.WriteFile(path, archive.Bytes(), 0o600), os.Mkdir(filepath.Join(dir, "images"), 0o700)); err != nil {
		t.Fatal(err)
	}
	r := &Runc{cfg: Config{Dir: dir}, archives: map[archiveID]string{}}
	for range 2 {
		folder, err := r.unpacked(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "f")); err != nil || !bytes.Equal(got, content) {
			t.Errorf("unpacked %d bytes: %v", len(got), err)
		}
		if n := r.Unpacked(); n < size+uint64(len(content)) || n > 2*size {
			t.Errorf("%d bytes were read of %d", n, size)
		}
	}
}

// TestSeccomp: no call is allowed and refused at once, none is listed twice.
func TestSeccomp(t *testing.T) {
	seen := map[string]string{}
	for list, names := range map[string][]string{"allowed": allowed, "refused": refused} {
		for _, name := range names {
			if seen[name] != "" {
				t.Errorf("%s is %s and %s", name, seen[name], list)
			}
			seen[name] = list
		}
	}
	for _, name := range []string{"clone", "clone3", "socket", "personality", "mknod", "mknodat"} {
		if seen[name] != "" {
			t.Errorf("%s has rules of its own, and is %s", name, seen[name])
		}
	}
}
