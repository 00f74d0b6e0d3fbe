package worker

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

// Between two looks at a stream that is followed: soon after it has grown, later
// while it is still.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 200 * time.Millisecond
)

// serveLogs sends a task's output from an offset on, and what is added, until the
// task has ended.
func (s *Server) serveLogs(conn net.Conn, in io.Reader) error {
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	m, err := protocol.Read[protocol.Logs](in)
	if err != nil {
		return err
	}
	conn.SetReadDeadline(time.Time{})
	s.mu.Lock()
	t := s.tasks[m.ID]
	s.mu.Unlock()
	if t == nil {
		return fmt.Errorf("%w: %q", ErrTask, m.ID)
	}
	gone := make(chan struct{}) // the other side has hung up: nobody follows
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		defer close(gone)
		io.Copy(io.Discard, in)
	}()
	var f readable
	defer func() {
		if f != nil {
			f.Close()
		}
		conn.Close() // lets the reader above end
		<-gone
	}()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	offset, wait := int64(m.Offset), firstLook
	for {
		ended := isClosed(t.done)
		if f == nil {
			f, err = openRegular(s.root, t.log(m.Stderr))
			if err != nil {
				f = nil // not made yet, or gone
			}
		}
		n := 0
		if f != nil {
			if n, err = f.ReadAt(*buf, offset); n > 0 {
				conn.SetWriteDeadline(time.Now().Add(writeTimeout))
				if _, err := conn.Write((*buf)[:n]); err != nil {
					return err
				}
				offset += int64(n)
			}
		}
		switch {
		case n == len(*buf):
			continue
		case ended || !m.Follow:
			return nil
		case n > 0:
			wait = firstLook
		}
		select {
		case <-gone:
			return nil
		case <-s.stopping.Done():
			return nil
		case <-t.done:
		case <-time.After(wait):
			wait = min(2*wait, lastLook)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
