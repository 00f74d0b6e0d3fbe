package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

// Source opens a task's whole standard input, from its first byte on. Opened
// again, it must give the same bytes.
type Source = func(ctx context.Context) (io.ReadCloser, error)

// Feeder streams into the standard input of a worker's tasks, over connections of
// its own. It is safe for concurrent use. A feed holds less than a MiB; one whose
// chunks are kept (Split.Store) up to eight.
type Feeder struct {
	dial Dial

	mu     sync.Mutex
	idle   []*feedConn
	closed bool
}

// NewFeeder makes a Feeder. It outlives control connections; Close it.
func NewFeeder(dial Dial) *Feeder { return &Feeder{dial: dial} }

const (
	feedSize     = 256 << 10              // bytes read and sent at once
	maxFeedIdle  = 4                      // connections kept for the next feeds
	redialPause  = 100 * time.Millisecond // doubled up to 32 times, before a broken connection is made again
	maxRedialing = 5
)

// Feed streams a task's standard input until the worker has taken it whole
// (protocol.FedWhole) or the process wants no more (protocol.FedEarly). Where a
// connection breaks, it goes on over a new one, until ctx ends. fresh says that
// nothing was fed to the task before: the first bytes are then sent unasked.
//
// ErrSource where the source cannot be opened or read: the worker then ends the
// task with class "stage" and the source's words. ErrWorker where the worker
// refuses, or did not get what was sent; that ends the task, too.
func (f *Feeder) Feed(ctx context.Context, id string, fresh bool, source Source) (protocol.Fed, error) {
	fed, _, err := f.FeedSplit(ctx, id, fresh, Split{Source: source})
	return fed, err
}

// FeedSplit is Feed of an input whose chunks are in the container's blob store, or
// come into it on the way.
func (f *Feeder) FeedSplit(ctx context.Context, id string, fresh bool, split Split) (protocol.Fed, Learnt, error) {
	buf := feedBuffers.Get().(*[]byte)
	defer feedBuffers.Put(buf)
	a := &feeding{id: id, source: split.Source, store: split.Store, room: split.Room, known: split.Known, buf: *buf, asked: fresh}
	if a.known != nil && !a.known.valid() {
		a.known = nil
	}
	defer a.close()
	fed, err := f.feed(ctx, a)
	return fed, a.learnt, err
}

func (f *Feeder) feed(ctx context.Context, a *feeding) (protocol.Fed, error) {
	for {
		fed, err := f.once(ctx, a)
		switch {
		case err == nil:
			return fed, nil
		case ctx.Err() != nil:
			err = ctx.Err()
			fallthrough
		case errors.Is(err, ErrSource), errors.Is(err, ErrWorker), errors.Is(err, ErrClosed):
			return fed, fmt.Errorf("feed of %q: %w", a.id, err)
		}
		a.asked = false // how much has arrived is for the worker to tell
		timer := time.NewTimer(redialPause << min(a.failures, maxRedialing))
		a.failures++
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// Close ends the connections that are kept. Feeds under way go on.
func (f *Feeder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, c := range f.idle {
		c.conn.Close()
	}
	f.idle = nil
}

// once feeds over one connection.
func (f *Feeder) once(ctx context.Context, a *feeding) (protocol.Fed, error) {
	c, err := f.take(ctx)
	if err != nil {
		return protocol.Fed{}, err
	}
	watch := guard(ctx, c.conn)
	c.heard(watch.alive)
	fed, err := a.over(ctx, c)
	c.heard(nil)
	watch.stop()
	if err = watch.cause(err); err != nil && !errors.Is(err, ErrSource) && !errors.Is(err, ErrWorker) {
		c.conn.Close()
		return fed, err
	}
	f.keep(c)
	return fed, err
}

// take returns an idle connection or a new one.
func (f *Feeder) take(ctx context.Context) (*feedConn, error) {
	f.mu.Lock()
	for n := len(f.idle); n > 0; n = len(f.idle) {
		c := f.idle[n-1]
		f.idle = f.idle[:n-1]
		select {
		case <-c.gone:
		default:
			f.mu.Unlock()
			return c, nil
		}
	}
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	conn, in, err := open(ctx, f.dial, protocol.PurposeStdin)
	if err != nil {
		return nil, err
	}
	c := &feedConn{conn: conn, in: in, first: make(chan protocol.Fed, 1), final: make(chan protocol.Fed, 1), gone: make(chan struct{})}
	go c.read()
	return c, nil
}

func (f *Feeder) keep(c *feedConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.idle) >= maxFeedIdle {
		c.conn.Close()
		return
	}
	f.idle = append(f.idle, c)
}

// feedConn is one stdin connection, used by one feed at a time.
type feedConn struct {
	conn  io.ReadWriteCloser
	in    *bufio.Reader
	first chan protocol.Fed // the latest Fed of a feed that goes on
	final chan protocol.Fed // the end of the feed
	gone  chan struct{}     // closed when nothing more can come
	err   error             // why

	mu    sync.Mutex
	alive func() // called for every Fed
}

func (c *feedConn) heard(alive func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive = alive
}

// read takes the worker's answers until the connection ends.
func (c *feedConn) read() {
	defer close(c.gone)
	for {
		fed, err := protocol.Read[protocol.Fed](c.in)
		if err != nil {
			c.err = err
			return
		}
		c.mu.Lock()
		if c.alive != nil {
			c.alive()
		}
		c.mu.Unlock()
		to := c.first
		if fed.End != protocol.FedOn {
			to = c.final
		}
		select {
		case to <- *fed:
		default:
			if fed.End != protocol.FedOn {
				c.err = fmt.Errorf("%w: two ends of one feed", protocol.ErrInvalid)
				c.conn.Close()
				return
			}
		}
	}
}

// feeding is one task's feed over any number of connections.
type feeding struct {
	id     string
	source Source
	buf    []byte
	asked  bool   // it is known from where to go on: at
	at     uint64 // bytes sent, or taken by the worker

	taken    uint64 // the most that the worker told
	failures int    // connections that broke since then

	in   io.ReadCloser // the source, or nil
	read uint64        // bytes read of it
	sum  *protocol.FeedSum
	all  bool // there are no more

	known  *Chunks   // what to feed from the store alone; nil where it is not all there
	store  StoreFunc // nil where nothing is (any more) put there
	room   chan struct{}
	slow   bool   // it takes its time
	kept   []bool // by chunk: the store has it
	learnt Learnt
}

var feedBuffers = sync.Pool{New: func() any { b := make([]byte, feedSize+feedRoom+feedRest); return &b }}

// What goes with the content in one write: before it a Feed and its Data's head,
// after it the FeedEnd.
const (
	feedRoom = protocol.MaxID + 64 + protocol.DataRoom
	feedRest = 128
)

// over feeds over a connection until the feed has ended, or the connection.
func (a *feeding) over(ctx context.Context, c *feedConn) (protocol.Fed, error) {
	select {
	case <-c.first: // of the feed before
	default:
	}
	for {
		frame, err := protocol.AppendFrame(nil, &protocol.Feed{ID: a.id, From: a.at})
		if err != nil {
			return protocol.Fed{}, fmt.Errorf("%w: %w", ErrWorker, err)
		}
		var fed protocol.Fed
		if a.asked {
			fed, err = a.send(ctx, c, frame)
		} else {
			if _, err = c.conn.Write(frame); err == nil {
				fed, err = c.answer(c.first)
			}
			if fed.Offset > a.taken {
				a.taken, a.failures = fed.Offset, 0
			}
			if err == nil && fed.End == protocol.FedOn {
				fed, err = a.send(ctx, c, nil)
			}
		}
		switch {
		case err != nil:
			return fed, err
		case fed.End == protocol.FedElsewhere:
			a.at, a.asked = fed.Offset, true
			continue
		case fed.End == protocol.FedLacking:
			a.at, a.asked = fed.Offset, true
			a.lacks()
			continue
		case fed.End == protocol.FedFailed:
			return fed, fmt.Errorf("%w: %s", ErrWorker, fed.Error)
		}
		return fed, nil
	}
}

// answer waits for the end of the feed, or for something from or as well.
func (c *feedConn) answer(or chan protocol.Fed) (protocol.Fed, error) {
	select {
	case fed := <-c.final:
		return fed, nil
	case fed := <-or:
		return fed, nil
	case <-c.gone:
		fed, _, err := c.ended()
		return fed, err
	}
}

// ended says whether the feed has ended, or the connection.
func (c *feedConn) ended() (fed protocol.Fed, over bool, err error) {
	gone := false
	select {
	case <-c.gone:
		gone = true
	default:
	}
	select {
	case fed = <-c.final: // what came before the connection's end counts
		return fed, true, nil
	default:
	}
	if gone {
		return fed, true, c.err
	}
	return fed, false, nil
}

// send sends what before holds, then the input from at on, and returns the end of
// the feed.
func (a *feeding) send(ctx context.Context, c *feedConn, before []byte) (protocol.Fed, error) {
	switch {
	case a.known != nil:
		return a.sendKnown(c, before)
	case a.store != nil:
		a.close()
		return a.sendKept(ctx, c, before)
	}
	err := a.seek(ctx)
	for err == nil {
		var n int
		if n, err = a.fill(a.buf[feedRoom : feedRoom+feedSize]); err != nil {
			break
		}
		frames, start := a.buf[:feedRoom+n], feedRoom
		if n > 0 {
			start = protocol.SealData(frames, feedRoom)
		}
		start -= len(before)
		copy(frames[start:], before)
		before = nil
		if a.all {
			if frames, err = protocol.AppendFrame(frames, &protocol.FeedEnd{Size: a.read, Hash: a.sum.Sum()}); err != nil {
				return protocol.Fed{}, err
			}
		}
		if _, err := c.conn.Write(frames[start:]); err != nil {
			return protocol.Fed{}, err
		}
		a.at = a.read
		if a.all {
			return c.answer(nil)
		}
		if fed, over, err := c.ended(); over {
			return fed, err
		}
	}
	if ctx.Err() != nil { // the publisher stops; the input is not at fault
		return protocol.Fed{}, ctx.Err()
	}
	return a.fail(c, before, err)
}

// fail tells the worker that the input cannot be had, if it is still wanted.
func (a *feeding) fail(c *feedConn, before []byte, cause error) (protocol.Fed, error) {
	a.close()
	frames, err := protocol.AppendFrame(before, &protocol.FeedEnd{Error: protocol.Sentence(cause.Error())})
	if err != nil {
		return protocol.Fed{}, err
	}
	if _, err := c.conn.Write(frames); err != nil {
		return protocol.Fed{}, err
	}
	fed, err := c.answer(nil)
	if err == nil && fed.End == protocol.FedFailed {
		err = fmt.Errorf("%w: %w", ErrSource, cause)
	}
	return fed, err
}

// seek brings the source to at.
func (a *feeding) seek(ctx context.Context) error {
	if a.in != nil && a.read > a.at {
		a.close()
	}
	if a.in == nil {
		var err error
		a.learnt.Read = true
		if a.in, err = a.source(ctx); err != nil {
			return err
		}
		a.read, a.sum, a.all = 0, protocol.NewFeedSum(), false
	}
	for a.read < a.at {
		n, err := a.fill(a.buf[:min(uint64(len(a.buf)), a.at-a.read)])
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("it has %d bytes, of which %d were sent before", a.read, a.at)
		}
	}
	return nil
}

// fill reads the next bytes of the source, as many as p takes, or all there are.
func (a *feeding) fill(p []byte) (n int, err error) {
	for n < len(p) && !a.all {
		var k int
		k, err = a.in.Read(p[n:])
		n += k
		if errors.Is(err, io.EOF) {
			a.all = true
		} else if err != nil {
			return n, err
		}
	}
	a.sum.Write(p[:n])
	a.read += uint64(n)
	return n, nil
}

// close lets go of the source.
func (a *feeding) close() {
	if a.in != nil {
		a.in.Close()
		a.in = nil
	}
}
