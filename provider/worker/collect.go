package worker

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

const (
	inlineStream   = 8 << 10  // bytes of a stream that travels in Exited
	inlineManifest = 32 << 10 // bytes of an encoded manifest that does
	inlineFiles    = 32 << 10 // bytes of all files together that do
)

// collect makes the manifest of what the task has produced: its outputs where it
// succeeded, else its checkpoint files. It changes out's class where outputs
// cannot be taken.
func (s *Server) collect(t *task, out *protocol.Exited) {
	if out.Class == protocol.ClassOK {
		err := s.manifest(t, t.run.Collect, out)
		if err == nil {
			return
		}
		explain(out, err)
	}
	patterns, err := s.matching(t, t.run.Checkpoint)
	if err == nil && len(patterns) > 0 {
		if err = s.manifest(t, patterns, out); err == nil {
			out.Checkpoint = true
		}
	}
	if err != nil {
		// The first cause stays first.
		out.Message = sentence(out.Message + "; its checkpoint cannot be taken: " + err.Error())
	}
}

// matching leaves out the patterns that match nothing.
func (s *Server) matching(t *task, patterns []string) ([]string, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	root, err := s.root.OpenRoot(tasksDir + "/" + t.name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out []string
	for _, pattern := range patterns {
		found := false
		clean := strings.TrimPrefix(strings.TrimRight(pattern, "/"), "./")
		if _, err := root.Lstat(clean); err == nil {
			found = true
		} else if err := doublestar.GlobWalk(root.FS(), clean, func(string, fs.DirEntry) error {
			found = true
			return doublestar.SkipDir
		}, doublestar.WithNoFollow()); err != nil && !errors.Is(err, doublestar.SkipDir) {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if found {
			out = append(out, pattern)
		}
	}
	return out, nil
}

// manifest fills in what patterns choose in the task's scratch folder. Where
// there are no patterns there is nothing, not even a folder to look at.
func (s *Server) manifest(t *task, patterns []string, out *protocol.Exited) error {
	if len(patterns) == 0 {
		out.Tree, out.Manifest = emptyTree, emptyManifest
		return nil
	}
	root, err := s.root.OpenRoot(tasksDir + "/" + t.name)
	if err != nil {
		return err
	}
	defer root.Close()
	m, err := blob.Scan(root, patterns)
	if err != nil {
		return err
	}
	encoded, err := blob.EncodeManifest(m)
	if err != nil {
		return err
	}
	if len(encoded) <= inlineManifest {
		out.Manifest = encoded
	} else if err := s.keep(t.manifest(), encoded); err != nil {
		return err
	}
	out.Tree, out.Files, out.Bytes = sha256.Sum256(encoded), uint32(len(m.Files)), blob.Size(m)
	if out.Manifest != nil && out.Bytes <= inlineFiles {
		out.Inline, err = contents(root, m)
	}
	return err
}

var (
	emptyManifest, _ = blob.EncodeManifest(protocol.Manifest{})
	emptyTree        = types.Hash(sha256.Sum256(emptyManifest))
)

func (s *Server) keep(name string, data []byte) error {
	f, err := s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// contents reads small files in the manifest's order; a folder or link has none.
func contents(root *os.Root, m protocol.Manifest) ([][]byte, error) {
	if len(m.Files) == 0 {
		return nil, nil
	}
	out := make([][]byte, len(m.Files))
	for i, f := range m.Files {
		out[i] = []byte{}
		if f.Size == 0 {
			continue
		}
		file, err := openRegular(root, f.Path)
		if err != nil {
			return nil, err
		}
		out[i] = make([]byte, f.Size)
		_, err = file.ReadAt(out[i], 0)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("%w: %q: %w", blob.ErrChanged, f.Path, err)
		}
	}
	return out, nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// streamOf reads the length and hash of an output stream, and all of a short one.
// A stream that cannot be read counts as empty.
func streamOf(f *os.File) protocol.Stream {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return protocol.Stream{Hash: sha256.Sum256(nil)}
	}
	size := info.Size()
	if size <= inlineStream {
		data := make([]byte, size)
		if _, err := f.ReadAt(data, 0); err != nil {
			return protocol.Stream{Hash: sha256.Sum256(nil)}
		}
		return protocol.Stream{Size: uint64(size), Hash: sha256.Sum256(data), Inline: data}
	}
	sum, buf := sha256.New(), buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{io.NewSectionReader(f, 0, size)}, *buf)
	if err != nil {
		return protocol.Stream{Hash: sha256.Sum256(nil)}
	}
	return protocol.Stream{Size: uint64(n), Hash: types.Hash(sum.Sum(nil))}
}

// lastWords is the end of what a task wrote, at most 2,000 bytes.
func lastWords(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	data := make([]byte, min(info.Size(), 2000))
	if _, err := f.ReadAt(data, info.Size()-int64(len(data))); err != nil {
		return ""
	}
	return string(bytes.TrimSpace(data))
}
