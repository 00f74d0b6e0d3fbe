package worker

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// feed is a task's standard input that the publisher streams: a pipe, how much of
// it was written, and how that ended. The process sees the end of its input only
// where the whole was taken and has the right hash; where it has not, the task is
// ended before.
type feed struct {
	stdin  int      // the process's end, until it runs; then -1
	pipe   *os.File // the end that is written
	offset atomic.Uint64
	failed chan struct{} // closed when the task has to end, because it cannot be fed

	// Who holds turn writes to the pipe and owns sum.
	turn chan struct{}
	sum  *protocol.FeedSum

	mu     sync.Mutex
	owner  *feeder       // the newest connection that feeds it
	hearer *feeder       // the owner, once it was told that the feed goes on
	beat   *time.Timer   // while there is a hearer
	end    *protocol.Fed // set once
}

// pipeSize is what a task may have waiting, where the kernel allows it.
const pipeSize = 1 << 20

func newFeed() (*feed, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe for its standard input: %w", err)
	}
	// Unprivileged users may have only so many large pipes; a small one serves too.
	unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, pipeSize)
	unix.SetNonblock(p[1], true) // so that a write can be interrupted
	return &feed{stdin: p[0], pipe: os.NewFile(uintptr(p[1]), "stdin"), failed: make(chan struct{}), turn: make(chan struct{}, 1), sum: protocol.NewFeedSum()}, nil
}

// own takes the feed over from whoever fed it before.
func (f *feed) own(c *feeder) error {
	f.mu.Lock()
	if old := f.owner; old != nil {
		old.out.close(errReplaced)
		f.pipe.SetWriteDeadline(time.Unix(1, 0))
	}
	f.owner = c
	f.mu.Unlock()
	f.turn <- struct{}{} // the former owner's reads and writes fail by now
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owner != c { // and so do this one's
		<-f.turn
		return errReplaced
	}
	f.pipe.SetWriteDeadline(time.Time{})
	return nil
}

// open answers the owner's Feed, and says whether the feed goes on.
func (f *feed) open(c *feeder, from uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := protocol.Fed{Offset: f.offset.Load()}
	switch {
	case f.end != nil:
		answer = *f.end
	case answer.Offset != from:
		answer.End = protocol.FedElsewhere
	default:
		f.hearer = c
		f.beat = time.AfterFunc(feedBeat, f.report)
	}
	c.out.send(&answer)
	return answer.End == protocol.FedOn
}

// report tells the owner from time to time how far the feed is.
func (f *feed) report() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hearer != nil && f.end == nil {
		f.hearer.out.send(&protocol.Fed{Offset: f.offset.Load()})
		f.beat.Reset(feedBeat)
	}
}

// leave ends what own began.
func (f *feed) leave(c *feeder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owner == c {
		f.owner = nil
	}
	if f.hearer != nil {
		f.hearer = nil
		f.beat.Stop()
	}
	<-f.turn
}

var errReplaced = errors.New("another connection feeds the task")

// write gives bytes to the process. Only a replaced owner gets an error.
func (f *feed) write(p []byte) error {
	n, err := f.pipe.Write(p)
	f.sum.Write(p[:n])
	return f.wrote(n, err)
}

// chunk gives the process what it has not had yet of the chunk that is fed: data,
// which has the hash h.
func (f *feed) chunk(h types.Hash, data []byte) error {
	had := f.offset.Load() % protocol.ChunkSize
	if had >= uint64(len(data)) {
		return fmt.Errorf("%w: a chunk of %d bytes, of which %d were fed before", protocol.ErrInvalid, len(data), had)
	}
	rest := data[had:]
	n, err := f.pipe.Write(rest)
	if n == protocol.ChunkSize {
		f.sum.Chunk(h)
	} else {
		f.sum.Write(rest[:n])
	}
	return f.wrote(n, err)
}

// wrote notes how much the pipe took, and why not more.
func (f *feed) wrote(n int, err error) error {
	f.offset.Add(uint64(n))
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errReplaced
	case errors.Is(err, os.ErrClosed): // it has ended
	default: // EPIPE
		f.finish(protocol.Fed{End: protocol.FedEarly})
	}
	return nil
}

// complete compares what was taken with what was sent.
func (f *feed) complete(m *protocol.FeedEnd) {
	size, sum := f.offset.Load(), f.sum.Sum()
	fail := func(format string, args ...any) {
		f.finish(protocol.Fed{End: protocol.FedFailed, Error: sentence(fmt.Sprintf(format, args...))})
	}
	switch {
	case m.Error != "":
		fail("its standard input cannot be had: %s", m.Error)
	case m.Size != size:
		fail("its standard input has %d bytes, of which %d came", m.Size, size)
	case m.Hash != sum:
		fail("its standard input of %d bytes came with the hash %s, not %s", size, sum, m.Hash)
	default:
		f.finish(protocol.Fed{End: protocol.FedWhole})
	}
}

// lacks tells the owner that a blob is not there as it was named, and ends its turn
// to feed; the feed itself goes on.
func (f *feed) lacks(c *feeder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hearer == c && f.end == nil {
		c.out.send(&protocol.Fed{Offset: f.offset.Load(), End: protocol.FedLacking})
	}
}

// ended reports whether nothing more is taken.
func (f *feed) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end != nil
}

// finish ends the feed, tells its owner, and returns how it has ended: the first
// end counts.
func (f *feed) finish(end protocol.Fed) protocol.Fed {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end == nil {
		end.Offset = f.offset.Load()
		f.end = &end
		if end.End == protocol.FedFailed {
			close(f.failed) // the pipe stays open: the process must not see an end
		} else {
			f.pipe.Close()
		}
		if f.hearer != nil {
			f.hearer.out.send(f.end)
		}
	}
	return *f.end
}

// begun closes the process's end, which is the process's now.
func (f *feed) begun() {
	if f.stdin >= 0 {
		unix.Close(f.stdin)
		f.stdin = -1
	}
}

// over ends the feed with its task.
func (f *feed) over() protocol.Fed {
	f.begun()
	end := f.finish(protocol.Fed{End: protocol.FedEarly})
	f.pipe.Close()
	return end
}

// verdict changes the end of a task as its feed wants it: what ends well without
// having taken all had closed its input by itself, or did not get it.
func (f *feed) verdict(out *protocol.Exited) {
	switch end := f.over(); {
	case out.Class != protocol.ClassOK:
	case end.End == protocol.FedFailed:
		out.Class, out.Message = protocol.ClassStage, end.Error
	case end.End == protocol.FedEarly:
		out.Message = fmt.Sprintf("closed its standard input before its end, after %d bytes", end.Offset)
	}
}
