package blob

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Source gives the chunks of a tree that stands in a folder, without a copy. It
// is safe for concurrent use. Close it.
type Source struct {
	root   *os.Root
	chunks map[types.Hash]location

	mu   sync.Mutex
	name string
	file *os.File // the last that was read
}

// location is where a chunk stands.
type location struct {
	path   string
	offset int64
	size   int
}

// NewSource gives the chunks of m, which Scan made of root; of a manifest of
// ScanFile, name is the file. root stays the caller's.
func NewSource(root *os.Root, name string, m protocol.Manifest) *Source {
	s := &Source{root: root, chunks: map[types.Hash]location{}}
	for _, f := range m.Files {
		p := f.Path
		if p == "." {
			p = name
		}
		left := f.Size
		for i, h := range f.Chunks {
			n := min(left, protocol.ChunkSize)
			s.chunks[h] = location{p, int64(i) * protocol.ChunkSize, int(n)}
			left -= n
		}
	}
	return s
}

// Get returns a chunk. One that the tree never had is ErrMissing, one whose file
// has changed since is ErrChanged.
func (s *Source) Get(h types.Hash) ([]byte, error) {
	at, ok := s.chunks[h]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrMissing, h)
	}
	data := make([]byte, at.size)
	if err := s.read(at, data); err != nil {
		return nil, fmt.Errorf("%w: %q: %v", ErrChanged, at.path, err)
	}
	if HashOf(data) != h {
		return nil, fmt.Errorf("%w: %q", ErrChanged, at.path)
	}
	return data, nil
}

func (s *Source) read(at location, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil || s.name != at.path {
		file, err := s.root.Open(at.path)
		if err != nil {
			return err
		}
		if s.file != nil {
			s.file.Close()
		}
		s.file, s.name = file, at.path
	}
	_, err := s.file.ReadAt(data, at.offset)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Close closes the file that is open.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
