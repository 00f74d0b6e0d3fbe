package meter

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/pricing"
)

// copyDir copies a folder of recorded files, so that a test may change them.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, name, data string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// read takes one look at a source.
func read(t *testing.T, c *cgroup) (pricing.Usage, Events) {
	t.Helper()
	usage, beside := pricing.Usage{}, aside{}
	var err error
	if usage[pricing.CPUUser], usage[pricing.CPUSystem], err = c.cpu(); err != nil {
		t.Fatal(err)
	}
	if usage[pricing.Memory], err = c.memory(); err != nil {
		t.Fatal(err)
	}
	if err := c.rest(usage, &beside); err != nil {
		t.Fatal(err)
	}
	return usage, beside.Events
}

const stat42 = "42 (init) S 1 7 7 0 -1 4194304 101 202 3 4 50 60 70 80 20 0 1 0 12345 1000 200\n"

// The recorded files tell the same of one container in both versions.
func TestCgroupFiles(t *testing.T) {
	for _, c := range []struct {
		name  string
		paths func(v1, v2 string) Paths
	}{
		{"v1", func(v1, v2 string) Paths {
			return Paths{V1: map[string]string{"cpuacct": v1, "memory": v1, "blkio": v1, "pids": v1, "freezer": "/nowhere"}}
		}},
		{"v2", func(v1, v2 string) Paths { return Paths{V2: v2} }},
		{"hybrid", func(v1, v2 string) Paths {
			return Paths{V1: map[string]string{"memory": v1, "blkio": v1}, V2: v2}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v1, v2, proc, block := copyDir(t, "testdata/v1"), copyDir(t, "testdata/v2"), t.TempDir(), t.TempDir()
			write(t, proc, "42/stat", stat42)
			write(t, proc, "42/net/dev", "eth0: 500 1 0 0 0 0 0 0 60 1 0 0 0 0 0 0\n")
			write(t, proc, "42/mountinfo", "30 22 7:3 / /work rw - ext4 /dev/loop3 rw\n")
			write(t, block, "7:3/stat", "1000 0 8000 0 2000 0 16000 0 0 0 0\n")
			src, err := newCgroup(c.paths(v1, v2), proc, block, 42)
			if err != nil {
				t.Fatal(err)
			}
			want := pricing.Usage{
				pricing.CPUUser: 2000000666, pricing.CPUSystem: 1000000334,
				pricing.Memory:      52428800 + 4194304,
				pricing.FaultsMinor: 20000, pricing.FaultsMajor: 11,
				pricing.BlockRead: 0, pricing.BlockWrite: 0, pricing.BlockReadOps: 0, pricing.BlockWriteOps: 0,
				pricing.NetRx: 500, pricing.NetTx: 60,
			}
			usage, events := read(t, src)
			if d := cmp.Diff(want, usage); d != "" {
				t.Errorf("usage (-want +got):\n%s", d)
			}
			if d := cmp.Diff(Events{OOMKills: 2, PidsMax: 7}, events); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}

			// The scratch volume's device: 10 reads of 80 sectors, 20 writes of 160. The
			// cgroup's line of the same device does not count besides.
			write(t, block, "7:3/stat", "1010 0 8080 0 2020 0 16160 0 0 0 0\n")
			write(t, v2, "io.stat", "8:0 rbytes=409600 wbytes=8192 rios=20 wios=2\n7:3 rbytes=9999999 wbytes=9999999 rios=999 wios=999\n253:1 rbytes=8192 wbytes=0 rios=2 wios=0\n")
			write(t, v1, "blkio.throttle.io_service_bytes_recursive", "8:0 Read 409600\n8:0 Write 8192\n7:3 Read 9999999\n7:3 Write 9999999\n253:1 Read 8192\n")
			write(t, v1, "blkio.throttle.io_serviced_recursive", "8:0 Read 20\n8:0 Write 2\n7:3 Read 999\n7:3 Write 999\n253:1 Read 2\n")
			usage, _ = read(t, src)
			for c, n := range map[pricing.Counter]uint64{pricing.BlockRead: 80 * 512, pricing.BlockReadOps: 10,
				pricing.BlockWrite: 160 * 512, pricing.BlockWriteOps: 20} {
				if usage[c] != n {
					t.Errorf("%s: %d, want %d", c, usage[c], n)
				}
			}

			// The PID is another process's now: its network and devices are not ours.
			write(t, proc, "42/stat", "42 (cron) S 1 7 7 0 -1 4194304 101 202 3 4 50 60 70 80 20 0 1 0 99999 1000 200\n")
			write(t, proc, "42/net/dev", "eth0: 70000 1 0 0 0 0 0 0 80000 1 0 0 0 0 0 0\n")
			write(t, block, "7:3/stat", "9999 0 99999 0 9999 0 99999 0 0 0 0\n")
			usage, _ = read(t, src)
			if n := usage[pricing.NetRx]; n != 0 {
				t.Errorf("net of another process counts: %d", n)
			}
			if n := usage[pricing.BlockReadOps]; n != 1 { // 253:1's second one
				t.Errorf("%d reads, want the cgroup's 1", n)
			}
		})
	}
}

func TestNewCgroupRefuses(t *testing.T) {
	dir := copyDir(t, "testdata/v1")
	for _, c := range []struct {
		name  string
		paths Paths
		want  error
	}{
		{"nothing", Paths{}, ErrPaths},
		{"no memory", Paths{V1: map[string]string{"cpuacct": dir}}, ErrPaths},
		{"no CPU", Paths{V1: map[string]string{"memory": dir}}, ErrPaths},
		{"v1 folder missing", Paths{V1: map[string]string{"cpuacct": dir, "memory": dir + "/gone"}}, ErrGone},
		{"v2 folder missing", Paths{V2: dir + "/gone"}, ErrGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Open(c.paths, 0); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// A hierarchy without the io and pids controllers still gives the rest.
func TestCgroupV2FewControllers(t *testing.T) {
	dir := copyDir(t, "testdata/v2")
	for _, name := range []string{"io.stat", "pids.events"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	src, err := newCgroup(Paths{V2: dir}, t.TempDir(), t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	usage, events := read(t, src)
	if usage[pricing.FaultsMajor] != 11 || usage[pricing.BlockRead] != 0 || events.PidsMax != 0 {
		t.Errorf("usage %v, events %v", usage, events)
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct{ total, a, b, want uint64 }{
		{0, 0, 0, 0}, {100, 0, 0, 100}, {100, 1, 0, 100}, {100, 0, 1, 0}, {99, 2, 1, 66}, {1 << 62, 1, 1, 1 << 61},
	} {
		if got := share(c.total, c.a, c.b); got != c.want {
			t.Errorf("share(%d, %d, %d) = %d, want %d", c.total, c.a, c.b, got, c.want)
		}
	}
}
