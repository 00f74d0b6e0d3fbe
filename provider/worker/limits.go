package worker

import (
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// workerThreads is how many threads of the worker are expected to count, with the
// tasks' processes, against the limit of the user's processes.
const workerThreads = 16

// limits keeps tasks below the container's limits, where the worker has to live
// too, and sees which limit was hit.
type limits struct {
	pids   uint64      // all tasks together; 0 = no limit
	memory *kernelFile // counts kills at the memory limit
	forks  *kernelFile // counts forks refused at the container's limit
	now    *kernelFile // the number of processes and threads
	dir    string      // on the scratch volume

	mu      sync.Mutex
	claimed uint64 // kills that a task's end was explained with
}

func newLimits(cfg Config) *limits {
	l := &limits{pids: cfg.Pids, dir: cfg.Dir}
	first := func(names ...string) *kernelFile {
		for _, name := range names {
			if k := openKernelFile(filepath.Join(cfg.Cgroup, name)); k != nil && cfg.Cgroup != "" {
				return k
			}
		}
		return nil
	}
	// cgroup v1, then v2.
	l.memory = first("memory/memory.oom_control", "memory.events")
	l.forks = first("pids/pids.events", "pids.events")
	l.now = first("pids/pids.current", "pids.current")
	return l
}

func (l *limits) close() {
	for _, k := range []*kernelFile{l.memory, l.forks, l.now} {
		k.close()
	}
}

// apply sets the limits of a task's first process, which all its processes
// inherit. A child that it has by now gets them too; the kernel prefers tasks to
// the worker where memory is short.
func (l *limits) apply(pid int) {
	l.applyTo(pid)
	name := strconv.Itoa(pid)
	var buf [64]byte
	for field := range strings.FieldsSeq(string(readOnce("/proc/"+name+"/task/"+name+"/children", buf[:0]))) {
		if child, err := strconv.Atoi(field); err == nil {
			l.applyTo(child)
		}
	}
}

func (l *limits) applyTo(pid int) {
	if l.pids > 0 {
		most := unix.Rlimit{Cur: l.pids + workerThreads, Max: l.pids + workerThreads}
		unix.Prlimit(pid, unix.RLIMIT_NPROC, &most, nil)
	}
	if fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		unix.Write(fd, []byte("800"))
		unix.Close(fd)
	}
}

// events are what happened at the limits.
type events struct {
	memoryKills  uint64 // processes killed at the memory limit
	refusedForks uint64 // at the container's limit
	processes    uint64 // now, threads included
	freeBytes    uint64 // of the scratch volume, now
	freeFiles    uint64
	known        bool // that the volume was asked
}

// read reads the counters of now.
func (l *limits) read() events {
	e := events{memoryKills: counter(l.memory, "oom_kill"), refusedForks: counter(l.forks, "max")}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.memoryKills = max(e.memoryKills, l.claimed)
	return e
}

// since returns what has happened since before, and the state of now.
func (l *limits) since(before events) events {
	e := l.read()
	l.mu.Lock()
	e.memoryKills -= max(before.memoryKills, l.claimed)
	l.mu.Unlock()
	e.refusedForks -= before.refusedForks
	e.processes = counter(l.now, "")
	var fs unix.Statfs_t
	if err := unix.Statfs(l.dir, &fs); err == nil {
		e.freeBytes, e.freeFiles, e.known = fs.Bavail*uint64(fs.Bsize), fs.Ffree, true
	}
	return e
}

// claimMemory says that the kills so far explain the end of one task, and of no
// other that ran beside it.
func (l *limits) claimMemory() {
	kills := counter(l.memory, "oom_kill")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claimed = max(l.claimed, kills)
}

// counter reads the number after key in a file of "key number" lines, or the
// only number of a file where key is "". What cannot be read is 0.
func counter(file *kernelFile, key string) uint64 {
	var buf [256]byte
	data := file.read(buf[:0])
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key == "" {
			name, value = "", name
		}
		if name == key {
			n, _ := strconv.ParseUint(value, 10, 64)
			return n
		}
	}
	return 0
}
