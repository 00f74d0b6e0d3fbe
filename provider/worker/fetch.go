package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
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
		data = make([]byte, 0)
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
		answer := protocol.Data{Bytes: []byte{}}
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
		if err == nil {
			if cap(data) < int(min(m.Length, protocol.ChunkSize)) {
				data = make([]byte, min(m.Length, protocol.ChunkSize))
			}
			var n int
			n, err = f.ReadAt(data[:min(m.Length, protocol.ChunkSize)], int64(m.Offset))
			if errors.Is(err, io.EOF) {
				err = nil
			}
			answer.Bytes = data[:n]
		}
		if err != nil {
			answer = protocol.Data{Bytes: []byte{}, Error: sentence(err.Error())}
		}
		if buf, err = protocol.AppendFrame(buf[:0], &answer); err != nil {
			return err
		}
		conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := conn.Write(buf); err != nil {
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
