package worker

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

const (
	maxQueued    = 32 << 20        // bytes; a publisher that reads so little gets a new Greeting when it is back
	writeTimeout = 2 * time.Minute // one write to the socket
)

// outbox sends frames on a connection: what is queued while one write is under
// way goes out together in the next.
type outbox struct {
	conn net.Conn
	mu   sync.Mutex
	more sync.Cond
	buf  []byte
	err  error // set once: nothing is sent any more
	done chan struct{}
}

func newOutbox(conn net.Conn) *outbox {
	o := &outbox{conn: conn, done: make(chan struct{})}
	o.more.L = &o.mu
	return o
}

// send queues a message; it never blocks. After an error it does nothing.
func (o *outbox) send(m protocol.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	buf, err := protocol.AppendFrame(o.buf, m)
	if err == nil && len(buf) > maxQueued {
		err = fmt.Errorf("%w: %d bytes are waiting", ErrSlow, len(buf))
	}
	if err != nil {
		o.err = err
		o.conn.Close()
	}
	o.buf = buf
	o.more.Signal()
}

// write runs until close.
func (o *outbox) write() {
	defer close(o.done)
	var out []byte
	for {
		o.mu.Lock()
		for len(o.buf) == 0 && o.err == nil {
			o.more.Wait()
		}
		if o.err != nil {
			o.mu.Unlock()
			return
		}
		out, o.buf = o.buf, out[:0]
		o.mu.Unlock()
		o.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := o.conn.Write(out); err != nil {
			o.close(err)
			return
		}
		if cap(out) > 1<<20 {
			out = nil
		}
	}
}

// close ends the connection and lets write return.
func (o *outbox) close(err error) {
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	o.more.Signal()
	o.mu.Unlock()
	o.conn.Close()
}
