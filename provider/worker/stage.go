package worker

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// stage places the task's inputs, and makes the folders that its patterns name.
func (s *Server) stage(t *task) error {
	root, err := s.root.OpenRoot(tasksDir + "/" + t.name)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, in := range t.run.Inputs {
		if err := s.place(root, t, in); err != nil {
			return fmt.Errorf("input %q: %w", in.Path, err)
		}
	}
	for _, pattern := range t.run.Collect {
		// "out/*.png" and "out/a.png" name out, and so does "out/".
		folder, _ := doublestar.SplitPattern(pattern)
		if strings.HasSuffix(pattern, "/") && !strings.ContainsAny(pattern, `*?[{\`) {
			folder = strings.TrimRight(pattern, "/")
		}
		if folder = path.Clean(folder); folder == "." {
			continue
		}
		if err := root.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("folder of %q: %w", pattern, err)
		}
	}
	return nil
}

func (s *Server) place(root *os.Root, t *task, in protocol.Mount) error {
	if in.Task != "" {
		return s.link(root, t, in)
	}
	if in.Tree == (types.Hash{}) {
		if dir := path.Dir(in.Path); dir != "." {
			if err := root.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		mode := fs.FileMode(in.Mode).Perm()
		if mode == 0 {
			mode = 0o644
		}
		f, err := root.OpenFile(in.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		_, err = f.Write(in.Small)
		if e := f.Close(); err == nil {
			err = e
		}
		return err
	}
	data, err := s.blob(in.Tree, protocol.MaxManifest)
	if err != nil {
		return err
	}
	if sha256.Sum256(data) != in.Tree {
		return fmt.Errorf("%w: %s", blob.ErrDamaged, in.Tree)
	}
	m, err := blob.DecodeManifest(data)
	if err != nil {
		return err
	}
	if in.Pieces {
		return blob.PlacePieces(root, in.Path, m, s.blobPath)
	}
	return blob.Place(root, in.Path, m, func(h types.Hash) ([]byte, error) { return s.blob(h, protocol.ChunkSize) })
}

// blob reads what the publisher has pushed; the caller verifies it.
func (s *Server) blob(h types.Hash, most int64) ([]byte, error) {
	f, size, err := s.openBlob(h)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > most {
		return nil, fmt.Errorf("blob %s of %d bytes, at most %d", h, size, most)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("blob %s: %w", h, err)
	}
	return data, nil
}

// readBlob reads a blob that has exactly as many bytes as data takes, and verifies it.
func (s *Server) readBlob(h types.Hash, data []byte) error {
	f, size, err := s.openBlob(h)
	if err != nil {
		return err
	}
	defer f.Close()
	if size != int64(len(data)) {
		return fmt.Errorf("blob %s of %d bytes, not %d", h, size, len(data))
	}
	if _, err := io.ReadFull(f, data); err != nil {
		return fmt.Errorf("blob %s: %w", h, err)
	}
	if blob.HashOf(data) != h {
		return fmt.Errorf("%w: %s", blob.ErrDamaged, h)
	}
	return nil
}

func (s *Server) openBlob(h types.Hash) (f *os.File, size int64, err error) {
	if f, err = os.Open(s.blobPath(h)); err != nil {
		return nil, 0, fmt.Errorf("blob %s: %w", h, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("blob %s: %w", h, err)
	}
	return f, info.Size(), nil
}

// blobPath is where a pushed blob lies. Tasks can read it, and not write it.
func (s *Server) blobPath(h types.Hash) string {
	name := h.String()
	return filepath.Join(s.cfg.Blobs, name[:2], name)
}

// link makes a file that an ended task left an input of another one.
func (s *Server) link(root *os.Root, t *task, in protocol.Mount) error {
	left, err := s.ended(in.Task)
	if err != nil {
		return err
	}
	from := tasksDir + "/" + left.name + "/" + in.From
	if info, err := s.root.Lstat(from); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %q of task %q", blob.ErrSpecial, in.From, in.Task)
	}
	if err := root.MkdirAll(path.Dir(in.Path), 0o755); err != nil {
		return err
	}
	return s.root.Link(from, tasksDir+"/"+t.name+"/"+in.Path)
}
