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

// Dial opens a new stream to the worker, past any StreamHeader.
type Dial = func(ctx context.Context) (io.ReadWriteCloser, error)

// Event is a message about a task; exactly one field is set.
type Event struct {
	Started *protocol.Started
	Said    *protocol.Said
	Exited  *protocol.Exited
}

const (
	maxQueued = 64 << 20        // bytes waiting to be sent on the control connection
	maxEvents = 1024            // waiting to be received; then the worker has to wait
	stall     = 2 * time.Minute // without a byte in a transfer under way
	closeWait = 5 * time.Second // to send what is queued
	maxIdle   = 4               // fetch connections kept for the next
)

// Client is one control connection to a worker. It is safe for concurrent use.
type Client struct {
	dial   Dial
	conn   io.ReadWriteCloser
	tasks  []protocol.TaskInfo
	events chan Event
	done   chan struct{} // closed once reader and writer have ended
	ending chan struct{} // closed by the first fail

	mu       sync.Mutex
	more     sync.Cond
	queue    []byte
	err      error
	closing  bool // nothing more is queued
	seq      uint64
	readings map[uint64]chan protocol.Reading
	idle     []*fetcher
}

// Connect opens the control connection and reads its Greeting. It takes the place
// of an older one.
func Connect(ctx context.Context, dial Dial) (*Client, error) {
	conn, in, err := open(ctx, dial, protocol.PurposeControl)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	greeting, err := protocol.Read[protocol.Greeting](in)
	if !stop() {
		err = ctx.Err()
	}
	if err == nil && greeting.Version != protocol.WorkerVersion {
		err = fmt.Errorf("%w: %d, not %d", ErrVersion, greeting.Version, protocol.WorkerVersion)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting of the worker: %w", err)
	}
	c := &Client{dial: dial, conn: conn, tasks: greeting.Tasks, events: make(chan Event, maxEvents),
		done: make(chan struct{}), ending: make(chan struct{}), readings: map[uint64]chan protocol.Reading{}}
	c.more.L = &c.mu
	var both sync.WaitGroup
	both.Go(func() { c.fail(c.read(in)) })
	both.Go(func() { c.fail(c.write()) })
	go func() {
		both.Wait()
		close(c.events)
		close(c.done)
	}()
	return c, nil
}

// open dials and says what the connection is for.
func open(ctx context.Context, dial Dial, purpose string) (io.ReadWriteCloser, *bufio.Reader, error) {
	conn, err := dial(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("dial the worker: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err = protocol.WriteMessage(conn, &protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: purpose})
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("greet the worker: %w", err)
	}
	return conn, bufio.NewReaderSize(conn, 64<<10), nil
}

// Tasks is what the worker held when the connection began.
func (c *Client) Tasks() []protocol.TaskInfo { return c.tasks }

// Run asks for a task. It returns once the request is queued; Started and Exited
// come as events.
func (c *Client) Run(r protocol.Run) error {
	if err := r.Validate(); err != nil {
		return err
	}
	return c.send(&r)
}

// Kill ends a task: TERM, and KILL after graceSeconds. Exited follows.
func (c *Client) Kill(id string, graceSeconds uint32) error {
	return c.send(&protocol.Kill{ID: id, GraceSeconds: graceSeconds})
}

// Release makes the worker forget a task and delete its files: at once where it
// has ended, else when it ends.
func (c *Client) Release(id string) error { return c.send(&protocol.Release{ID: id}) }

// Events delivers what happens to tasks, in order. It is closed when the
// connection ends. Who does not receive holds up the connection.
func (c *Client) Events() <-chan Event { return c.events }

// Measure asks for a reading from inside the container.
func (c *Client) Measure(ctx context.Context) (protocol.Reading, error) {
	answer := make(chan protocol.Reading, 1)
	c.mu.Lock()
	c.seq++
	seq := c.seq
	c.readings[seq] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.readings, seq)
		c.mu.Unlock()
	}()
	if err := c.send(&protocol.Measure{Seq: seq}); err != nil {
		return protocol.Reading{}, err
	}
	select {
	case r := <-answer:
		return r, nil
	case <-c.ending:
		return protocol.Reading{}, c.reason()
	case <-ctx.Done():
		return protocol.Reading{}, ctx.Err()
	}
}

// Done is closed when the connection has ended; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is nil until Done is closed; ErrClosed after Close.
func (c *Client) Err() error {
	select {
	case <-c.done:
		return c.reason()
	default:
		return nil
	}
}

func (c *Client) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close sends what is queued, ends the connection and waits for that. Tasks go on.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closing = true
	c.more.Signal()
	c.mu.Unlock()
	timer := time.AfterFunc(closeWait, func() { c.fail(ErrClosed) })
	defer timer.Stop()
	<-c.done
	return nil
}

// fail ends the connection; the first cause stays.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = fmt.Errorf("the worker's connection ended: %w", io.ErrUnexpectedEOF)
	}
	c.err = err
	c.conn.Close()
	for _, f := range c.idle {
		f.conn.Close()
	}
	c.idle = nil
	c.more.Signal()
	close(c.ending)
}

func (c *Client) send(m protocol.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.closing {
		return ErrClosed
	}
	if len(c.queue) > maxQueued {
		return fmt.Errorf("%w: %d bytes are waiting", ErrQueue, len(c.queue))
	}
	queue, err := protocol.AppendFrame(c.queue, m)
	if err != nil {
		return err
	}
	c.queue = queue
	c.more.Signal()
	return nil
}

// write sends what is queued; all that came during one write goes out in the next.
func (c *Client) write() error {
	var out []byte
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && c.err == nil && !c.closing {
			c.more.Wait()
		}
		if c.err != nil {
			c.mu.Unlock()
			return nil
		}
		if len(c.queue) == 0 {
			c.mu.Unlock()
			return ErrClosed
		}
		out, c.queue = c.queue, out[:0]
		c.mu.Unlock()
		// A worker always reads; what it has not taken after this time it never will.
		timer := time.AfterFunc(stall, func() { c.fail(ErrStalled) })
		_, err := c.conn.Write(out)
		timer.Stop()
		if err != nil {
			return err
		}
		if cap(out) > 1<<20 {
			out = nil
		}
	}
}

func (c *Client) read(in io.Reader) error {
	for {
		m, err := protocol.ReadMessage(in)
		if err != nil {
			return err
		}
		var ev Event
		switch m := m.(type) {
		case *protocol.Started:
			ev.Started = m
		case *protocol.Said:
			ev.Said = m
		case *protocol.Exited:
			ev.Exited = m
		case *protocol.Reading:
			c.mu.Lock()
			answer := c.readings[m.Seq]
			delete(c.readings, m.Seq)
			c.mu.Unlock()
			if answer != nil {
				answer <- *m
			}
			continue
		default:
			return fmt.Errorf("%w: %T from a worker", protocol.ErrKind, m)
		}
		select {
		case c.events <- ev:
		case <-c.ending: // a closing client does not wait for its receiver
			return nil
		}
	}
}
