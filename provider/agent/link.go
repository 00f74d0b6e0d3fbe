package agent

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// link is one lease stream: a reader that hands messages to the lease, and a
// writer that sends what the lease queued.
type link struct {
	stream network.Stream
	out    chan protocol.Message
	quiet  atomic.Int64 // ns without a message after which the peer is asked for a sign of life; 0 = patience
	wg     sync.WaitGroup

	mu   sync.Mutex
	over bool // the link is not used any more: out is closed, and the deadline for reading is the last
}

const (
	maxQueued = 32               // messages waiting to be sent; more, and the peer does not read
	patience  = 10 * time.Minute // for a message, while the other side may think
)

// newLink starts the two ends of a stream. received gets each message, lost the
// end of the stream, both from the reader's goroutine. alive asks whether the peer
// is still there, when nothing was heard for too long.
func newLink(s network.Stream, alive func() error, received func(protocol.Message), lost func(error)) *link {
	l := &link{stream: s, out: make(chan protocol.Message, maxQueued)}
	l.wg.Go(func() {
		r := bufio.NewReaderSize(s, 4<<10)
		for {
			m, err := l.read(r, alive)
			if err != nil {
				lost(err)
				return
			}
			received(m)
		}
	})
	l.wg.Go(l.write)
	return l
}

// read reads one message, no longer than a lease's messages are. A peer that is
// silent but alive may take its time: what it owes is the machine's to judge.
func (l *link) read(r *bufio.Reader, alive func() error) (protocol.Message, error) {
	for {
		wait := time.Duration(l.quiet.Load())
		if wait == 0 {
			wait = patience
		}
		if err := l.deadline(wait); err != nil {
			return nil, err
		}
		_, err := r.Peek(1)
		if err == nil {
			break
		}
		if !isTimeout(err) || l.isOver() {
			return nil, err
		}
		if err := alive(); err != nil {
			return nil, err
		}
	}
	if err := l.deadline(writeTime); err != nil {
		return nil, err
	}
	return readBounded(r, maxLeaseFrame)
}

// deadline bounds the next wait for bytes. After hangup the last one stands.
func (l *link) deadline(wait time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil
	}
	return l.stream.SetReadDeadline(time.Now().Add(wait))
}

func (l *link) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// readBounded reads a message whose frame has at most bound bytes, without
// allocating more.
func readBounded(r *bufio.Reader, bound uint32) (protocol.Message, error) {
	head, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	if n := binary.BigEndian.Uint32(head); n > bound {
		return nil, fmt.Errorf("%w: a frame of %d bytes, at most %d", protocol.ErrTooLarge, n, bound)
	}
	return protocol.ReadMessage(r)
}

// write sends what is queued until the queue is closed, then ends the stream in
// order; a message that does not go in time breaks it.
func (l *link) write() {
	for m := range l.out {
		err := l.stream.SetWriteDeadline(time.Now().Add(writeTime))
		if err == nil {
			err = protocol.WriteMessage(l.stream, m)
		}
		if err != nil {
			l.stream.Reset()
			for range l.out { // what was queued is lost
			}
			return
		}
	}
	if l.stream.CloseWrite() != nil {
		l.stream.Reset()
	}
}

// send queues m. A full queue breaks the link: the peer does not read.
func (l *link) send(m protocol.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	select {
	case l.out <- m:
	default:
		l.stream.Reset()
	}
}

// hangup ends the link after what was queued. The peer has writeTime to end its
// side.
func (l *link) hangup() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.over = true
		close(l.out)
		l.stream.SetReadDeadline(time.Now().Add(writeTime))
	}
}

// drop ends the link at once.
func (l *link) drop() {
	l.stream.Reset()
	l.hangup()
}

// dial connects to a publisher, which must be the holder of addr, and opens a
// lease stream.
func (a *Agent) dial(ctx context.Context, addr types.Address, addrs []string) (network.Stream, error) {
	if err := peer.Dial(ctx, a.cfg.Host, addr, addrs); err != nil {
		return nil, err
	}
	return peer.Open(ctx, a.cfg.Host, addr, peer.LeaseProtocol)
}

// isTimeout reports whether err is a deadline that passed, not an end.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
