package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"

	"github.com/colinmarc/hdfs/v2"

	"github.com/zennet/zennet/jobrunner/files"
)

// Flags of a file's status.
const (
	flagEncrypted    = 2
	flagErasureCoded = 4
)

func describe(p string, info os.FileInfo) files.Info {
	out := files.Info{Path: p, Folder: info.IsDir(), ModTime: info.ModTime().UnixMilli()}
	status, ok := info.Sys().(*hdfs.FileStatus)
	if !ok {
		out.Other = true
		return out
	}
	out.ID = status.GetFileId()
	out.Access = status.GetOwner() + ":" + status.GetGroup() + ":" + strconv.FormatUint(uint64(status.GetPermission().GetPerm()), 8)
	out.Encrypted = status.GetFlags()&flagEncrypted != 0 || status.GetFileEncryptionInfo() != nil
	out.ErasureCoded = status.GetFlags()&flagErasureCoded != 0 || status.GetEcPolicy() != nil
	out.Other = status.GetSymlink() != nil
	if !out.Folder && !out.Other {
		out.Size, out.Block = info.Size(), int64(status.GetBlocksize())
	}
	return out
}

// Stat describes a file or folder.
func (s *System) Stat(ctx context.Context, p string) (files.Info, error) {
	var out files.Info
	err := s.call(ctx, "stat", p, func(c *hdfs.Client, _ bool) error {
		info, err := c.Stat(p)
		if err == nil {
			out = describe(p, info)
		}
		return err
	})
	return out, err
}

// List lists a folder by name.
func (s *System) List(ctx context.Context, folder string, each func([]files.Info) error) error {
	last := ""        // the name that each has seen last
	var stopped error // by each
	err := s.call(ctx, "list", folder, func(c *hdfs.Client, _ bool) error {
		f, err := c.Open(folder)
		if err != nil {
			return err
		}
		defer f.Close()
		if !f.Stat().IsDir() {
			return fmt.Errorf("not a folder: %w", fs.ErrInvalid)
		}
		for stopped == nil {
			entries, err := f.Readdir(files.ListMax)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			batch := make([]files.Info, 0, len(entries))
			for _, e := range entries {
				if e.Name() > last {
					batch = append(batch, describe(path.Join(folder, e.Name()), e))
				}
			}
			if len(batch) == 0 {
				continue // seen before the connection broke
			}
			last = path.Base(batch[len(batch)-1].Path)
			stopped = each(batch)
		}
		return nil
	})
	if stopped != nil {
		return stopped
	}
	return err
}

// Mkdir makes one folder. The NameNode does not say whether it made it: of two
// that make the same at the same moment both may succeed.
func (s *System) Mkdir(ctx context.Context, p string) error {
	return s.call(ctx, "mkdir", p, func(c *hdfs.Client, again bool) error {
		err := c.Mkdir(p, 0o755)
		if again && errors.Is(err, fs.ErrExist) && emptyFolder(c, p) {
			return nil // made by the call whose answer was lost
		}
		return err
	})
}

func emptyFolder(c *hdfs.Client, p string) bool {
	entries, err := c.ReadDir(p)
	return err == nil && len(entries) == 0
}

// MkdirAll makes a folder and those it lies in.
func (s *System) MkdirAll(ctx context.Context, p string) error {
	return s.call(ctx, "mkdir", p, func(c *hdfs.Client, _ bool) error { return c.MkdirAll(p, 0o755) })
}

// Remove removes a file, or a folder with all that is in it.
func (s *System) Remove(ctx context.Context, p string) error {
	return s.call(ctx, "remove", p, func(c *hdfs.Client, _ bool) error { return c.RemoveAll(p) })
}

// Rename gives a file or folder another path. Where WebHDFS is reachable the
// NameNode refuses an existing target in the same step; else this looks first.
func (s *System) Rename(ctx context.Context, from, to string) error {
	if err := files.CheckPath(to); err != nil {
		return fmt.Errorf("rename hdfs://%s: %w", s.name, err)
	}
	var id uint64
	return s.call(ctx, "rename", from, func(c *hdfs.Client, again bool) error {
		target, terr := c.Stat(to)
		if again && id != 0 && terr == nil && describe(to, target).ID == id {
			return nil // done by the call whose answer was lost
		}
		source, err := c.Stat(from)
		if err != nil {
			return err
		}
		switch {
		case terr == nil:
			return fmt.Errorf("to %s: %w", s.url(to), fs.ErrExist)
		case !errors.Is(terr, fs.ErrNotExist):
			return terr
		}
		id = describe(from, source).ID
		if err := s.web.rename(ctx, from, to); !errors.Is(err, errNoWeb) {
			if errors.Is(err, fs.ErrExist) {
				err = fmt.Errorf("to %s: %w", s.url(to), err)
			}
			return err
		}
		return c.Rename(from, to)
	})
}
