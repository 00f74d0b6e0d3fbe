package worker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

const (
	feedWait = 30 * time.Second // for the Run of a task that is fed already
	feedBeat = 20 * time.Second // between two Fed of a feed that goes on
)

// feeder is one stdin connection.
type feeder struct {
	server *Server
	in     *bufio.Reader
	out    *outbox
	buf    []byte
	feed   *feed // whose turn it has, or nil
}

// serveStdin feeds tasks, one after another.
func (s *Server) serveStdin(conn net.Conn, in *bufio.Reader) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	c := &feeder{server: s, in: in, out: newOutbox(conn), buf: *buf}
	go c.out.write()
	err := c.serve()
	c.leave()
	c.out.close(err)
	<-c.out.done
	return err
}

func (c *feeder) serve() error {
	for {
		m, n, err := protocol.ReadFeed(c.in)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case nil:
			err = c.take(n)
		case *protocol.Feed:
			err = c.begin(m)
		case *protocol.FeedBlob:
			err = c.blob(m)
		case *protocol.FeedEnd:
			if c.feed != nil {
				c.feed.complete(m)
				c.leave()
			}
		default:
			err = fmt.Errorf("%w: %T on a stdin connection", protocol.ErrKind, m)
		}
		if err != nil {
			return err
		}
	}
}

// begin takes the turn to feed a task, and says from where.
func (c *feeder) begin(m *protocol.Feed) error {
	c.leave()
	f, err := c.server.fed(m.ID)
	if err != nil {
		c.out.send(&protocol.Fed{End: protocol.FedFailed, Error: sentence(err.Error())})
		return nil
	}
	if err := f.own(c); err != nil {
		return err
	}
	c.feed = f
	if !f.open(c, m.From) {
		c.leave()
	}
	return nil
}

// leave ends the turn.
func (c *feeder) leave() {
	if c.feed != nil {
		c.feed.leave(c)
		c.feed = nil
	}
}

// take gives the content of a Data to the task, or drops it where the feed has
// ended.
func (c *feeder) take(n int) error {
	for n > 0 {
		p := c.buf[:min(n, len(c.buf))]
		if _, err := io.ReadFull(c.in, p); err != nil {
			return err
		}
		n -= len(p)
		if c.feed != nil {
			if err := c.feed.write(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// blob gives a chunk that lies here already to the task, as take does.
func (c *feeder) blob(m *protocol.FeedBlob) error {
	if c.feed == nil || c.feed.ended() {
		return nil
	}
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	data := (*buf)[:m.Size]
	if err := c.server.readBlob(m.Hash, data); err != nil {
		c.server.cfg.Log.Debug("a chunk is fed anew", "err", err)
		c.feed.lacks(c)
		c.leave()
		return nil
	}
	return c.feed.chunk(m.Hash, data)
}

// chunks holds buffers of one chunk each.
var chunks = sync.Pool{New: func() any { b := make([]byte, protocol.ChunkSize); return &b }}

// fed finds the feed of a task. The task's Run, which comes over another
// connection, may be a little behind.
func (s *Server) fed(id string) (*feed, error) {
	var timer *time.Timer
	for {
		s.mu.Lock()
		t, came := s.tasks[id], s.came
		if came == nil {
			came = make(chan struct{})
			s.came = came
		}
		s.mu.Unlock()
		switch {
		case t != nil && t.feed != nil:
			return t.feed, nil
		case t != nil:
			return nil, fmt.Errorf("%w: the standard input of %q is not fed", ErrTask, id)
		}
		if timer == nil {
			timer = time.NewTimer(feedWait)
			defer timer.Stop()
		}
		select {
		case <-came:
		case <-s.stopping.Done():
			return nil, fmt.Errorf("%w: %q: the worker ends", ErrTask, id)
		case <-timer.C:
			return nil, fmt.Errorf("%w: %q", ErrTask, id)
		}
	}
}
