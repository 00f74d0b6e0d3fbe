package worker

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// serve runs a worker in this process: not as an init, but it reaps all the same.
// What only an init of a container can show is in runtime/conformance.
func serve(t testing.TB) (dial client.Dial, dir string) {
	t.Helper()
	dir = t.TempDir()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, listener, Config{Dir: dir, Blobs: filepath.Join(dir, "blobs")}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(ctx context.Context) (io.ReadWriteCloser, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}, dir
}

func connect(t testing.TB, dial client.Dial) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exited waits for the next end of a task.
func exited(t testing.TB, c *client.Client) *protocol.Exited {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case ev, ok := <-c.Events():
			if !ok {
				t.Fatal(c.Err())
			}
			if ev.Exited != nil {
				return ev.Exited
			}
		case <-deadline:
			t.Fatal("no task ends")
		}
	}
}

// TestTermReachesLateChildren: a process that is forked while others get their TERM, and
// outlives its parent, gets one too: the task's end does not wait for the grace time.
func TestTermReachesLateChildren(t *testing.T) {
	dial, dir := serve(t)
	c := connect(t, dial)
	ready := filepath.Join(dir, "ready")
	script := `trap 'sleep 1000 & exit 3' TERM; echo > ` + ready + `; while :; do sleep 0.02; done`
	if err := c.Run(protocol.Run{ID: "0.1", Command: []string{"sh", "-c", script}, GraceSeconds: 120}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it did not start")
		}
	}
	if err := c.Kill("0.1", 120); err != nil {
		t.Fatal(err)
	}
	if e := exited(t, c); e.Class != protocol.ClassKilled || e.Code != 3 {
		t.Errorf("ended with %q, %d", e.Class, e.Code)
	}
}

// BenchmarkNoop is one `true` on a worker in this process, for profiles; the
// figures for a container are in package runtime.
func BenchmarkNoop(b *testing.B) {
	dial, _ := serve(b)
	c := connect(b, dial)
	i := 0
	for b.Loop() {
		id := fmt.Sprint("t", i)
		i++
		if err := c.Run(protocol.Run{ID: id, Command: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
		if e := exited(b, c); e.Class != protocol.ClassOK {
			b.Fatal(e.Message)
		}
		c.Release(id)
	}
}

// fullUsage has large numbers for every counter that a task's usage has.
var fullUsage = syscall.Rusage{Utime: syscall.Timeval{Sec: 1 << 32}, Stime: syscall.Timeval{Sec: 1 << 32}, Minflt: 1 << 60, Majflt: 1 << 60, Inblock: 1 << 50, Oublock: 1 << 50}
