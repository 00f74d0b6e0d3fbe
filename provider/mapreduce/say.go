package mapreduce

import (
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/protocol"
)

// sayEvery is how often a task says how it stands, at most.
const sayEvery = time.Second

// teller says what the user's program last reported as its status: at once where it
// has not said anything for a while, else when that has passed, and then the newest.
type teller struct {
	to    io.Writer // a line at a time
	every time.Duration

	mu     sync.Mutex
	next   time.Time // nothing is said before
	newest string
	timer  *time.Timer // while something waits
}

// say takes a status.
func (t *teller) say(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest = text
	switch wait := time.Until(t.next); {
	case t.timer != nil:
	case wait > 0:
		t.timer = time.AfterFunc(wait, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.timer = nil
			t.tell()
		})
	default:
		t.tell()
	}
}

// tell writes the newest status; who cannot listen misses it.
func (t *teller) tell() {
	_, _ = io.WriteString(t.to, protocol.Line(t.newest)+"\n")
	t.next = time.Now().Add(t.every)
}

// sayTo takes the descriptor that the worker gave, so that no program of the user's
// gets it; without one nothing is said.
func sayTo() io.Writer {
	fd, err := strconv.Atoi(os.Getenv(protocol.EnvSay))
	os.Unsetenv(protocol.EnvSay)
	if err != nil || fd <= 2 {
		return io.Discard
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "say")
}
