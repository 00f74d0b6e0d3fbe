package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Scan makes the manifest of what patterns choose in root: doublestar patterns,
// relative, without ".."; a folder that is chosen is taken whole. A pattern that
// chooses nothing is ErrNoMatch.
//
// A symbolic link stays a link where its target, inside root, is taken too; a link
// to another regular file inside root is taken as that file; any other is
// ErrLink. A device, pipe or socket is ErrSpecial; a name that is not UTF-8 or too
// long is ErrPath; more than a manifest holds is ErrTooLarge; a file that changes
// meanwhile is ErrChanged. Each error names its file or pattern. Only the
// permission bits of modes are kept.
func Scan(root *os.Root, patterns []string) (protocol.Manifest, error) {
	return scan(root, patterns, nil)
}

// ScanFile makes the manifest of one regular file, which has the path ".".
func ScanFile(root *os.Root, name string) (protocol.Manifest, error) {
	info, err := root.Stat(name)
	if err != nil {
		return protocol.Manifest{}, err
	}
	if !info.Mode().IsRegular() {
		return protocol.Manifest{}, fmt.Errorf("%w: %q is %s", ErrSpecial, name, kind(info.Mode()))
	}
	t := tree{root: root, found: map[string]found{".": {info: info, from: name}}}
	return t.manifest(nil)
}

// Import is Scan, and keeps every chunk in the store, in one pass.
func (s *Store) Import(root *os.Root, patterns []string) (protocol.Manifest, error) {
	return scan(root, patterns, s.put)
}

func scan(root *os.Root, patterns []string, keep func(types.Hash, []byte) error) (protocol.Manifest, error) {
	t := tree{root: root, found: map[string]found{}, whole: map[string]bool{}}
	for _, p := range patterns {
		if err := t.choose(p); err != nil {
			return protocol.Manifest{}, err
		}
	}
	if err := t.resolve(); err != nil {
		return protocol.Manifest{}, err
	}
	return t.manifest(keep)
}

// tree is a scan under way: what was found in root, by path.
type tree struct {
	root  *os.Root
	found map[string]found
	whole map[string]bool // folders all of whose contents were found
}

// found is a file, folder or link. from is where its contents are read.
type found struct {
	info fs.FileInfo
	link string
	from string
}

// choose adds what pattern matches.
func (t *tree) choose(pattern string) error {
	clean := strings.TrimPrefix(strings.TrimRight(pattern, "/"), "./")
	if clean == "" && pattern != "" && !strings.HasPrefix(pattern, "/") {
		clean = "."
	}
	if clean == "" || strings.HasPrefix(pattern, "/") || slices.Contains(strings.Split(clean, "/"), "..") {
		return fmt.Errorf("%w: pattern %q is not inside the folder", ErrPath, pattern)
	}
	matched := false
	_, err := t.root.Lstat(clean) // a name as it stands, whatever characters it has
	if err == nil {
		matched, err = true, t.add(clean)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && strings.ContainsAny(clean, `*?[{\\`) {
		err = doublestar.GlobWalk(t.root.FS(), clean, func(p string, _ fs.DirEntry) error {
			matched = true
			return t.add(p)
		}, doublestar.WithNoFollow(), doublestar.WithFailOnIOErrors())
	}
	switch {
	case errors.Is(err, doublestar.ErrBadPattern):
		return fmt.Errorf("%w: %q is no pattern", ErrPath, pattern)
	case err != nil:
		return fmt.Errorf("pattern %q: %w", pattern, err)
	case !matched:
		return fmt.Errorf("%w: %q", ErrNoMatch, pattern)
	}
	return nil
}

// add finds p, and all that is in it where it is a folder.
func (t *tree) add(p string) error {
	if t.covered(p) {
		return nil
	}
	if p != "." {
		if err := validatePath(p); err != nil {
			return err
		}
	}
	if len(t.found) >= maxFound {
		return fmt.Errorf("%w: more than %d files and folders", ErrTooLarge, maxFound)
	}
	info, err := t.root.Lstat(p)
	if err != nil {
		return err
	}
	return t.enter(p, info)
}

// covered reports whether p was found, with all that is in it.
func (t *tree) covered(p string) bool {
	if _, ok := t.found[p]; ok && !t.found[p].info.IsDir() || t.whole[p] {
		return true
	}
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		if t.whole[dir] {
			return true
		}
		if dir == "." {
			return false
		}
	}
}

// enter adds p, of which info is known.
func (t *tree) enter(p string, info fs.FileInfo) error {
	f := found{info: info, from: p}
	switch mode := info.Mode(); {
	case mode.IsRegular():
	case mode&fs.ModeSymlink != 0:
		target, err := t.root.Readlink(p)
		if err != nil {
			return err
		}
		f.link = target
	case mode.IsDir():
		t.found[p] = f
		return t.list(p)
	default:
		return fmt.Errorf("%w: %q is %s", ErrSpecial, p, kind(mode))
	}
	t.found[p] = f
	return nil
}

// list adds all that is in the folder p. No folder stays open while those in it
// are listed, however deep they go.
func (t *tree) list(p string) error {
	names, infos, err := t.read(p)
	if err != nil {
		return err
	}
	for i, name := range names {
		below := path.Join(p, name)
		if err := validatePath(below); err != nil {
			return err
		}
		if old, ok := t.found[below]; ok && !old.info.IsDir() {
			continue
		}
		if len(t.found) >= maxFound {
			return fmt.Errorf("%w: more than %d files and folders", ErrTooLarge, maxFound)
		}
		if err := t.enter(below, infos[i]); err != nil {
			return err
		}
	}
	t.whole[p] = true
	return nil
}

// maxFound bounds the files and folders of a scan; empty folders alone are listed.
const maxFound = 2 * MaxFiles

// read lists the folder p.
func (t *tree) read(p string) ([]string, []fs.FileInfo, error) {
	folder, err := t.root.OpenRoot(p)
	if err != nil {
		return nil, nil, err
	}
	defer folder.Close()
	dir, err := folder.Open(".")
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxFound + 1)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	infos := make([]fs.FileInfo, len(names))
	for i, name := range names {
		if infos[i], err = folder.Lstat(name); err != nil {
			return nil, nil, fmt.Errorf("in %q: %w", p, err)
		}
	}
	return names, infos, nil
}

// resolve decides what becomes of each link, and drops folders that are not empty.
func (t *tree) resolve() error {
	folders := map[string]bool{".": true}
	for p := range t.found {
		for dir := path.Dir(p); !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	for p, f := range t.found {
		if f.link == "" {
			continue
		}
		info, err := t.root.Stat(p)
		if err != nil {
			return fmt.Errorf("%w: %q points to %q: %v", ErrLink, p, f.link, err)
		}
		target := path.Join(path.Dir(p), f.link)
		if _, taken := t.found[target]; validateLink(p, f.link) == nil && (taken || folders[target]) {
			continue
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%w: %q points to %q, which is not taken", ErrLink, p, f.link)
		}
		t.found[p] = found{info: info, from: p}
	}
	delete(t.found, ".")
	for p := range t.found {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if f, ok := t.found[dir]; ok && !f.info.IsDir() {
				return fmt.Errorf("%w: %q is reached through the link %q, which is taken too", ErrLink, p, dir)
			}
			delete(t.found, dir)
		}
	}
	return nil
}

// manifest reads and hashes all that was found. keep, where set, gets each chunk.
func (t *tree) manifest(keep func(types.Hash, []byte) error) (protocol.Manifest, error) {
	if len(t.found) > MaxFiles {
		return protocol.Manifest{}, fmt.Errorf("%w: %d files, at most %d", ErrTooLarge, len(t.found), MaxFiles)
	}
	m := protocol.Manifest{Files: make([]protocol.File, 0, len(t.found))}
	var total uint64
	for p, f := range t.found {
		file := protocol.File{Path: p, Mode: uint32(f.info.Mode().Perm()), Link: f.link}
		switch {
		case f.link != "":
			file.Mode = linkMode
		case f.info.IsDir():
			file.Mode |= protocol.ModeDir
		default:
			file.Size = uint64(f.info.Size())
			if total += file.Size; file.Size > maxSize || total > maxSize {
				return protocol.Manifest{}, fmt.Errorf("%w: files of more than %d bytes, with %q", ErrTooLarge, uint64(maxSize), p)
			}
		}
		m.Files = append(m.Files, file)
	}
	slices.SortFunc(m.Files, func(a, b protocol.File) int { return strings.Compare(a.Path, b.Path) })
	if err := t.hash(m.Files, keep); err != nil {
		return protocol.Manifest{}, err
	}
	return m, nil
}

// batch is the chunks that one reader reads of one file at a time.
const batch = 64

// span is some chunks of a file of the manifest.
type span struct{ file, first, end int }

// hash fills in the chunks of files, two files or parts of one at a time.
func (t *tree) hash(files []protocol.File, keep func(types.Hash, []byte) error) error {
	g, failed := errgroup.WithContext(context.Background())
	spans := make(chan span)
	for range min(2, runtime.GOMAXPROCS(0)) {
		g.Go(func() error {
			buf := make([]byte, protocol.ChunkSize)
			for s := range spans {
				if err := t.digest(&files[s.file], s, buf, keep); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(spans)
		for i := range files {
			n := int(chunks(files[i].Size))
			if n > 0 {
				files[i].Chunks = make([]types.Hash, n)
			}
			for first := 0; first < n; first += batch {
				select {
				case spans <- span{i, first, min(first+batch, n)}:
				case <-failed.Done():
					return nil
				}
			}
		}
		return nil
	})
	return g.Wait()
}

// digest hashes the chunks s of f.
func (t *tree) digest(f *protocol.File, s span, buf []byte, keep func(types.Hash, []byte) error) error {
	file, err := t.root.OpenFile(t.found[f.Path].from, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || uint64(info.Size()) != f.Size {
		return fmt.Errorf("%w: %q", ErrChanged, f.Path)
	}
	for i := s.first; i < s.end; i++ {
		at := int64(i) * protocol.ChunkSize
		part := buf[:min(protocol.ChunkSize, int64(f.Size)-at)]
		if _, err := file.ReadAt(part, at); err != nil {
			return fmt.Errorf("%w: %q: %v", ErrChanged, f.Path, err)
		}
		f.Chunks[i] = HashOf(part)
		if keep != nil {
			if err := keep(f.Chunks[i], part); err != nil {
				return err
			}
		}
	}
	return nil
}

// kind is what a file is that is not regular, in words.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	}
	return "no regular file"
}
