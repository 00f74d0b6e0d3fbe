package worker

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ending is how a child ended.
type ending struct {
	status syscall.WaitStatus
	usage  syscall.Rusage // with its waited-for children
}

// children starts processes and reaps them, and every orphan of the container.
// All reaping is done here: os/exec and its kind would compete with it.
type children struct {
	mu      sync.Mutex // held from before a fork until the child is known, so that it is not reaped unknown
	started sync.Cond
	known   map[int]chan<- ending
	change  chan struct{} // closed and replaced at every reaping
	list    *kernelFile   // the children of the leading thread, which is where orphans go
	stopped bool
	done    chan struct{}
}

func newChildren() *children {
	c := &children{known: map[int]chan<- ending{}, change: make(chan struct{}), done: make(chan struct{})}
	c.started.L = &c.mu
	c.list = openKernelFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	return c
}

// spawn starts a program; the channel gets its ending.
func (c *children) spawn(path string, args []string, attr *syscall.ProcAttr) (int, <-chan ending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, args, attr)
	if err != nil {
		return 0, nil, err
	}
	ended := make(chan ending, 1)
	c.known[pid] = ended
	c.started.Signal()
	return pid, ended, nil
}

// reap runs until stop.
func (c *children) reap() {
	defer close(c.done)
	for {
		// Look without reaping first: a number is free again only once it is reaped, and
		// that is done under the lock that spawn holds.
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT|unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		c.mu.Lock()
		if err != nil { // ECHILD: orphans appear only while there are children
			if c.stopped {
				c.mu.Unlock()
				return
			}
			if len(c.known) == 0 {
				c.started.Wait()
			}
			c.mu.Unlock()
			continue
		}
		c.collect()
		close(c.change)
		c.change = make(chan struct{})
		c.mu.Unlock()
	}
}

// collect reaps all that have ended.
func (c *children) collect() {
	for {
		var e ending
		pid, err := syscall.Wait4(-1, &e.status, syscall.WNOHANG|unix.WALL, &e.usage)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if ended, ok := c.known[pid]; ok {
			delete(c.known, pid)
			ended <- e
		}
	}
}

// stop ends reap, once there are no children any more.
func (c *children) stop() {
	c.mu.Lock()
	c.stopped = true
	c.started.Broadcast()
	c.mu.Unlock()
	<-c.done
	c.list.close()
}

// changed is closed at the next reaping.
func (c *children) changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.change
}

// orphans lists the children that were not started here: what the container's
// dead processes left to its init. ok is false where the kernel does not tell
// (CONFIG_PROC_CHILDREN).
func (c *children) orphans() (pids []int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var buf [256]byte
	data := c.list.read(buf[:0])
	if data == nil {
		return nil, false
	}
	for field := range strings.FieldsSeq(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, false
		}
		if _, mine := c.known[pid]; !mine {
			pids = append(pids, pid)
		}
	}
	return pids, true
}

// only says whether there is no known child but main. The lock is held.
func (c *children) only(main int) bool {
	for pid := range c.known {
		if pid != main {
			return false
		}
	}
	return true
}

// killAll kills every process of the container but this one, if the known child
// main is the only one or there is none. Only for the init of a PID namespace.
func (c *children) killAll(main int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.only(main) {
		return false
	}
	unix.Kill(-1, unix.SIGKILL)
	return true
}
