// Package filestest is the suite that every files.System passes: the same calls
// mean the same, whatever is below.
//
// Start at Run.
package filestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
)

// Run runs the suite in root, an empty folder that may be written.
func Run(t *testing.T, s files.System, root string) {
	for name, test := range map[string]func(*testing.T, files.System, string){
		"PutStatOpen": putStatOpen, "Offsets": offsets, "Missing": missing, "Existing": existing,
		"Folders": folders, "List": list, "Rename": rename, "Remove": remove, "FailedSource": failedSource,
		"Cancelled": cancelled, "Names": names, "Paths": paths,
	} {
		t.Run(name, func(t *testing.T) {
			folder := path.Join(root, strings.ToLower(name))
			Must(t, s.Mkdir(Context(t), folder))
			test(t, s, folder)
		})
	}
}

// Context ends with the test, and after five minutes at the latest: a bare
// machine under load is slow.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Must fails the test at an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Bytes is a Source of data.
func Bytes(data []byte) files.Source {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// Random is n bytes that follow from seed.
func Random(n int, seed byte) []byte {
	out := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(out)
	return out
}

// Put puts data and fails the test where that does not work.
func Put(t testing.TB, s files.System, p string, data []byte) files.Info {
	t.Helper()
	info, err := s.Put(Context(t), p, Bytes(data))
	Must(t, err)
	return info
}

// Read reads a whole file from offset on.
func Read(t testing.TB, s files.System, p string, offset int64) []byte {
	t.Helper()
	r, err := s.Open(Context(t), p, offset)
	Must(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	Must(t, err)
	return data
}

// Names lists a folder.
func Names(t testing.TB, s files.System, folder string) []string {
	t.Helper()
	var out []string
	Must(t, s.List(Context(t), folder, func(batch []files.Info) error {
		for _, info := range batch {
			out = append(out, path.Base(info.Path))
		}
		return nil
	}))
	return out
}

func want(t testing.TB, err, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%q does not say %q", err, w)
		}
	}
}

func putStatOpen(t *testing.T, s files.System, root string) {
	for _, n := range []int{0, 1, 511, 512, 513, 65536, 3<<20 + 7} {
		p, data := path.Join(root, fmt.Sprint(n)), Random(n, 1)
		before := time.Now().Add(-time.Hour).UnixMilli()
		info := Put(t, s, p, data)
		if info.Path != p || info.Size != int64(n) || info.Folder || info.Block <= 0 || info.ID == 0 || info.ModTime < before {
			t.Errorf("put %d bytes: %+v", n, info)
		}
		again, err := s.Stat(Context(t), p)
		Must(t, err)
		if again != info {
			t.Errorf("stat says %+v, put %+v", again, info)
		}
		if got := Read(t, s, p, 0); !bytes.Equal(got, data) {
			t.Errorf("%d bytes read, not the %d written", len(got), n)
		}
	}
}

func offsets(t *testing.T, s files.System, root string) {
	p, data := path.Join(root, "f"), Random(300_000, 2)
	Put(t, s, p, data)
	for _, at := range []int64{0, 1, 510, 511, 512, 513, 1024, 65_535, 65_536, 200_001, 299_999, 300_000} {
		if got := Read(t, s, p, at); !bytes.Equal(got, data[at:]) {
			t.Errorf("from %d: %d bytes, want %d", at, len(got), len(data)-int(at))
		}
	}
	for _, at := range []int64{-1, 300_001} {
		_, err := s.Open(Context(t), p, at)
		want(t, err, fs.ErrInvalid, p)
	}
	// Two readers of one file do not disturb each other.
	a, err := s.Open(Context(t), p, 0)
	Must(t, err)
	defer a.Close()
	b, err := s.Open(Context(t), p, 100_000)
	Must(t, err)
	defer b.Close()
	buf := make([]byte, 1000)
	for i := range 50 {
		for _, r := range []struct {
			io.Reader
			at int
		}{{a, 0}, {b, 100_000}} {
			_, err := io.ReadFull(r, buf)
			Must(t, err)
			if at := r.at + i*1000; !bytes.Equal(buf, data[at:at+1000]) {
				t.Fatalf("wrong bytes at %d", at)
			}
		}
	}
}

func missing(t *testing.T, s files.System, root string) {
	p := path.Join(root, "nothing")
	_, err := s.Stat(Context(t), p)
	want(t, err, fs.ErrNotExist, p)
	_, err = s.Open(Context(t), p, 0)
	want(t, err, fs.ErrNotExist, p)
	want(t, s.List(Context(t), p, func([]files.Info) error { return nil }), fs.ErrNotExist, p)
	want(t, s.Rename(Context(t), p, path.Join(root, "b")), fs.ErrNotExist, p)
	want(t, s.Mkdir(Context(t), path.Join(p, "b")), fs.ErrNotExist)
	_, err = s.Put(Context(t), path.Join(p, "b"), Bytes(nil))
	want(t, err, fs.ErrNotExist)
	Must(t, s.Remove(Context(t), p))
	if _, err = s.Stat(Context(t), p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what failed made a folder: %v", err)
	}
}

func existing(t *testing.T, s files.System, root string) {
	p := path.Join(root, "f")
	first := Put(t, s, p, []byte("first"))
	called := false
	_, err := s.Put(Context(t), p, func() (io.ReadCloser, error) {
		called = true
		return nil, errors.New("opened the source")
	})
	want(t, err, fs.ErrExist, p)
	if called {
		t.Error("read the source of a file that cannot be put")
	}
	want(t, s.Mkdir(Context(t), p), fs.ErrExist, p)
	if err := s.MkdirAll(Context(t), p); err == nil {
		t.Error("made a folder where a file is")
	}
	if err := s.List(Context(t), p, func([]files.Info) error { return nil }); err == nil {
		t.Error("listed a file")
	}
	if got := string(Read(t, s, p, 0)); got != "first" {
		t.Errorf("now it says %q", got)
	}
	if info, err := s.Stat(Context(t), p); err != nil || info != first {
		t.Errorf("was %+v, is %+v, %v", first, info, err)
	}
	if got := Names(t, s, root); !slices.Equal(got, []string{"f"}) {
		t.Errorf("left behind: %q", got)
	}
}

func folders(t *testing.T, s files.System, root string) {
	p := path.Join(root, "a/b/c")
	Must(t, s.MkdirAll(Context(t), p))
	Must(t, s.MkdirAll(Context(t), p))
	want(t, s.Mkdir(Context(t), p), fs.ErrExist, p)
	info, err := s.Stat(Context(t), p)
	Must(t, err)
	if !info.Folder || info.Size != 0 || info.ID == 0 {
		t.Errorf("%+v", info)
	}
	_, err = s.Open(Context(t), p, 0)
	want(t, err, files.ErrFolder, p)
	if got := Names(t, s, p); len(got) != 0 {
		t.Errorf("an empty folder holds %q", got)
	}
}

func list(t *testing.T, s files.System, root string) {
	const n = 30
	var all []string
	for i := range n {
		name := fmt.Sprintf("f%02d", (i*7)%n)
		Put(t, s, path.Join(root, name), make([]byte, i))
		all = append(all, name)
	}
	Must(t, s.Mkdir(Context(t), path.Join(root, "_folder")))
	all = append(all, "_folder")
	slices.Sort(all)
	if got := Names(t, s, root); !slices.Equal(got, all) {
		t.Errorf("got %q, want %q", got, all)
	}
	Must(t, s.List(Context(t), root, func(batch []files.Info) error {
		for _, info := range batch {
			one, err := s.Stat(Context(t), info.Path)
			if err != nil || one != info {
				t.Errorf("listed %+v, is %+v, %v", info, one, err)
			}
		}
		return nil
	}))
	stop := errors.New("enough")
	if err := s.List(Context(t), root, func([]files.Info) error { return stop }); err != stop {
		t.Errorf("got %v, want what each said", err)
	}
}

func rename(t *testing.T, s files.System, root string) {
	at := func(name string) string { return path.Join(root, name) }
	info := Put(t, s, at("a"), []byte("a"))
	Put(t, s, at("b"), []byte("b"))
	want(t, s.Rename(Context(t), at("a"), at("b")), fs.ErrExist, at("b"))
	Must(t, s.MkdirAll(Context(t), at("empty")))
	want(t, s.Rename(Context(t), at("a"), at("empty")), fs.ErrExist, at("empty"))
	Must(t, s.MkdirAll(Context(t), at("full/sub")))
	want(t, s.Rename(Context(t), at("full"), at("empty")), fs.ErrExist, at("empty"))
	want(t, s.Rename(Context(t), at("full"), at("b")), fs.ErrExist, at("b"))
	Must(t, s.Rename(Context(t), at("a"), at("full/sub/c")))
	moved, err := s.Stat(Context(t), at("full/sub/c"))
	Must(t, err)
	if info.Path = at("full/sub/c"); moved != info {
		t.Errorf("was %+v, is %+v", info, moved)
	}
	folder, err := s.Stat(Context(t), at("full"))
	Must(t, err)
	Must(t, s.Rename(Context(t), at("full"), at("new")))
	again, err := s.Stat(Context(t), at("new"))
	Must(t, err)
	if again.ID != folder.ID {
		t.Errorf("a renamed folder has number %d, had %d", again.ID, folder.ID)
	}
	if got := string(Read(t, s, at("new/sub/c"), 0)); got != "a" {
		t.Errorf("got %q", got)
	}
	if got := string(Read(t, s, at("b"), 0)); got != "b" {
		t.Errorf("overwritten: %q", got)
	}
}

func remove(t *testing.T, s files.System, root string) {
	p := path.Join(root, "a")
	Must(t, s.MkdirAll(Context(t), path.Join(p, "b/c")))
	Put(t, s, path.Join(p, "b/f"), []byte("f"))
	Must(t, s.Remove(Context(t), path.Join(p, "b/f")))
	Must(t, s.Remove(Context(t), p))
	Must(t, s.Remove(Context(t), p))
	if got := Names(t, s, root); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

func failedSource(t *testing.T, s files.System, root string) {
	bad := errors.New("the source broke")
	for name, source := range map[string]files.Source{
		"open": func() (io.ReadCloser, error) { return nil, bad },
		"middle": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(Random(200_000, 3)), brokenReader{bad})), nil
		},
	} {
		_, err := s.Put(Context(t), path.Join(root, name), source)
		want(t, err, bad)
	}
	if got := Names(t, s, root); len(got) != 0 {
		t.Errorf("a failed put left %q", got)
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

func cancelled(t *testing.T, s files.System, root string) {
	p := path.Join(root, "f")
	Put(t, s, p, Random(2<<20, 4))
	ctx, cancel := context.WithCancel(Context(t))
	r, err := s.Open(ctx, p, 0)
	Must(t, err)
	defer r.Close()
	_, err = io.ReadFull(r, make([]byte, 1000))
	Must(t, err)
	cancel()
	if _, err = io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader of a cancelled context: %v", err)
	}
	if _, err = s.Stat(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("stat: %v", err)
	}
	if _, err = s.Put(ctx, p+"2", Bytes([]byte("x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if got := Names(t, s, root); !slices.Equal(got, []string{"f"}) {
		t.Errorf("left: %q", got)
	}
}

func names(t *testing.T, s files.System, root string) {
	all := []string{"a b", "a%20b", "a+b", "a#b?c=d&e", "naïve-日本", `q"uo'te`, "per%cent", "semi;colon"}
	for _, name := range all {
		p := path.Join(root, name)
		Put(t, s, p, []byte(name))
		Must(t, s.Rename(Context(t), p, p+".2"))
		if got := string(Read(t, s, p+".2", 0)); got != name {
			t.Errorf("%q holds %q", name, got)
		}
	}
	if got := Names(t, s, root); len(got) != len(all) {
		t.Errorf("%d files, want %d: %q", len(got), len(all), got)
	}
}

func paths(t *testing.T, s files.System, root string) {
	for _, p := range []string{"", "a", "../a", root + "/../a", root + "//a", root + "/."} {
		_, err := s.Stat(Context(t), p)
		want(t, err, files.ErrPath)
		want(t, s.MkdirAll(Context(t), p), files.ErrPath)
		want(t, s.Remove(Context(t), p), files.ErrPath)
		want(t, s.Rename(Context(t), root, p), files.ErrPath)
	}
}
