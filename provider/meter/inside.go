package meter

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/zennet/zennet/pricing"
)

// Inside reads the counters of the container whose init is the caller, from
// procfs alone: CPU time, page faults, and the network. The other counters
// cannot be seen from there and are missing. It is safe for concurrent use.
type Inside struct {
	proc string
	self int
	now  func() time.Time

	mu    sync.Mutex
	usage pricing.Usage
}

// NewInside makes the reader for the process that calls it.
func NewInside() *Inside {
	return &Inside{proc: "/proc", self: os.Getpid(), now: time.Now, usage: pricing.Usage{}}
}

// Read returns the counters since the container started. A process's time
// passes to its parent when that waits for it, so the sum over living processes
// of their own and their waited-for children's time is the whole. A process that
// is waited for while this reads may be missed once; the next reading has it.
// Times are exact to 1/100 s a living process.
func (in *Inside) Read() (Reading, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	// The children of init, most of what ever ran, are read before the living: what
	// ends in between is then missed, not counted twice.
	var children, own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children); err != nil {
		return Reading{}, fmt.Errorf("read usage of children: %w", err)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return Reading{}, fmt.Errorf("read own usage: %w", err)
	}
	sum := rusage(children).plus(rusage(own))
	living, err := in.living()
	if err != nil {
		return Reading{}, err
	}
	// Between two scans a child may pass from the living to its parent and be seen in
	// both: the lesser of two scans has that only if it happens twice.
	if again, err := in.living(); err == nil && again.user+again.system < living.user+living.system {
		living = again
	}
	sum = sum.plus(living)

	in.raise(pricing.CPUUser, sum.user)
	in.raise(pricing.CPUSystem, sum.system)
	in.raise(pricing.FaultsMinor, sum.minor)
	in.raise(pricing.FaultsMajor, sum.major)
	if data, err := os.ReadFile(filepath.Join(in.proc, "self", "net", "dev")); err == nil {
		if rx, tx, err := parseNetDev(data); err == nil {
			in.raise(pricing.NetRx, rx)
			in.raise(pricing.NetTx, tx)
		}
	}
	return Reading{Time: in.now(), Usage: in.usage.Clone()}, nil
}

func (in *Inside) raise(c pricing.Counter, n uint64) { in.usage[c] = max(in.usage[c], n) }

// times are the counters of a process: ns and faults.
type times struct{ user, system, minor, major uint64 }

func (a times) plus(b times) times {
	return times{a.user + b.user, a.system + b.system, a.minor + b.minor, a.major + b.major}
}

func rusage(r syscall.Rusage) times {
	return times{uint64(r.Utime.Nano()), uint64(r.Stime.Nano()), uint64(r.Minflt), uint64(r.Majflt)}
}

// living sums all processes but the caller, each with its waited-for children.
func (in *Inside) living() (times, error) {
	var sum times
	dir, err := os.Open(in.proc)
	if err != nil {
		return sum, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return sum, fmt.Errorf("list processes: %w", err)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == in.self {
			continue
		}
		data, err := fs.ReadFile(os.DirFS(in.proc), name+"/stat")
		if err != nil {
			continue // it ended
		}
		if t, ok := parseStat(string(data)); ok {
			sum = sum.plus(t)
		}
	}
	return sum, nil
}

// parseStat reads /proc/<pid>/stat (proc_pid_stat(5)): minflt, cminflt, majflt,
// cmajflt, utime, stime, cutime, cstime are fields 10 to 17.
func parseStat(stat string) (times, bool) {
	fields := statFields(stat)
	if len(fields) < 15 {
		return times{}, false
	}
	var n [8]uint64
	for i := range n {
		// cutime and cstime are signed in the kernel's format.
		v, err := strconv.ParseInt(fields[7+i], 10, 64)
		if err != nil || v < 0 {
			return times{}, false
		}
		n[i] = uint64(v)
	}
	const tick = 1e9 / userHZ
	return times{user: (n[4] + n[6]) * tick, system: (n[5] + n[7]) * tick, minor: n[0] + n[1], major: n[2] + n[3]}, true
}
