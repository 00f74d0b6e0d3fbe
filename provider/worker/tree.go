package worker

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A task's processes are: its first one; its session; everything that descends
// from these; and what carries its TMPDIR in the environment, or works in its
// scratch folder, for a daemon that has left session and parent. When no other
// task has processes, all of the container's are.

// proc is one line of the process table.
type proc struct{ pid, parent, session int }

// table reads the processes that this one can see, zombies left out.
func table() []proc {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var out []proc
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		if p, ok := parseStat(pid, string(data)); ok {
			out = append(out, p)
		}
	}
	return out
}

// parseStat reads /proc/<pid>/stat (proc_pid_stat(5)): state, ppid, pgrp, session
// follow the name in parentheses, which may hold anything.
func parseStat(pid int, stat string) (proc, bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 4 || fields[0] == "Z" || fields[0] == "X" {
		return proc{}, false
	}
	parent, err1 := strconv.Atoi(fields[1])
	session, err2 := strconv.Atoi(fields[3])
	return proc{pid, parent, session}, err1 == nil && err2 == nil
}

// family picks the processes of the session of main, those that belongs says are
// of the task, and all descendants of these. self is never among them.
func family(procs []proc, self, main int, belongs func(pid int) bool) []int {
	in := map[int]bool{}
	for _, p := range procs {
		if p.pid == main || p.session == main {
			in[p.pid] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for _, p := range procs {
			if !in[p.pid] && in[p.parent] {
				in[p.pid], changed = true, true
			}
		}
	}
	// Only a child of init can have left the family by losing its parent.
	for _, p := range procs {
		if !in[p.pid] && p.pid != self && p.parent == self && belongs(p.pid) {
			in[p.pid] = true
			for _, child := range family(procs, self, p.pid, func(int) bool { return false }) {
				in[child] = true
			}
		}
	}
	delete(in, self)
	var out []int
	for _, p := range procs {
		if in[p.pid] {
			out = append(out, p.pid)
		}
	}
	return out
}

// living lists the task's processes. ended says that its first process is reaped:
// then, mostly, there are none, which is cheap to see.
func (s *Server) living(t *task, ended bool) []int {
	self := os.Getpid()
	if ended {
		if orphans, ok := s.children.orphans(); ok && len(orphans) == 0 {
			return nil
		}
	}
	// While the lock is held no task starts: what is seen is of those that are known.
	s.children.mu.Lock()
	alone := s.children.only(t.pid)
	procs := table()
	s.children.mu.Unlock()
	if s.cfg.Init && alone {
		var out []int
		for _, p := range procs {
			if p.pid != self {
				out = append(out, p.pid)
			}
		}
		return out
	}
	return family(procs, self, t.pid, func(pid int) bool { return marked(pid, t) })
}

// marked says whether a process shows that it is the task's.
func marked(pid int, t *task) bool {
	name := "/proc/" + strconv.Itoa(pid)
	if env, err := os.ReadFile(name + "/environ"); err == nil {
		for variable := range bytes.SplitSeq(env, []byte{0}) {
			if key, value, ok := strings.Cut(string(variable), "="); ok && value == t.home && (key == "HOME" || key == "TMPDIR") {
				return true
			}
		}
	}
	at, err := os.Readlink(name + "/cwd")
	return err == nil && (at == t.scratch || strings.HasPrefix(at, t.scratch+"/"))
}

// killTree sends KILL to all the task's processes. Those that fork faster than
// they can be listed are stopped first: what is stopped does not fork.
func (s *Server) killTree(t *task, ended bool) {
	if s.cfg.Init && s.children.killAll(t.pid) {
		return
	}
	stopped := map[int]bool{}
	for range 100 {
		fresh := 0
		for _, pid := range s.living(t, ended) {
			if !stopped[pid] {
				stopped[pid] = true
				fresh++
				unix.Kill(pid, unix.SIGSTOP)
			}
		}
		if fresh == 0 {
			break
		}
	}
	for _, pid := range s.living(t, ended) {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// endurance bounds the wait for killed processes: one that hangs in the kernel
// must not hold the task for ever.
const endurance = 10 * time.Second
