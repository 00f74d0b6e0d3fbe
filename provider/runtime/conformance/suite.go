package conformance

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
	"github.com/zennet/zennet/provider/worker/client"
)

// Runtime is what the suite tests.
type Runtime interface {
	Start(ctx context.Context, s runtime.Spec) error
	Dial(ctx context.Context, id string) (net.Conn, error)
	Freeze(ctx context.Context, id string) error
	Thaw(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
	List(ctx context.Context) ([]string, error)
	Status(ctx context.Context, id string) (runtime.Status, error)
	Wait(ctx context.Context, id string) (runtime.Status, error)
	Cgroup(id string) meter.Paths
	Versions(ctx context.Context, image string, programs []string) (map[string]string, error)
}

// patience bounds every wait of the suite.
const patience = 60 * time.Second

// Suite tests a runtime. open makes one on a folder: called again with the same
// folder it is the same runtime after a restart of its process.
func Suite(t *testing.T, open func(t *testing.T, dir string) Runtime) {
	s := &suite{open: open}
	t.Run("Lifecycle", s.lifecycle)
	t.Run("Smallest", s.smallest)
	t.Run("Restart", s.restart)
	t.Run("Parallel", s.parallel)
	t.Run("Freeze", s.freeze)
	t.Run("Images", s.images)
	t.Run("Versions", s.versions)
	t.Run("Refusals", s.refusals)
	t.Run("Tasks", s.tasks)
	t.Run("Walls", s.walls)
	t.Run("Hogs", s.hogs)
	t.Run("Outputs", s.outputs)
	t.Run("Connections", s.connections)
	t.Run("ManyShortTasks", s.manyShortTasks)
}

type suite struct {
	open func(t *testing.T, dir string) Runtime
}

// spec is a container that is large enough for the suite's tasks.
func spec(id string) runtime.Spec {
	return runtime.Spec{ID: id, Image: runtime.HostImage, MilliCPU: 2000, Memory: 256 << 20, Disk: 256 << 20, Pids: 64}
}

// container is a started container with a client.
type container struct {
	owner  *testing.T // of the container
	t      *testing.T // that is running
	rt     Runtime
	id     string
	client *client.Client
	seen   map[string]*protocol.Exited
}

// start starts a container that is removed with the test.
func (s *suite) start(t *testing.T, change func(*runtime.Spec)) *container {
	t.Helper()
	rt := s.open(t, t.TempDir())
	sp := spec("c")
	if change != nil {
		change(&sp)
	}
	return startOn(t, rt, sp)
}

func startOn(t *testing.T, rt Runtime, sp runtime.Spec) *container {
	t.Helper()
	ctx := within(t)
	if err := rt.Start(ctx, sp); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Remove(context.Background(), sp.ID); err != nil {
			t.Error(err)
		}
	})
	c := &container{owner: t, t: t, rt: rt, id: sp.ID, seen: map[string]*protocol.Exited{}}
	c.connect()
	return c
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (c *container) dial(ctx context.Context) (io.ReadWriteCloser, error) {
	return c.rt.Dial(ctx, c.id)
}

// connect makes a new control connection.
func (c *container) connect() {
	c.t.Helper()
	cl, err := client.Connect(within(c.t), c.dial)
	if err != nil {
		c.t.Fatal(err)
	}
	c.owner.Cleanup(func() { cl.Close() })
	c.client = cl
}

// run runs a task to its end.
func (c *container) run(r protocol.Run) *protocol.Exited {
	c.t.Helper()
	c.begin(r)
	return c.wait(r.ID)
}

// sh runs a shell script to its end, with a timeout.
func (c *container) sh(id, script string) *protocol.Exited {
	c.t.Helper()
	return c.run(protocol.Run{ID: id, Command: []string{"/bin/sh", "-c", script}, TimeoutSeconds: 40, GraceSeconds: 1})
}

func (c *container) python(id, script string) *protocol.Exited {
	c.t.Helper()
	return c.run(protocol.Run{ID: id, Command: []string{"/usr/bin/python3", "-c", script}, TimeoutSeconds: 40, GraceSeconds: 1})
}

func (c *container) begin(r protocol.Run) {
	c.t.Helper()
	if err := c.client.Run(r); err != nil {
		c.t.Fatal(err)
	}
}

// wait waits for a task's end.
func (c *container) wait(id string) *protocol.Exited {
	c.t.Helper()
	deadline := time.After(patience)
	for c.seen[id] == nil {
		select {
		case ev, ok := <-c.client.Events():
			if !ok {
				c.t.Fatalf("task %s: connection ended: %v; worker said: %s", id, c.client.Err(), c.status())
			}
			if ev.Exited != nil {
				c.seen[ev.Exited.ID] = ev.Exited
			}
		case <-deadline:
			c.t.Fatalf("task %s has not ended; %s", id, c.status())
		}
	}
	return c.seen[id]
}

// waitStarted waits until a task runs.
func (c *container) waitStarted(id string) {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case ev, ok := <-c.client.Events():
			switch {
			case !ok:
				c.t.Fatalf("task %s: connection ended: %v", id, c.client.Err())
			case ev.Exited != nil:
				c.seen[ev.Exited.ID] = ev.Exited
				if ev.Exited.ID == id {
					c.t.Fatalf("task %s ended: %s", id, describe(ev.Exited))
				}
			case ev.Started.ID == id:
				return
			}
		case <-deadline:
			c.t.Fatalf("task %s has not started", id)
		}
	}
}

// waitOutput waits until a task has started, and follows its stdout until it has
// printed text.
func (c *container) waitOutput(id, text string) {
	c.t.Helper()
	c.waitStarted(id)
	logs, err := c.client.Logs(within(c.t), protocol.Logs{ID: id, Follow: true})
	if err != nil {
		c.t.Fatal(err)
	}
	defer logs.Close()
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), text) {
		n, err := logs.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			c.t.Fatalf("task %s printed %q, not %q: %v", id, got.String(), text, err)
		}
	}
}

// released waits until the worker has forgotten a task.
func (c *container) released(id string) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c.client.Close()
		c.connect()
		held := slices.ContainsFunc(c.client.Tasks(), func(t protocol.TaskInfo) bool { return t.ID == id })
		if !held {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("task %s is not released", id)
		}
	}
}

func (c *container) status() string {
	st, err := c.rt.Status(context.Background(), c.id)
	return fmt.Sprintf("container: %+v, %v", st, err)
}

// alive checks that the worker still runs tasks.
func (c *container) alive(id string) {
	c.t.Helper()
	expect(c.t, c.sh(id, "echo alive"), protocol.ClassOK, "alive\n")
}

// expect checks a task's class and, unless it is "", its stdout.
func expect(t *testing.T, e *protocol.Exited, class, stdout string) {
	t.Helper()
	if e.Class != class || stdout != "" && string(e.Stdout.Inline) != stdout {
		t.Fatalf("got %s; want class %q, stdout %q", describe(e), class, stdout)
	}
}

func describe(e *protocol.Exited) string {
	return fmt.Sprintf("task %s: class %q, code %d, %q, stdout %q, stderr %q", e.ID, e.Class, e.Code, e.Message, e.Stdout.Inline, e.Stderr.Inline)
}

// temp is a folder that a container's user can read.
func temp(t *testing.T) string {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
