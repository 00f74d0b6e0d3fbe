package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strconv"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
)

// Runner runs containers; *runtime.Runc does.
type Runner interface {
	Start(ctx context.Context, s runtime.Spec) error
	Status(ctx context.Context, id string) (runtime.Status, error)
	Wait(ctx context.Context, id string) (runtime.Status, error)
	Remove(ctx context.Context, id string) error
	Cgroup(id string) meter.Paths
}

const (
	watchEvery = 10 * time.Millisecond  // between two looks at a running kernel
	linger     = 100 * time.Millisecond // that a kernel stays when done, for the last look
	oneLimit   = 30 * time.Second       // for one kernel, on the slowest machine
	stopLimit  = 10 * time.Second       // to remove its container
)

// spec is the container of a kernel: one core, and memory and disk to spare.
var spec = runtime.Spec{Image: "host", MilliCPU: 1000, Memory: 768 << 20, Disk: 512 << 20, Pids: 64}

// Measure returns the benchmark report of this machine, with prices by what a
// core asks for an hour (0 = DefaultCoreHour). The first time it runs every kernel
// in a container of rt under the meter, one after the other, which takes some
// seconds; then it takes the rows from bench.json in dir, as long as the
// machine, its kernel and Version are the same. Agents of one machine may share
// dir: they wait for each other. ErrMeasure says that a kernel did not run.
func Measure(ctx context.Context, rt Runner, dir string, coreHour types.Amount, log *slog.Logger) ([]protocol.Benchmark, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if coreHour == 0 {
		coreHour = DefaultCoreHour
	}
	machine, err := meter.Machine()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	unlock, err := lock(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	defer unlock()
	if rows := load(dir, machine); rows != nil {
		return Price(rows, machine, coreHour), nil
	}
	start := time.Now()
	rows := make([]Measured, len(Kernels))
	for k, kernel := range Kernels {
		if rows[k], err = measure(ctx, rt, kernel.Name); err != nil {
			return nil, err
		}
		log.Debug("benchmark", "kernel", kernel.Name, "wall", time.Duration(rows[k].WallNS), "usage", rows[k].Usage)
	}
	log.Info("machine measured", "cpu", machine.CPU, "cores", machine.Cores, "memory", machine.Memory, "took", time.Since(start).Round(time.Millisecond))
	if err := save(dir, machine, rows); err != nil {
		return nil, fmt.Errorf("keep measurement: %w", err)
	}
	return Price(rows, machine, coreHour), nil
}

// measure runs one kernel in a container of its own.
func measure(ctx context.Context, rt Runner, kernel string) (row Measured, err error) {
	ctx, cancel := context.WithTimeout(ctx, oneLimit)
	defer cancel()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: %s: %w", ErrMeasure, kernel, err)
		}
	}()
	var nonce [8]byte
	rand.Read(nonce[:])
	s := spec
	s.ID = fmt.Sprintf("bench-%s-%x", kernel, nonce[:4])
	s.Args = []string{"bench", kernel, "--seed", strconv.FormatUint(binary.LittleEndian.Uint64(nonce[:]), 10),
		"--dir", "/work", "--linger", linger.String()}
	if err := rt.Start(ctx, s); err != nil {
		return Measured{}, err
	}
	begin := time.Now()
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, rt.Remove(stop, s.ID))
	}()
	status, err := rt.Status(ctx, s.ID)
	if err != nil {
		return Measured{}, err
	}
	m, err := meter.Open(rt.Cgroup(s.ID), status.PID)
	if err != nil {
		return Measured{}, err
	}
	defer m.Close()
	if row, err = watch(ctx, rt, s.ID, m, begin); err != nil {
		return Measured{}, err
	}
	row.Name = kernel
	return row, plausible(row)
}

// watch reads the meter until the container's process ends. The work is done
// when the counters (but for memory, which is held until the end) stand still.
func watch(ctx context.Context, rt Runner, id string, m *meter.Meter, begin time.Time) (Measured, error) {
	type end struct {
		status runtime.Status
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		status, err := rt.Wait(ctx, id)
		ended <- end{status, err}
	}()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var last pricing.Usage
	var row Measured
	for {
		select {
		case e := <-ended:
			if e.err != nil {
				return Measured{}, e.err
			}
			if e.status.ExitCode > 0 { // -1: it cannot be known on this kernel
				return Measured{}, fmt.Errorf("exit code %d", e.status.ExitCode)
			}
			r, err := m.Read()
			if err != nil && !errors.Is(err, meter.ErrGone) {
				return Measured{}, err
			}
			row.Usage, row.DiskNS = r.Usage, uint64(r.DiskBusy)
			return row, nil
		case <-tick.C:
			r, err := m.Read()
			if err != nil {
				continue // it says so again, or Wait does
			}
			active := r.Usage.Clone()
			delete(active, pricing.Memory)
			if !maps.Equal(active, last) {
				row.WallNS, last = uint64(r.Time.Sub(begin)), active
			}
		}
	}
}

// plausible refuses a row of a kernel that cannot have done its work.
func plausible(row Measured) error {
	const least = 5 * time.Millisecond
	if cpu := row.Usage[pricing.CPUUser] + row.Usage[pricing.CPUSystem]; cpu < uint64(least) {
		return fmt.Errorf("%w: %s used %v of CPU time", ErrMeasure, row.Name, time.Duration(cpu))
	}
	return nil
}
