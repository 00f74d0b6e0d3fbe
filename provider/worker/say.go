package worker

import (
	"bufio"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/protocol"
)

// voice is a pipe through which the worker's own program, as a task, says how it
// stands: a line at a time, which goes to whoever listens.
type voice struct {
	pipe *os.File
	done chan struct{}
}

// longestSay is what is read of a line at most.
const longestSay = 4 << 10

// listen makes the task's voice, and gives the end of it that is the program's.
func (t *task) listen(tell func(text string)) (theirs int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, fmt.Errorf("pipe for what it says: %w", err)
	}
	unix.SetNonblock(p[0], true) // so that a read can be interrupted
	v := &voice{pipe: os.NewFile(uintptr(p[0]), "say"), done: make(chan struct{})}
	t.voice = v
	go func() {
		defer close(v.done)
		in := bufio.NewReaderSize(v.pipe, longestSay)
		for start := true; ; {
			line, err := in.ReadSlice('\n')
			if err != nil && err != bufio.ErrBufferFull {
				return
			}
			if start {
				tell(protocol.Line(string(line)))
			}
			start = err == nil
		}
	}()
	return p[1], nil
}

// close ends the listening, whoever still holds the other end.
func (v *voice) close() {
	if v == nil {
		return
	}
	v.pipe.Close()
	<-v.done
}

// said tells the publisher.
func (s *Server) said(t *task, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(&protocol.Said{ID: t.run.ID, Text: text})
}
