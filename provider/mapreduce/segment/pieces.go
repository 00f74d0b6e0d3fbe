package segment

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// file is what a segment is read from.
type file interface {
	io.ReaderAt
	io.Closer
}

// openFile opens a file; or a folder that holds it in pieces of equal size but the
// last, in the order of their names: as it came from elsewhere, and copied nowhere.
func openFile(path string) (f file, size int64, err error) {
	one, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := one.Stat()
	if err == nil && !info.IsDir() {
		return one, info.Size(), nil
	}
	one.Close()
	if err != nil {
		return nil, 0, err
	}
	return openPieces(path)
}

// Size is the length of a segment's file, in one piece or in several.
func Size(path string) (int64, error) {
	f, size, err := openFile(path)
	if err != nil {
		return 0, err
	}
	return size, f.Close()
}

// pieces are a file in parts. One of them is open.
type pieces struct {
	paths []string
	each  int64 // bytes of all but the last
	size  int64 // of all
	open  *os.File
	at    int // which is open
}

func openPieces(dir string) (*pieces, int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	p := &pieces{at: -1}
	for _, e := range entries {
		p.paths = append(p.paths, filepath.Join(dir, e.Name()))
	}
	for i, path := range p.paths {
		if i != 0 && i != len(p.paths)-1 {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, 0, err
		}
		if i == 0 {
			p.each = info.Size()
		}
		p.size = int64(i)*p.each + info.Size()
	}
	if p.size > 0 && p.each == 0 {
		return nil, 0, fmt.Errorf("%w: %s: its first piece is empty", ErrCorrupt, dir)
	}
	return p, p.size, nil
}

// ReadAt implements io.ReaderAt, for one reader at a time.
func (p *pieces) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		if off >= p.size {
			return n, io.EOF
		}
		i := int(off / p.each)
		if err := p.turn(i); err != nil {
			return n, err
		}
		some := min(int64(len(b)-n), p.each-off%p.each, p.size-off)
		got, err := p.open.ReadAt(b[n:n+int(some)], off%p.each)
		n, off = n+got, off+int64(got)
		if err == io.EOF && int64(got) < some {
			return n, fmt.Errorf("%w: %s is shorter than others", ErrCorrupt, p.paths[i])
		}
		if err != nil && err != io.EOF {
			return n, err
		}
	}
	return n, nil
}

// turn opens a piece in the place of the one that is open.
func (p *pieces) turn(i int) error {
	if p.at == i {
		return nil
	}
	if err := p.Close(); err != nil {
		return err
	}
	f, err := os.Open(p.paths[i])
	if err != nil {
		return err
	}
	p.open, p.at = f, i
	return nil
}

// Close closes the open piece.
func (p *pieces) Close() error {
	if p.open == nil {
		return nil
	}
	f := p.open
	p.open, p.at = nil, -1
	return f.Close()
}
