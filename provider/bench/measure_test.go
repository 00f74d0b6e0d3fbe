package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
)

// fakeRunner runs containers that are folders of cgroup v2 files.
type fakeRunner struct {
	dir      string
	cpuUsec  uint64 // that each container uses
	exit     int
	startErr error
	hang     bool

	mu      sync.Mutex
	started []string
	live    int
}

func (f *fakeRunner) Start(_ context.Context, s runtime.Spec) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.startErr != nil {
		return f.startErr
	}
	f.started = append(f.started, s.Args[1])
	f.live++
	return f.files(s.ID, 0)
}

func (f *fakeRunner) files(id string, usec uint64) error {
	dir := filepath.Join(f.dir, id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "cpu.stat"), fmt.Appendf(nil, "usage_usec %d\nuser_usec %d\nsystem_usec 0\n", usec, usec), 0o644),
		os.WriteFile(filepath.Join(dir, "memory.stat"), []byte("anon 1048576\nshmem 0\npgfault 10\npgmajfault 0\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "memory.events"), []byte("oom_kill 0\n"), 0o644))
}

func (f *fakeRunner) Status(context.Context, string) (runtime.Status, error) {
	return runtime.Status{State: runtime.Running}, nil
}

func (f *fakeRunner) Wait(ctx context.Context, id string) (runtime.Status, error) {
	if f.hang {
		<-ctx.Done()
		return runtime.Status{}, ctx.Err()
	}
	return runtime.Status{State: runtime.Stopped, ExitCode: f.exit}, f.files(id, f.cpuUsec)
}

func (f *fakeRunner) Remove(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.startErr == nil {
		f.live--
	}
	return os.RemoveAll(filepath.Join(f.dir, id))
}

func (f *fakeRunner) Cgroup(id string) meter.Paths { return meter.Paths{V2: filepath.Join(f.dir, id)} }

func TestMeasureOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	f := &fakeRunner{dir: t.TempDir(), cpuUsec: 500_000, exit: -1}
	var group sync.WaitGroup
	reports := make([][]protocol.Benchmark, 3)
	for i := range reports { // agents of one machine
		group.Go(func() {
			var err error
			if reports[i], err = Measure(t.Context(), f, dir, 0, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(f.started) != len(Kernels) || f.live != 0 {
		t.Errorf("started %v, %d left; want each kernel once, and none left", f.started, f.live)
	}
	for _, r := range reports {
		if d := cmp.Diff(reports[0], r); d != "" {
			t.Error(d)
		}
		if len(r) != len(Kernels) || r[0].Name != "integer" || r[0].Usage[pricing.CPUUser] != 500e6 {
			t.Errorf("report %+v", r)
		}
	}
	if want := DefaultCoreHour / 7200; reports[0][0].Price < want || reports[0][0].Price > want+5 {
		t.Errorf("half a second of CPU costs %d, want about %d", reports[0][0].Price, want)
	}

	// Another price needs no other measurement.
	double, err := Measure(t.Context(), f, dir, 2*DefaultCoreHour, nil)
	if err != nil || len(f.started) != len(Kernels) {
		t.Fatalf("%v, started %d", err, len(f.started))
	}
	if got, want := double[0].Price, 2*reports[0][0].Price; got < want-1 || got > want+1 {
		t.Errorf("price %d, want %d", got, want)
	}
}

// A cache that is of another machine or version, or damaged, is measured anew.
func TestMeasureAgain(t *testing.T) {
	machine, err := meter.Machine()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]Measured, len(Kernels))
	for k := range rows {
		rows[k] = Measured{Name: Kernels[k].Name, Usage: pricing.Usage{pricing.CPUUser: 77e6}}
	}
	for _, c := range []struct {
		name   string
		change func(dir string) error
		anew   bool
	}{
		{"as saved", func(string) error { return nil }, false},
		{"another machine", func(dir string) error {
			other := machine
			other.Kernel += "-next"
			return save(dir, other, rows)
		}, true},
		{"a row missing", func(dir string) error { return save(dir, machine, rows[1:]) }, true},
		{"unknown counter", func(dir string) error {
			bad := append([]Measured{{Name: "integer", Usage: pricing.Usage{"gold": 1, pricing.CPUUser: 77e6}}}, rows[1:]...)
			return save(dir, machine, bad)
		}, true},
		{"an idle kernel", func(dir string) error {
			return save(dir, machine, append([]Measured{{Name: "integer"}}, rows[1:]...))
		}, true},
		{"cut short", func(dir string) error { return os.Truncate(filepath.Join(dir, cacheFile), 100) }, true},
		{"gone", func(dir string) error { return os.Remove(filepath.Join(dir, cacheFile)) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(save(dir, machine, rows), c.change(dir)); err != nil {
				t.Fatal(err)
			}
			f := &fakeRunner{dir: t.TempDir(), cpuUsec: 500_000}
			report, err := Measure(t.Context(), f, dir, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := uint64(77e6)
			if c.anew {
				want = 500e6
			}
			if got := report[0].Usage[pricing.CPUUser]; got != want || c.anew != (len(f.started) > 0) {
				t.Errorf("CPU time %d, want %d; started %v", got, want, f.started)
			}
			left, err := filepath.Glob(filepath.Join(dir, "*.*.*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

func TestMeasureFails(t *testing.T) {
	bad := errors.New("a bad day")
	for _, c := range []struct {
		name string
		f    *fakeRunner
		want error
	}{
		{"does not start", &fakeRunner{startErr: bad}, bad},
		{"exits with a code", &fakeRunner{exit: 1, cpuUsec: 500_000}, ErrMeasure},
		{"does no work", &fakeRunner{cpuUsec: 100}, ErrMeasure},
		{"hangs", &fakeRunner{hang: true}, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, dir := t.Context(), t.TempDir()
			if c.f.hang {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			c.f.dir = t.TempDir()
			if _, err := Measure(ctx, c.f, dir, 0, nil); !errors.Is(err, c.want) || !errors.Is(err, ErrMeasure) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if c.f.live != 0 {
				t.Errorf("%d containers left", c.f.live)
			}
			if _, err := os.Stat(filepath.Join(dir, cacheFile)); !os.IsNotExist(err) {
				t.Error("a failed measurement is kept")
			}
		})
	}
}

// The real thing: containers of runc under the meter, and rates from them.
func TestMeasureForReal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root: it runs containers")
		}
		t.Skip("needs root: it runs containers")
	}
	worker, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	label := fmt.Sprintf("bench-test-%d", os.Getpid())
	t.Cleanup(func() { // the runtime keeps its parent cgroups
		v1, _ := filepath.Glob("/sys/fs/cgroup/*/zennet/" + label)
		v2, _ := filepath.Glob("/sys/fs/cgroup/zennet/" + label)
		for _, dir := range append(v1, v2...) {
			os.Remove(dir)
		}
	})
	rt, err := runtime.NewRunc(runtime.Config{Dir: t.TempDir(), Worker: worker, Label: label,
		Log: slog.New(slog.DiscardHandler)})
	if errors.Is(err, runtime.ErrHost) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	report, err := Measure(t.Context(), rt, t.TempDir(), 0, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	rates, fit, err := Rates(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range report {
		bill, err := rates.Bill(b.Usage)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-10s wall %v, price %d, bill %d, %v", b.Name, time.Duration(b.WallNS), b.Price, bill, b.Usage)
		if ratio := float64(bill) / float64(b.Price); ratio < 0.8 || ratio > 1.25 {
			t.Errorf("%s: bill %d, price %d", b.Name, bill, b.Price)
		}
	}
	t.Logf("rates %v, fit %+v", rates, fit)
	for _, c := range []pricing.Counter{pricing.CPUUser, pricing.CPUSystem} {
		if got := types.Amount(rates[c].NXEN); got < DefaultCoreHour/2 || got > 2*DefaultCoreHour {
			t.Errorf("%s: %v an hour, asked %v", c, got, DefaultCoreHour)
		}
	}
	byName := map[string]pricing.Usage{}
	for _, b := range report {
		byName[b.Name] = b.Usage
	}
	for name, least := range map[string]pricing.Usage{
		"bandwidth": {pricing.Memory: 20 << 20},
		"disk":      {pricing.BlockWrite: 96 << 20, pricing.BlockRead: 96 << 20},
		"hold":      {pricing.Memory: 64 << 20},
		"fault":     {pricing.FaultsMinor: 200_000},
		"sync":      {pricing.BlockWrite: 1000 * page, pricing.BlockWriteOps: 1000},
	} {
		for c, n := range least {
			if byName[name][c] < n {
				t.Errorf("%s: %s is %d, want at least %d", name, c, byName[name][c], n)
			}
		}
	}
	if left, err := rt.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("containers left: %v (%v)", left, err)
	}
}
