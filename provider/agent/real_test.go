package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
	"github.com/zennet/zennet/provider/worker/client"
)

// runc is the real runtime with the real worker, or skips (fails in CI).
func runc(t *testing.T) *runtime.Runc {
	t.Helper()
	why := ""
	if os.Geteuid() != 0 {
		why = "containers need root"
	} else if _, err := exec.LookPath("runc"); err != nil {
		why = "no runc (apt-get install runc)"
	}
	if why != "" && os.Getenv("CI") != "" {
		t.Fatal(why)
	} else if why != "" {
		t.Skip(why)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "zennet-worker")
	build := exec.Command("go", "build", "-o", path, "github.com/zennet/zennet/provider/cmd/zennet-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the worker: %v: %s", err, out)
	}
	var b [6]byte
	rand.Read(b[:])
	r, err := runtime.NewRunc(runtime.Config{Dir: filepath.Join(dir, "runc"), Worker: path, Label: "test-" + hex.EncodeToString(b[:])})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ids, err := r.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			if err := r.Remove(context.Background(), id); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// connect connects to the lease's worker as the publisher does.
func (l *testLease) connect(t *testing.T) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, func(context.Context) (io.ReadWriteCloser, error) { return l.open(peer.WorkerProtocol) })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exit waits for a task's end.
func exit(t *testing.T, c *client.Client, id string) *protocol.Exited {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case e, open := <-c.Events():
			if !open {
				t.Fatalf("the worker is gone: %v", c.Err())
			}
			if e.Exited != nil && e.Exited.ID == id {
				return e.Exited
			}
		case <-timeout:
			t.Fatalf("task %s does not end", id)
		}
	}
}

// One lease on real parts, but for the ledger's machine: a container of runc with
// the worker in it, tasks with staged inputs, metered by its cgroups; the agent is
// killed, the link is cut, at last the publisher stops paying.
func TestRealContainer(t *testing.T) {
	rt := runc(t)
	rates := pricing.Rates{pricing.CPUUser: {NXEN: 3_600_000_000, Per: 3600e9}, pricing.CPUSystem: {NXEN: 3_600_000_000, Per: 3600e9},
		pricing.Memory: {NXEN: 100_000_000, Per: 3600 << 30}}
	w := newWorld(t, func(c *Config) {
		c.Runtime, c.OpenMeter, c.MaxRate, c.Rates = rt, nil, nil, rates
	})
	p := newTestPublisher(t, 2, w.ledger)
	p.grace = 3
	p.spec = protocol.Spec{MilliCPU: 1000, Memory: 256 << 20, Disk: 32 << 20, Pids: 64, Image: "host"}
	p.announce(1)
	l := p.next(t)
	id := l.snapshot().Record.Contract.ID().String()

	// A task reads what was staged.
	input := noise(5, 1<<20+77)
	m := protocol.Manifest{Files: []protocol.File{{Path: "in/data", Mode: 0o644, Size: uint64(len(input)),
		Chunks: []types.Hash{blob.HashOf(input[:1<<20]), blob.HashOf(input[1<<20:])}}}}
	manifest, err := blob.EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.stage(input[:1<<20], input[1<<20:], manifest); err != nil {
		t.Fatal(err)
	}
	c := l.connect(t)
	if err := c.Run(protocol.Run{ID: "read", Command: []string{"sh", "-c", "wc -c < in/data"},
		Inputs: []protocol.Mount{{Tree: blob.HashOf(manifest)}}}); err != nil {
		t.Fatal(err)
	}
	if e := exit(t, c, "read"); e.Class != protocol.ClassOK || strings.TrimSpace(string(e.Stdout.Inline)) != "1048653" {
		t.Fatalf("class %q, %q: %q", e.Class, e.Message, e.Stdout.Inline)
	}

	// Another is fed what lies there, and what comes.
	split := noise(9, 3<<20+5)
	store := func(_ context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
		var chunks [][]byte
		for _, h := range hashes {
			data, err := get(h)
			if err != nil {
				return err
			}
			chunks = append(chunks, data)
		}
		_, err := l.cache(chunks...)
		return err
	}
	feeder := client.NewFeeder(func(context.Context) (io.ReadWriteCloser, error) { return l.open(peer.WorkerProtocol) })
	defer feeder.Close()
	in := client.Split{Store: store, Source: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(split)), nil }}
	for _, id := range []string{"fed", "again"} {
		if err := c.Run(protocol.Run{ID: id, Command: []string{"sha256sum"}, Stdin: true}); err != nil {
			t.Fatal(err)
		}
		fed, learnt, err := feeder.FeedSplit(context.Background(), id, true, in)
		if err != nil || fed.End != protocol.FedWhole || learnt.Lacked || learnt.Read != (id == "fed") {
			t.Fatalf("%s: %+v, %+v, %v", id, fed, learnt, err)
		}
		if e := exit(t, c, id); !strings.HasPrefix(string(e.Stdout.Inline), blob.HashOf(split).String()) {
			t.Fatalf("%s: class %q, %q: %q", id, e.Class, e.Message, e.Stdout.Inline)
		}
		in.Known = learnt.Chunks
	}
	if err := c.Run(protocol.Run{ID: "spin", Command: []string{"sh", "-c", "while :; do :; done"}}); err != nil {
		t.Fatal(err)
	}
	w.paid(l)

	// The agent dies and comes back; then the link is cut. The task lives on.
	c.Close()
	w.stop(true)
	w.start()
	w.paid(l)
	l.cut()
	w.paid(l)
	c = l.connect(t)
	living := false
	for _, task := range c.Tasks() {
		living = living || task.ID == "spin" && task.Exited == nil
	}
	if !living {
		t.Errorf("the task is gone: %+v", c.Tasks())
	}
	c.Close()
	usage := w.lease().Usage
	if usage[pricing.CPUUser] == 0 || usage[pricing.Memory] == 0 || usage[pricing.StagedIn] < uint64(len(input)) {
		t.Errorf("usage %v", usage)
	}

	// The publisher stops paying.
	p.setFilter(noVouchers)
	until(t, "freezing", func() bool { return w.lease().Frozen })
	until(t, "the container to stand still", func() bool {
		s, err := rt.Status(context.Background(), id)
		return err == nil && s.State == runtime.Frozen
	})
	s := w.checkSettled(l)
	if loss := s.Bill - min(s.Bill, s.Paid); loss > contract.Exposure(l.snapshot().Record.Contract.Terms) {
		t.Errorf("lost %d, at most %d", loss, contract.Exposure(l.snapshot().Record.Contract.Terms))
	}
	if ids, err := rt.List(context.Background()); err != nil || len(ids) != 0 {
		t.Errorf("left behind: %v (%v)", ids, err)
	}
}

// A real container that cannot be removed, because its volume is in use elsewhere,
// holds up neither its settlement, nor the next lease, nor the agent's end; the
// next agent removes it when it can.
func TestRealContainerThatWillNotGo(t *testing.T) {
	t.Parallel()
	rt := runc(t)
	rates := pricing.Rates{pricing.CPUUser: {NXEN: 3_600_000_000, Per: 3600e9}, pricing.Memory: {NXEN: 100_000_000, Per: 3600 << 30}}
	w := newWorld(t, func(c *Config) { c.Runtime, c.OpenMeter, c.Rates, c.MaxRate = rt, nil, rates, nil })
	p := newTestPublisher(t, 2, w.ledger)
	p.grace = 3
	p.announce(1)
	l := p.next(t)
	w.paid(l)
	id := l.snapshot().Record.Contract.ID().String()
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	var device string
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && strings.Contains(string(data), id) {
			device = "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(file)))
		}
	}
	there := t.TempDir()
	if err := unix.Mount(device, there, "ext4", 0, ""); err != nil {
		t.Fatalf("mount %q: %v", device, err)
	}
	letGo := sync.OnceFunc(func() { unix.Unmount(there, unix.MNT_DETACH) })
	t.Cleanup(letGo)
	l.leave("done")
	w.checkOne(l)
	p.announce(1)
	next := p.next(t)
	w.paid(next)
	next.leave("done")
	w.checkOne(next)
	until(t, "the removal of the other", func() bool { ids, err := rt.List(context.Background()); return err == nil && len(ids) == 1 })
	begin := time.Now()
	w.stop(false)
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("the agent took %v to close", took)
	}
	if ids, err := rt.List(context.Background()); err != nil || len(ids) != 1 || ids[0] != id {
		t.Errorf("containers left: %v (%v)", ids, err)
	}
	letGo()
	w.start()
	until(t, "the removal", func() bool { ids, err := rt.List(context.Background()); return err == nil && len(ids) == 0 })
}
