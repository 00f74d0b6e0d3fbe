package runtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
	"github.com/zennet/zennet/provider/worker/client"
)

var benchSpec = runtime.Spec{ID: "bench", Image: runtime.HostImage, MilliCPU: 2000, Memory: 256 << 20, Disk: 1 << 30, Pids: 256}

// BenchmarkStart compares a slot's start, up to the worker's greeting, with a bare
// `runc run` of true in an unlimited container over the same root.
//
//	go test ./provider/runtime -bench Start -benchtime 20x
func BenchmarkStart(b *testing.B) {
	ctx := context.Background()
	b.Run("slot", func(b *testing.B) {
		r := open(b, b.TempDir(), label())
		for b.Loop() {
			if err := r.Start(ctx, benchSpec); err != nil {
				b.Fatal(err)
			}
			connect(b, r, "bench").Close()
			b.StopTimer()
			if err := r.Remove(ctx, "bench"); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("runc", func(b *testing.B) {
		dir := b.TempDir()
		bareBundle(b, dir)
		for b.Loop() {
			if out, err := exec.Command("runc", "run", "--bundle", dir, label()).CombinedOutput(); err != nil {
				b.Fatal(err, string(out))
			}
		}
	})
}

// bareBundle is the least that runs true from the host's programs.
func bareBundle(b *testing.B, dir string) {
	root := filepath.Join(dir, "rootfs")
	for _, name := range []string{"usr", "etc", "proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range []string{"bin", "lib", "lib64"} {
		os.Symlink("usr/"+name, filepath.Join(root, name))
	}
	bind := func(path string) specs.Mount {
		return specs.Mount{Destination: path, Type: "bind", Source: path, Options: []string{"rbind", "ro"}}
	}
	data, err := json.Marshal(specs.Spec{Version: "1.0.2", Root: &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{Args: []string{"/bin/true"}, Cwd: "/", User: specs.User{UID: 65534, GID: 65534}},
		Mounts: []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}, {Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
			bind("/usr"), bind("/etc/ld.so.cache")},
		Linux: &specs.Linux{CgroupsPath: "/zennet/" + label(), Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace},
			{Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace}}}})
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600); err != nil {
		b.Fatal(err)
	}
}

func connect(b *testing.B, r *runtime.Runc, id string) *client.Client {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Connect(ctx, func(ctx context.Context) (io.ReadWriteCloser, error) { return r.Dial(ctx, id) })
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkNoop runs `true` on one warm worker, one after the other and four side
// by side, and in a shell's loop beside it. Each op is one task, released again.
//
//	go test ./provider/runtime -bench Noop -benchtime 2000x
func BenchmarkNoop(b *testing.B) {
	r := open(b, b.TempDir(), label())
	ctx := context.Background()
	if err := r.Start(ctx, benchSpec); err != nil {
		b.Fatal(err)
	}
	defer r.Remove(ctx, "bench")
	status, err := r.Status(ctx, "bench")
	if err != nil {
		b.Fatal(err)
	}
	for _, width := range []int{1, 4} {
		b.Run(fmt.Sprintf("worker/%d", width), func(b *testing.B) {
			c := connect(b, r, "bench")
			defer c.Close()
			next, name := 0, label()
			began := map[string]time.Time{}
			var trips []time.Duration
			before := cpuOf(b, status.PID)
			start := func() {
				id := fmt.Sprintf("%s-%d", name, next)
				next++
				began[id] = time.Now()
				if err := c.Run(protocol.Run{ID: id, Command: []string{"true"}}); err != nil {
					b.Fatal(err)
				}
			}
			for range width - 1 {
				start()
			}
			finish := func() {
				for ev := range c.Events() {
					if e := ev.Exited; e != nil {
						if e.Class != protocol.ClassOK {
							b.Fatal(e.Message)
						}
						trips = append(trips, time.Since(began[e.ID]))
						delete(began, e.ID)
						c.Release(e.ID)
						return
					}
				}
				b.Fatal(c.Err())
			}
			for b.Loop() {
				start()
				finish()
			}
			for range width - 1 {
				finish()
			}
			slices.Sort(trips)
			b.ReportMetric(float64(trips[len(trips)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(trips[len(trips)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64((cpuOf(b, status.PID)-before).Microseconds())/float64(len(trips)), "worker-cpu-µs/op")
		})
	}
	b.Run("shell", func(b *testing.B) {
		script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", b.N)
		if err := exec.Command("sh", "-c", script).Run(); err != nil {
			b.Fatal(err)
		}
	})
}

// cpuOf is the CPU time of a process, without its children, from
// /proc/<pid>/schedstat of its threads.
func cpuOf(b *testing.B, pid int) time.Duration {
	var sum time.Duration
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		ns, err := strconv.ParseInt(strings.Fields(string(data))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}
