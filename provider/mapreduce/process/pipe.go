package process

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// clock knows when something was last read or written, and whose turn it is.
type clock struct {
	last atomic.Int64 // Unix nanoseconds
	ours atomic.Int32 // how many of the two, input and output, wait for us and not for the program
}

func (c *clock) touch() { c.last.Store(time.Now().UnixNano()) }

// theirs says that one side waits for the program now.
func (c *clock) theirs() {
	c.touch()
	c.ours.Add(-1)
}

// back says that the program has done something, and the side is ours again.
func (c *clock) back() {
	c.touch()
	c.ours.Add(1)
}

// silence is for how long the program has had both sides and done nothing.
func (c *clock) silence() time.Duration {
	if c.ours.Load() > 0 {
		return 0
	}
	return time.Duration(time.Now().UnixNano() - c.last.Load())
}

// usualSize is the size of a pipe if nobody asks, and of one write: small, so that
// a slow reader is seen to read.
const usualSize = 64 << 10

// smallInput is what a program may leave unread: what Hadoop's own buffer holds.
const smallInput = 128 << 10

// input is the program's standard input.
//
// Its pipe has Linux's usual size at first, so that a program that reads nothing is
// found out as early as under Hadoop, and grows once the program has shown that it
// reads.
type input struct {
	file    *os.File
	clock   *clock
	written int64
	grown   bool
	broken  bool
}

// Write implements io.Writer; the error is ErrBrokenPipe where the program reads no more.
func (w *input) Write(p []byte) (int, error) {
	w.clock.theirs()
	defer w.clock.back()
	for rest := p; len(rest) > 0 && !w.broken; {
		n, err := w.file.Write(rest[:min(len(rest), usualSize)])
		w.clock.touch()
		rest = rest[n:]
		if errors.Is(err, syscall.EPIPE) {
			w.broken = true
		} else if err != nil {
			return 0, err
		}
	}
	w.written += int64(len(p))
	if w.broken && w.written > smallInput {
		return 0, ErrBrokenPipe
	}
	if !w.grown && w.written >= pipeSize {
		w.grown = true
		resize(w.file, pipeSize)
	}
	return len(p), nil
}

// close ends the program's input. From now on the program has this side.
func (w *input) close() error {
	w.clock.theirs()
	return w.file.Close()
}

// reader reads what the program writes. While what was read is dealt with, the
// program's silence is ours.
type reader struct {
	file  *os.File
	clock *clock
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	r.clock.theirs()
	n, err := r.file.Read(p)
	r.clock.back()
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}
