package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/zennet/zennet/jobrunner/files"
)

// Block is the size by which jobs cut a local file: HDFS's default.
const Block = 128 << 20

// System is this machine's disk.
type System struct{}

var _ files.System = System{}

// Stat describes a file or folder.
func (System) Stat(ctx context.Context, path string) (files.Info, error) {
	if err := check(ctx, path); err != nil {
		return files.Info{}, err
	}
	return stat(path)
}

func check(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return checkPath(path)
}

// checkPath takes any bytes that the disk takes: names need not be UTF-8 here.
func checkPath(path string) error {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return fmt.Errorf("path %q: must be absolute and clean: %w", path, files.ErrPath)
	}
	return nil
}

func stat(path string) (files.Info, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		// A link that leads nowhere is there all the same.
		if l, lerr := os.Lstat(path); lerr == nil {
			return describe(path, l), nil
		}
	}
	if err != nil {
		return files.Info{}, err
	}
	return describe(path, info), nil
}

func describe(path string, info fs.FileInfo) files.Info {
	out := files.Info{Path: path, ModTime: info.ModTime().UnixMilli()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		out.ID = st.Ino
		out.Access = fmt.Sprintf("%d:%d:%o", st.Uid, st.Gid, st.Mode)
	}
	switch {
	case info.IsDir():
		out.Folder = true
	case info.Mode().IsRegular():
		out.Size, out.Block = info.Size(), Block
	default:
		out.Other = true
	}
	return out
}

// List lists a folder by name.
func (System) List(ctx context.Context, folder string, each func([]files.Info) error) error {
	if err := check(ctx, folder); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for len(entries) > 0 {
		n := min(len(entries), files.ListMax)
		batch := make([]files.Info, 0, n)
		for _, e := range entries[:n] {
			info, err := stat(filepath.Join(folder, e.Name()))
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since the folder was read
			}
			if err != nil {
				return err
			}
			batch = append(batch, info)
		}
		entries = entries[n:]
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list %s: %w", folder, err)
		}
		if len(batch) == 0 {
			continue
		}
		if err := each(batch); err != nil {
			return err
		}
	}
	return nil
}

// Open reads a file from offset on.
func (System) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if err := check(ctx, path); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK, opening a pipe that nobody writes waits for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("open %s: %w", path, files.ErrFolder)
	case !info.Mode().IsRegular():
		err = fmt.Errorf("open %s: neither a file nor a folder (%s): %w", path, info.Mode().Type(), files.ErrUnsupported)
	case offset < 0 || offset > info.Size():
		err = fmt.Errorf("open %s: offset %d outside its %d bytes: %w", path, offset, info.Size(), fs.ErrInvalid)
	default:
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &reader{ctx: ctx, f: f, path: path, at: offset, end: info.Size()}, nil
}

// reader ends where the file ended when it was opened; a file that is shorter
// since is an error.
type reader struct {
	ctx     context.Context
	f       *os.File
	path    string
	at, end int64
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fmt.Errorf("read %s at %d: %w", r.path, r.at, err)
	}
	if r.at == r.end {
		return 0, io.EOF
	}
	if int64(len(p)) > r.end-r.at {
		p = p[:r.end-r.at]
	}
	n, err := r.f.Read(p)
	r.at += int64(n)
	if err == io.EOF {
		return n, fmt.Errorf("read %s at %d: the file had %d bytes when it was opened: %w", r.path, r.at, r.end, io.ErrUnexpectedEOF)
	}
	return n, err
}

func (r *reader) Close() error { return r.f.Close() }

// Close has nothing to do.
func (System) Close() error { return nil }
