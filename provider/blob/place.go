package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Place writes the tree m into root at the folder at ("." or "" is root itself),
// taking chunks from get and checking every one. A manifest of a single file (path
// ".") becomes the file at itself. Missing folders are made. A file or link that is
// there already is fs.ErrExist and left as it is; folders may be there. It never
// follows a link out of root, sets no mode beyond 0777, and makes links last, so
// that nothing is written through a link of the same tree. What was written before
// an error stays: place into a fresh folder and rename it.
func Place(root *os.Root, at string, m protocol.Manifest, get func(types.Hash) ([]byte, error)) error {
	if err := Validate(m); err != nil {
		return err
	}
	if at == "" {
		at = "."
	}
	if !fs.ValidPath(at) {
		return fmt.Errorf("%w: %q", ErrPath, at)
	}
	w := placer{root: root, get: get, made: map[string]bool{".": true}}
	if len(m.Files) != 1 || m.Files[0].Path != "." {
		if err := w.folder(at); err != nil {
			return err
		}
	} else if at == "." {
		return fmt.Errorf("%w: a single file needs a name", ErrPath)
	}
	for _, f := range m.Files {
		var err error
		p := path.Join(at, f.Path)
		switch {
		case f.Link != "":
			continue
		case f.Mode&protocol.ModeDir != 0:
			err = w.folder(p)
		default:
			err = w.file(p, f)
		}
		if err != nil {
			return fmt.Errorf("place %q: %w", f.Path, err)
		}
	}
	for _, f := range m.Files {
		var err error
		p := path.Join(at, f.Path)
		switch {
		case f.Link != "":
			if err = w.folder(path.Dir(p)); err == nil {
				err = root.Symlink(f.Link, p)
			}
		case f.Mode&protocol.ModeDir != 0:
			err = root.Chmod(p, fs.FileMode(f.Mode).Perm())
		}
		if err != nil {
			return fmt.Errorf("place %q: %w", f.Path, err)
		}
	}
	return nil
}

// placer writes one tree.
type placer struct {
	root *os.Root
	get  func(types.Hash) ([]byte, error)
	made map[string]bool // folders that are there
}

// folder makes p and what it stands in.
func (w *placer) folder(p string) error {
	if w.made[p] {
		return nil
	}
	if err := w.folder(path.Dir(p)); err != nil {
		return err
	}
	if err := w.root.Mkdir(p, 0o755); errors.Is(err, fs.ErrExist) {
		if info, failed := w.root.Stat(p); failed != nil || !info.IsDir() {
			return err
		}
	} else if err != nil {
		return err
	}
	w.made[p] = true
	return nil
}

// file writes f at p.
func (w *placer) file(p string, f protocol.File) error {
	if err := w.folder(path.Dir(p)); err != nil {
		return err
	}
	out, err := w.root.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = w.fill(out, f)
	if err == nil {
		err = out.Chmod(fs.FileMode(f.Mode).Perm())
	}
	return errors.Join(err, out.Close())
}

func (w *placer) fill(out *os.File, f protocol.File) error {
	left := f.Size
	for _, h := range f.Chunks {
		data, err := w.get(h)
		if err != nil {
			return err
		}
		if want := min(left, protocol.ChunkSize); uint64(len(data)) != want || HashOf(data) != h {
			return fmt.Errorf("%w: chunk %s of %d bytes", ErrDamaged, h.Short(), len(data))
		}
		if _, err := out.Write(data); err != nil {
			return err
		}
		left -= uint64(len(data))
	}
	return nil
}

// PlacePieces is Place for trees of regular files that need not be copied: each
// becomes a folder of links, protocol.PieceName(0), …, to the files where its chunks
// lie, whose paths target tells. Their content is not looked at.
func PlacePieces(root *os.Root, at string, m protocol.Manifest, target func(types.Hash) string) error {
	if err := Validate(m); err != nil {
		return err
	}
	if !fs.ValidPath(at) || at == "." {
		return fmt.Errorf("%w: %q", ErrPath, at)
	}
	w := placer{root: root, made: map[string]bool{".": true}}
	for _, f := range m.Files {
		if f.Link != "" || f.Mode&protocol.ModeDir != 0 {
			return fmt.Errorf("%w: %q has no pieces", ErrSpecial, f.Path)
		}
		p := path.Join(at, f.Path)
		if err := w.folder(p); err != nil {
			return fmt.Errorf("place %q: %w", f.Path, err)
		}
		for i, h := range f.Chunks {
			if err := root.Symlink(target(h), path.Join(p, protocol.PieceName(i))); err != nil {
				return fmt.Errorf("place %q: %w", f.Path, err)
			}
		}
	}
	return nil
}
