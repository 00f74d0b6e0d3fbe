package agent

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/runtime"
)

// testRuntime has containers that burn one core while they run and whose worker
// echoes what it reads. They outlive an agent, as real ones do.
type testRuntime struct {
	dir string

	mu      sync.Mutex
	boxes   map[string]*testBox
	started int
	failing error          // of Start
	stuck   bool           // Freeze fails
	worker  func(net.Conn) // answers a connection to a worker; nil: it comes back as it went
	hang    chan struct{}  // until it is closed, Remove does not return; nil: it does
	hanging int            // calls that do not

	unpacked atomic.Uint64 // grows with every look
	slow     chan struct{} // until it is closed, Start does not return; nil: it does
}

type testBox struct {
	spec   runtime.Spec
	socket net.Listener
	gone   chan struct{} // closed when the first process has ended
	once   sync.Once
	frozen bool
	burnt  time.Duration
	since  time.Time
}

func newTestRuntime(t testing.TB) *testRuntime {
	r := &testRuntime{dir: t.TempDir(), boxes: map[string]*testBox{}}
	t.Cleanup(func() {
		for _, id := range r.list() {
			r.Remove(context.Background(), id)
		}
	})
	return r
}

// end ends the first process; the runtime's mu is held.
func (b *testBox) end() {
	b.once.Do(func() {
		b.burnt = b.cpu()
		close(b.gone)
		b.socket.Close()
	})
}

func (b *testBox) cpu() time.Duration {
	select {
	case <-b.gone:
		return b.burnt
	default:
	}
	if b.frozen {
		return b.burnt
	}
	return b.burnt + time.Since(b.since)
}

func (r *testRuntime) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for id := range r.boxes {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

func (r *testRuntime) Start(ctx context.Context, s runtime.Spec) error {
	if r.slow != nil {
		select {
		case <-r.slow:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing != nil {
		return r.failing
	}
	if r.boxes[s.ID] != nil {
		return runtime.ErrExists
	}
	l, err := net.Listen("unix", filepath.Join(r.dir, s.ID[:16]))
	if err != nil {
		return err
	}
	b := &testBox{spec: s, socket: l, gone: make(chan struct{}), since: time.Now()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if r.worker != nil {
					r.worker(c)
					return
				}
				io.Copy(c, c)
			}()
		}
	}()
	r.boxes[s.ID] = b
	r.started++
	return nil
}

func (r *testRuntime) change(id string, frozen bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.boxes[id]
	if b == nil {
		return runtime.ErrNotFound
	}
	if frozen && r.stuck {
		return runtime.ErrRunc
	}
	b.burnt, b.since = b.cpu(), time.Now()
	b.frozen = frozen
	return nil
}

func (r *testRuntime) Freeze(_ context.Context, id string) error { return r.change(id, true) }
func (r *testRuntime) Thaw(_ context.Context, id string) error   { return r.change(id, false) }

func (r *testRuntime) Remove(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if hang := r.hang; hang != nil {
		r.hanging++
		r.mu.Unlock()
		<-hang
		r.mu.Lock()
		r.hanging--
	}
	if b := r.boxes[id]; b != nil {
		b.end()
		delete(r.boxes, id)
	}
	return nil
}

// Unpacked grows with every look.
func (r *testRuntime) Unpacked() uint64 { return r.unpacked.Add(1) }

func (r *testRuntime) List(context.Context) ([]string, error) { return r.list(), nil }

func (r *testRuntime) box(id string) *testBox {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.boxes[id]
}

func (r *testRuntime) Dial(ctx context.Context, id string) (net.Conn, error) {
	b := r.box(id)
	if b == nil {
		return nil, runtime.ErrNotFound
	}
	return net.Dial("unix", b.socket.Addr().String())
}

func (r *testRuntime) Status(_ context.Context, id string) (runtime.Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.boxes[id]
	if b == nil {
		return runtime.Status{}, runtime.ErrNotFound
	}
	select {
	case <-b.gone:
		return runtime.Status{State: runtime.Stopped}, nil
	default:
	}
	if b.frozen {
		return runtime.Status{PID: 1, State: runtime.Frozen}, nil
	}
	return runtime.Status{PID: 1, State: runtime.Running}, nil
}

func (r *testRuntime) Wait(ctx context.Context, id string) (runtime.Status, error) {
	b := r.box(id)
	if b == nil {
		return runtime.Status{}, runtime.ErrNotFound
	}
	select {
	case <-b.gone:
		return runtime.Status{State: runtime.Stopped, ExitCode: 1}, nil
	case <-ctx.Done():
		return runtime.Status{}, ctx.Err()
	}
}

func (r *testRuntime) Cgroup(string) meter.Paths { return meter.Paths{} }

func (r *testRuntime) Versions(_ context.Context, _ string, programs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range programs {
		if p != "absent" {
			out[p] = p + " 1.0"
		}
	}
	return out, nil
}

// testMeter counts what a box burnt since it was opened.
type testMeter struct {
	r    *testRuntime
	id   string
	base time.Duration
}

func (r *testRuntime) openMeter(id string, _ int) (Meter, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &testMeter{r, id, r.boxes[id].cpu()}, nil
}

func (m *testMeter) Read() (meter.Reading, error) {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	b := m.r.boxes[m.id]
	if b == nil {
		return meter.Reading{}, meter.ErrGone
	}
	return meter.Reading{Time: time.Now(), Usage: pricing.Usage{pricing.CPUUser: uint64(b.cpu() - m.base)}}, nil
}

func (m *testMeter) Close() error { return nil }

// kill ends the first process of a container.
func (r *testRuntime) kill(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.boxes[id].end()
}

// burnt is what a container has used so far.
func (r *testRuntime) burnt(id string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.boxes[id]; b != nil {
		return b.cpu()
	}
	return 0
}

// stray is a container of no lease.
func stray() runtime.Spec {
	return runtime.Spec{ID: "stray-of-an-earlier-life", Image: "host", MilliCPU: 100, Memory: 16 << 20, Disk: 1 << 20, Pids: 16}
}
