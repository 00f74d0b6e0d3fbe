package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/meter"
)

const (
	cacheFile = "bench.json"
	lockFile  = "bench.lock"
)

// cache is the content of bench.json: the rows, and what they are true of.
type cache struct {
	Version int            `json:"version"`
	Machine meter.Hardware `json:"machine"`
	Rows    []Measured     `json:"rows"`
}

// load returns the rows that the folder holds of this machine and these kernels,
// or none.
func load(dir string, machine meter.Hardware) []Measured {
	data, err := os.ReadFile(filepath.Join(dir, cacheFile))
	if err != nil {
		return nil
	}
	var c cache
	if json.Unmarshal(data, &c) != nil || c.Version != Version || c.Machine != machine || len(c.Rows) != len(Kernels) {
		return nil
	}
	for k, row := range c.Rows {
		if row.Name != Kernels[k].Name || row.Usage.Validate() != nil || plausible(row) != nil {
			return nil
		}
	}
	return c.Rows
}

// save writes the rows so that a crash leaves the former file or the new one.
func save(dir string, machine meter.Hardware, rows []Measured) error {
	data, err := json.MarshalIndent(cache{Version, machine, rows}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, cacheFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, cacheFile))
}

// lock holds the folder for one measurement at a time, across processes.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-retry.C:
		}
	}
}
