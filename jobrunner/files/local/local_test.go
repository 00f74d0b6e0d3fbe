package local

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/filestest"
)

func TestSystem(t *testing.T) { filestest.Run(t, System{}, t.TempDir()) }

// What is neither a file nor a folder is said to be so, and never waited for.
func TestOthers(t *testing.T) {
	dir, ctx := t.TempDir(), filestest.Context(t)
	filestest.Must(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	filestest.Must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	filestest.Must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600))
	filestest.Must(t, os.Symlink("file", filepath.Join(dir, "link")))
	want := map[string]bool{"pipe": true, "dangling": true, "file": false, "link": false}
	filestest.Must(t, System{}.List(ctx, dir, func(batch []files.Info) error {
		for _, info := range batch {
			if name := filepath.Base(info.Path); info.Other != want[name] {
				t.Errorf("%s: %+v", name, info)
			}
		}
		return nil
	}))
	if _, err := (System{}).Open(ctx, filepath.Join(dir, "pipe"), 0); !errors.Is(err, files.ErrUnsupported) {
		t.Errorf("opened a pipe: %v", err)
	}
	if _, err := (System{}).Put(ctx, filepath.Join(dir, "dangling"), filestest.Bytes(nil)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("put over a dangling link: %v", err)
	}
}

func TestListInBatches(t *testing.T) {
	dir, sizes := t.TempDir(), []int(nil)
	for i := range 2*files.ListMax + 1 {
		filestest.Must(t, os.WriteFile(filepath.Join(dir, strings.Repeat("x", 1+i%50)+string(rune('a'+i%26))+filepath.Base(dir)+string(rune(0x100+i))), nil, 0o600))
	}
	filestest.Must(t, System{}.List(filestest.Context(t), dir, func(batch []files.Info) error {
		sizes = append(sizes, len(batch))
		return nil
	}))
	if len(sizes) != 3 || sizes[0] != files.ListMax || sizes[1] != files.ListMax || sizes[2] != 1 {
		t.Errorf("batches of %v", sizes)
	}
}

// A file that shrinks while it is read is an error, one that grows is read to
// its former end.
func TestChangedWhileRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for size, want := range map[int64]error{5: io.ErrUnexpectedEOF, 20: nil} {
		filestest.Must(t, os.WriteFile(path, []byte("0123456789"), 0o600))
		r, err := System{}.Open(filestest.Context(t), path, 3)
		filestest.Must(t, err)
		filestest.Must(t, os.Truncate(path, size))
		got, err := io.ReadAll(r)
		r.Close()
		if !errors.Is(err, want) || want == nil && string(got) != "3456789" {
			t.Errorf("truncated to %d: %q, %v", size, got, err)
		}
	}
}

func TestPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	path := filepath.Join(t.TempDir(), "f")
	filestest.Must(t, os.WriteFile(path, []byte("x"), 0))
	if _, err := (System{}).Open(filestest.Context(t), path, 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}
