package engine

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/provider/protocol"
)

// TestFrozenWorker stops a worker that holds its connection: what it runs is run
// elsewhere, and that is not the task's fault. Another one that is stopped for a
// moment goes on.
func TestFrozenWorker(t *testing.T) {
	old := pulse
	pulse = pulseTimes{every: 50 * time.Millisecond, wait: 500 * time.Millisecond, dial: time.Second, lost: 3 * time.Second}
	t.Cleanup(func() { pulse = old })
	l := newLab(t)
	id := l.submit(l.marked("*") + `
		array: 0-1
		slots: 2
		retry: {attempts: 1}
		collect: [f]
		outputs: outputs/
		`).ID
	l.until(id, func(s journal.Status) bool { return len(l.ran()) == 2 })
	live := l.market.live()
	for _, lease := range live {
		lease.process.Process.Signal(syscall.SIGSTOP)
	}
	// Its connection was closed and it is dialled again in vain.
	live[1].await(t, "another connection", func() bool { return len(live[1].conns) >= 2 })
	live[1].process.Process.Signal(syscall.SIGCONT)
	s := l.until(id, func(s journal.Status) bool { return len(s.Failures) > 0 })
	if f := s.Failures[0]; f.Class != protocol.ClassProvider || !strings.Contains(f.Message, "does not answer") {
		t.Errorf("failure %+v", f)
	}
	l.goOn()
	s = l.wait(id)
	l.want(s, journal.JobDone, 2, 0)
	if got := l.ran(); got["0"]+got["1"] != 3 || len(s.Failures) != 1 {
		t.Errorf("ran %v, failures %+v", got, s.Failures)
	}
}

// await waits for what is seen under the lease's lock.
func (l *fakeLease) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		there := ok()
		l.mu.Unlock()
		if there {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
