package meter

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/zennet/zennet/pricing"
)

// cgroup is the source that reads the kernel's files.
//
// Sources: Documentation/admin-guide/cgroup-v1/{cpuacct,memory,blkio-controller,
// pids}.rst, Documentation/admin-guide/cgroup-v2.rst and
// Documentation/block/stat.rst of the Linux kernel.
type cgroup struct {
	cpuacct, mem, blkio, pids string // v1 folders; "" where v2 counts this
	v2                        string
	init                      process
	scratch                   device   // the block device of the scratch volume
	base                      ioCounts // of the cgroup when the meter was opened
}

// userHZ is the unit of times in procfs and cpuacct.stat: 1/100 s on every
// architecture that Linux has (sysconf(_SC_CLK_TCK)).
const userHZ = 100

// newCgroup resolves paths; procfs and blockdev are the folders of these names,
// or fakes of them.
func newCgroup(paths Paths, procfs, blockdev string, initPID int) (*cgroup, error) {
	c := &cgroup{cpuacct: paths.V1["cpuacct"], mem: paths.V1["memory"], blkio: paths.V1["blkio"],
		pids: paths.V1["pids"], v2: paths.V2}
	if c.cpuacct == "" && c.v2 == "" || c.mem == "" && c.v2 == "" {
		return nil, fmt.Errorf("%w: CPU time and memory need cgroup v1 cpuacct and memory, or cgroup v2", ErrPaths)
	}
	for _, dir := range []string{c.cpuacct, c.mem, c.blkio, c.pids, c.v2} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("open meter: %w", classify(err))
		}
	}
	if initPID > 0 {
		c.init = findProcess(filepath.Join(procfs, strconv.Itoa(initPID)))
		c.scratch = findDevice(c.init, blockdev)
	}
	var err error
	if c.base, err = c.cgroupIO(); err != nil {
		return nil, fmt.Errorf("open meter: %w", classify(err))
	}
	return c, nil
}

func (c *cgroup) cpu() (user, system uint64, err error) {
	var total uint64
	if c.cpuacct != "" {
		if total, err = readNumber(c.cpuacct, "cpuacct.usage"); err != nil {
			return 0, 0, err
		}
		stat, err := readTable(c.cpuacct, "cpuacct.stat")
		if err != nil {
			return 0, 0, err
		}
		user, system = stat["user"], stat["system"] // ticks
	} else {
		stat, err := readTable(c.v2, "cpu.stat")
		if err != nil {
			return 0, 0, err
		}
		total, user, system = stat["usage_usec"]*1000, stat["user_usec"], stat["system_usec"]
	}
	user = share(total, user, system)
	return user, total - user, nil
}

// share splits the exact sum in the ratio of the estimates: ⌊total·a/(a+b)⌋, or
// all of it where there is no estimate yet.
func share(total, a, b uint64) uint64 {
	if a+b == 0 {
		return total
	}
	return uint64(float64(total) * (float64(a) / (float64(a) + float64(b))))
}

func (c *cgroup) memory() (uint64, error) {
	if c.mem != "" {
		stat, err := readTable(c.mem, "memory.stat")
		if err != nil {
			return 0, err
		}
		return stat["total_rss"] + stat["total_shmem"], nil
	}
	stat, err := readTable(c.v2, "memory.stat")
	if err != nil {
		return 0, err
	}
	return stat["anon"] + stat["shmem"], nil
}

func (c *cgroup) rest(into pricing.Usage, beside *aside) error {
	if err := c.faults(into, beside); err != nil {
		return err
	}
	if err := c.block(into, beside); err != nil {
		return err
	}
	if c.pids != "" || c.v2 != "" {
		dir := c.pids
		if dir == "" {
			dir = c.v2
		}
		// A hierarchy without the pids controller has no such file.
		if stat, err := readTable(dir, "pids.events"); err == nil {
			beside.PidsMax = stat["max"]
		}
	}
	// The first process may be gone while the cgroup stays: the counters stand still.
	if data, err := c.init.file("net/dev"); err == nil {
		rx, tx, err := parseNetDev(data)
		if err != nil {
			return fmt.Errorf("%s: %w", c.init.dir, err)
		}
		into[pricing.NetRx], into[pricing.NetTx] = rx, tx
	}
	return nil
}

func (c *cgroup) faults(into pricing.Usage, beside *aside) error {
	dir, prefix := c.mem, "total_"
	if dir == "" {
		dir, prefix = c.v2, ""
	}
	stat, err := readTable(dir, "memory.stat")
	if err != nil {
		return err
	}
	all, major := stat[prefix+"pgfault"], stat[prefix+"pgmajfault"]
	into[pricing.FaultsMajor] = major
	into[pricing.FaultsMinor] = all - min(all, major)

	file := "memory.oom_control"
	if c.mem == "" {
		file = "memory.events"
	}
	kills, err := readTable(dir, file)
	if err != nil {
		return err
	}
	beside.OOMKills = kills["oom_kill"]
	return nil
}

// block takes the greater of two views for each counter, never their sum: what
// the scratch volume's own device did, and what the cgroup did on all other
// devices. The second may miss delayed writes (cgroup v1 charges them to nobody)
// and may hold the scratch volume's traffic once more, on the disk below it.
func (c *cgroup) block(into pricing.Usage, beside *aside) error {
	now, err := c.cgroupIO()
	if err != nil {
		return err
	}
	seen := now.minus(c.base).max(c.scratch.read(c.init))
	into[pricing.BlockRead], into[pricing.BlockWrite] = seen.readBytes, seen.writeBytes
	into[pricing.BlockReadOps], into[pricing.BlockWriteOps] = seen.readOps, seen.writeOps
	beside.busy = seen.busy
	return nil
}

func (c *cgroup) cgroupIO() (ioCounts, error) {
	switch {
	case c.blkio != "":
		return c.blockV1()
	case c.v2 != "":
		return c.blockV2()
	}
	return ioCounts{}, nil
}

func (c *cgroup) blockV1() (ioCounts, error) {
	var out ioCounts
	bytes, err := os.ReadFile(filepath.Join(c.blkio, "blkio.throttle.io_service_bytes_recursive"))
	if err != nil {
		return out, err
	}
	ops, err := os.ReadFile(filepath.Join(c.blkio, "blkio.throttle.io_serviced_recursive"))
	if err != nil {
		return out, err
	}
	if out.readBytes, out.writeBytes, err = parseBlkio(bytes, c.scratch.number); err != nil {
		return out, err
	}
	out.readOps, out.writeOps, err = parseBlkio(ops, c.scratch.number)
	return out, err
}

func (c *cgroup) blockV2() (ioCounts, error) {
	data, err := os.ReadFile(filepath.Join(c.v2, "io.stat"))
	if os.IsNotExist(err) {
		return ioCounts{}, nil // the io controller is not enabled here
	}
	if err != nil {
		return ioCounts{}, err
	}
	return parseIOStat(data, c.scratch.number)
}
