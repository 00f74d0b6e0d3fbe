package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/pricing"
)

// Interval is how often a Meter samples memory between reads.
const Interval = 500 * time.Millisecond

// Paths says where a container's counters are.
type Paths struct {
	// V1 is the container's folder of each cgroup v1 controller, by the
	// controller's name: "cpuacct" and "memory" are needed (unless V2 gives
	// them), "blkio" and "pids" are used where given; others are ignored.
	V1 map[string]string
	// V2 is the container's folder in the unified hierarchy, or "". On a hybrid
	// system it fills in what V1 lacks.
	V2 string
}

// Reading is what a container used since its Meter was opened. A provider that
// restarts adds the readings of the new Meter to what it had stored, and bills
// nothing for the time between (PROTOCOL.md 1.12).
type Reading struct {
	Time   time.Time     // when it was read
	Usage  pricing.Usage // cumulative, never decreasing
	Events Events        // cumulative, as Usage
	// DiskBusy is how long the scratch volume's device was at work. It is not
	// billed: the benchmarks' prices come from it. 0 where the volume has no device
	// of its own.
	DiskBusy time.Duration
}

// Events count what stopped processes of the container.
type Events struct {
	OOMKills uint64 // processes that the kernel killed at the memory limit
	PidsMax  uint64 // forks refused at the limit of processes
}

// Meter reads one container from outside. It is safe for concurrent use.
type Meter struct {
	src  source
	now  func() time.Time
	stop chan struct{}
	done chan struct{}
	once sync.Once

	mu     sync.Mutex
	usage  pricing.Usage // the highest values seen, as the kernel counts them
	base   pricing.Usage // their values when the meter was opened
	beside aside         // as usage
	before aside         // as base
	last   time.Time     // of the last sample of memory
	level  uint64        // bytes, at the last sample
	rest   uint64        // byte-ns not yet a whole byte-second
	gone   error
}

// source reads the counters of one moment; memory is a level in bytes there.
type source interface {
	cpu() (user, system uint64, err error) // ns
	memory() (bytes uint64, err error)
	rest(into pricing.Usage, beside *aside) error // all other counters
}

// aside is what is read besides the usage.
type aside struct {
	Events
	busy uint64 // ns
}

// Open starts to meter the container whose cgroups are at paths and whose first
// process has the given PID on the host (for its network and its mounts). It
// takes a first sample, so that a wrong path shows at once: ErrGone or ErrPaths.
// Close it.
func Open(paths Paths, initPID int) (*Meter, error) {
	src, err := newCgroup(paths, "/proc", "/sys/dev/block", initPID)
	if err != nil {
		return nil, err
	}
	return start(src, time.Now, Interval)
}

func start(src source, now func() time.Time, every time.Duration) (*Meter, error) {
	m := &Meter{src: src, now: now, stop: make(chan struct{}), done: make(chan struct{}),
		usage: pricing.Usage{}, base: pricing.Usage{}, last: now()}
	var err error
	if m.level, err = src.memory(); err != nil {
		return nil, fmt.Errorf("open meter: %w", classify(err))
	}
	if _, err = m.Read(); err != nil {
		return nil, fmt.Errorf("open meter: %w", err)
	}
	m.base, m.before = m.usage.Clone(), m.beside
	delete(m.base, pricing.Memory)
	go m.sample(every)
	return m, nil
}

// sample integrates memory between reads until Close.
func (m *Meter) sample(every time.Duration) {
	defer close(m.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			m.mu.Lock()
			if m.gone == nil {
				m.integrate()
			}
			m.mu.Unlock()
		}
	}
}

// Read returns the counters up to now. Once the container's cgroup is gone it
// returns the last reading that there was, together with ErrGone; any other
// error leaves the counters as they were and may be tried again.
func (m *Meter) Read() (Reading, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.stop:
		return m.reading(), ErrClosed
	default:
	}
	if m.gone != nil {
		return m.reading(), m.gone
	}
	err := m.update()
	if err != nil {
		err = classify(err)
		if errors.Is(err, ErrGone) {
			m.gone = err
		}
	}
	return m.reading(), err
}

func (m *Meter) update() error {
	user, system, err := m.src.cpu()
	if err != nil {
		return err
	}
	m.raiseCPU(user, system)
	seen, beside := pricing.Usage{}, aside{}
	if err := m.src.rest(seen, &beside); err != nil {
		return err
	}
	for c, n := range seen {
		m.usage[c] = max(m.usage[c], n)
	}
	m.beside.OOMKills = max(m.beside.OOMKills, beside.OOMKills)
	m.beside.PidsMax = max(m.beside.PidsMax, beside.PidsMax)
	m.beside.busy = max(m.beside.busy, beside.busy)
	return m.integrate()
}

// raiseCPU takes new totals. The kernel's split of the exact sum into user and
// system time is an estimate that may move either way; the sum is kept exact
// and neither part decreases.
func (m *Meter) raiseCPU(user, system uint64) {
	sum := user + system
	beforeUser, beforeSystem := m.usage[pricing.CPUUser], m.usage[pricing.CPUSystem]
	if sum < beforeUser+beforeSystem {
		return
	}
	user = min(max(user, beforeUser), sum-beforeSystem)
	m.usage[pricing.CPUUser], m.usage[pricing.CPUSystem] = user, sum-user
}

// integrate adds the trapezium between the last level of memory and the level
// now.
func (m *Meter) integrate() error {
	level, err := m.src.memory()
	if err != nil {
		return err
	}
	now := m.now()
	if elapsed := now.Sub(m.last); elapsed > 0 {
		mean := m.level/2 + level/2
		whole, rest := byteSeconds(mean, uint64(elapsed), m.rest)
		m.usage[pricing.Memory] += whole
		m.rest = rest
		m.last = now
	}
	m.level = level
	return nil
}

func (m *Meter) reading() Reading {
	usage := make(pricing.Usage, len(m.usage))
	for c, n := range m.usage {
		usage[c] = n - m.base[c]
	}
	return Reading{Time: m.last, Usage: usage, DiskBusy: time.Duration(m.beside.busy - m.before.busy), Events: Events{
		OOMKills: m.beside.OOMKills - m.before.OOMKills,
		PidsMax:  m.beside.PidsMax - m.before.PidsMax,
	}}
}

// Close stops the background sampling and waits for it. Reading after it is
// ErrClosed.
func (m *Meter) Close() error {
	m.once.Do(func() { close(m.stop) })
	<-m.done
	return nil
}

// classify turns "no such file" and the kernel's ENODEV of a removed cgroup into
// ErrGone.
func classify(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%w: %v", ErrGone, err)
	}
	return err
}

// byteSeconds is ⌊(bytes·ns + rest)/10⁹⌋ and what remains of it, in 128 bits. What
// no machine can reach, 2⁶⁴ byte-seconds at once, counts as nothing.
func byteSeconds(bytes, ns, rest uint64) (whole, remain uint64) {
	hi, lo := bits.Mul64(bytes, ns)
	lo, carry := bits.Add64(lo, rest, 0)
	if hi+carry >= 1e9 {
		return 0, rest
	}
	return bits.Div64(hi+carry, lo, 1e9)
}
