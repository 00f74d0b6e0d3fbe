package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// serveFetch reads pieces of what ended tasks have left. A file stays open from
// one piece to the next of it.
func (s *Server) serveFetch(conn net.Conn, in io.Reader) error {
	var (
		f    readable
		open protocol.Fetch // what f is of
		buf  []byte
	)
	defer func() {
		if f != nil {
			f.Close()
		}
	}()
	for {
		m, err := protocol.Read[protocol.Fetch](in)
		if err != nil {
			return err
		}
		same := f != nil && open.ID == m.ID && open.What == m.What && open.Path == m.Path
		if !same {
			if f != nil {
				f.Close()
			}
			if f, err = s.openFor(m); err != nil {
				f = nil
			}
			open = *m
		}
		start := 0
		if err == nil {
			size := protocol.DataRoom + int(min(m.Length, protocol.ChunkSize))
			buf = slices.Grow(buf[:0], size)[:size]
			var n int
			if n, err = f.ReadAt(buf[protocol.DataRoom:], int64(m.Offset)); errors.Is(err, io.EOF) {
				err = nil
			}
			buf = buf[:protocol.DataRoom+n]
			start = protocol.SealData(buf, protocol.DataRoom)
		}
		if err != nil {
			if buf, err = protocol.AppendFrame(buf[:0], &protocol.Data{Bytes: []byte{}, Error: sentence(err.Error())}); err != nil {
				return err
			}
			start = 0
		}
		conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := conn.Write(buf[start:]); err != nil {
			return err
		}
	}
}

// readable is a file, or bytes in memory.
type readable interface {
	io.ReaderAt
	io.Closer
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// openFor opens what a Fetch asks for.
func (s *Server) openFor(m *protocol.Fetch) (readable, error) {
	t, err := s.ended(m.ID)
	if err != nil {
		return nil, err
	}
	switch m.What {
	case protocol.FetchFile:
		root, err := s.root.OpenRoot(tasksDir + "/" + t.name)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return openRegular(root, m.Path)
	case protocol.FetchManifest:
		if t.exited.Manifest == nil {
			return openRegular(s.root, t.manifest())
		}
		return inMemory{bytes.NewReader(t.exited.Manifest)}, nil
	case protocol.FetchStdout:
		return openRegular(s.root, t.log(false))
	case protocol.FetchStderr:
		return openRegular(s.root, t.log(true))
	}
	return nil, fmt.Errorf("%w: fetch of kind %d", protocol.ErrInvalid, m.What)
}

// openRegular opens a file to read it. Opening a pipe does not block, and gives
// an error, as all that is not a regular file.
func openRegular(root *os.Root, name string) (readable, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %q", blob.ErrSpecial, name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
