package local

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/jobrunner/files"
)

// Put makes a new file.
func (System) Put(ctx context.Context, path string, source files.Source) (files.Info, error) {
	if err := check(ctx, path); err != nil {
		return files.Info{}, err
	}
	if _, err := os.Lstat(path); err == nil {
		return files.Info{}, &fs.PathError{Op: "put", Path: path, Err: fs.ErrExist}
	}
	folder := filepath.Dir(path)
	hidden := filepath.Join(folder, ".zennet-"+rand.Text())
	info, err := write(ctx, hidden, source)
	if err != nil {
		return files.Info{}, err
	}
	if err := rename(hidden, path); err != nil {
		os.Remove(hidden)
		return files.Info{}, err
	}
	if err := syncFolder(folder); err != nil {
		os.Remove(path)
		return files.Info{}, err
	}
	info.Path = path
	return info, nil
}

// write makes a file that is on the disk when it returns, or none.
func write(ctx context.Context, path string, source files.Source) (files.Info, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return files.Info{}, err
	}
	err = fill(ctx, f, source)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	var info files.Info
	if err == nil {
		info, err = stat(path)
	}
	if err != nil {
		os.Remove(path)
	}
	return info, err
}

func fill(ctx context.Context, f *os.File, source files.Source) error {
	in, err := source()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{&watched{ctx, in}}, make([]byte, 256<<10))
	return err
}

// watched ends a copy between two reads when its context is done.
type watched struct {
	ctx context.Context
	io.Reader
}

func (c *watched) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// Mkdir makes one folder.
func (System) Mkdir(ctx context.Context, path string) error {
	if err := check(ctx, path); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// MkdirAll makes a folder and those it lies in.
func (System) MkdirAll(ctx context.Context, path string) error {
	if err := check(ctx, path); err != nil {
		return err
	}
	return os.MkdirAll(path, 0o755)
}

// Rename gives a file or folder another path, in one step that refuses an
// existing target; it is on the disk when this returns.
func (System) Rename(ctx context.Context, from, to string) error {
	if err := errors.Join(check(ctx, from), checkPath(to)); err != nil {
		return err
	}
	if err := rename(from, to); err != nil {
		return err
	}
	err := syncFolder(filepath.Dir(to))
	if a, b := filepath.Dir(from), filepath.Dir(to); a != b {
		err = errors.Join(err, syncFolder(a))
	}
	return err
}

func rename(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// Some file systems (NFS) cannot refuse in the same step.
		if _, lerr := os.Lstat(to); lerr == nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		}
		return os.Rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// Remove removes a file, or a folder with all that is in it.
func (System) Remove(ctx context.Context, path string) error {
	if err := check(ctx, path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
