package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// State of a container.
type State string

const (
	Running State = "running"
	Frozen  State = "frozen"
	Stopped State = "stopped" // its first process ended, or never began
)

// Status is what is known of a container.
type Status struct {
	PID      int // of its first process, on the host; 0 once stopped
	State    State
	ExitCode int // of its first process, 128+n for signal n; -1 while it runs and where unknown
}

// process is the first process of a container, held by a pidfd, which stays
// valid when the number is used again.
type process struct {
	pid int
	fd  *os.File
}

func (p *process) dup() (*os.File, error) {
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	if e := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// watch opens the container's first process, or returns nil where it does not run.
func (r *Runc) watch(id string) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.inits[id]; p != nil {
		return p
	}
	pid := r.pid(id)
	if pid == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil
	}
	p := &process{pid: pid, fd: os.NewFile(uintptr(fd), "pidfd")}
	// Only now that the process is held does it help to look who it is.
	if !r.hierarchy.holds(r.cgroup(id), pid) {
		p.fd.Close()
		return nil
	}
	r.inits[id] = p
	return p
}

func (r *Runc) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.inits[id]; p != nil {
		p.fd.Close()
		delete(r.inits, id)
	}
}

// Status tells a container's state. ErrNotFound where there is no such container.
func (r *Runc) Status(ctx context.Context, id string) (Status, error) {
	if err := r.exists(id); err != nil {
		return Status{}, err
	}
	stopped := Status{State: Stopped, ExitCode: -1}
	p := r.watch(id)
	if p == nil {
		return stopped, ctx.Err()
	}
	if ended, code := p.exit(); ended {
		stopped.ExitCode = code
		return stopped, ctx.Err()
	}
	s := Status{PID: p.pid, State: Running, ExitCode: -1}
	if r.hierarchy.frozen(r.cgroup(id)) {
		s.State = Frozen
	}
	return s, ctx.Err()
}

// exit says whether the process has ended, and with what code where the kernel
// tells (Linux 6.15), else -1.
func (p *process) exit() (ended bool, code int) {
	raw, err := p.fd.SyscallConn()
	if err != nil {
		return true, -1
	}
	code = -1
	err = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		if ended = err == nil && n > 0; !ended {
			return
		}
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if unix.IoctlPidfdInfo(int(fd), &info) != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
			return
		}
		status := syscall.WaitStatus(info.Exit_code)
		if code = status.ExitStatus(); status.Signaled() {
			code = 128 + int(status.Signal())
		}
	})
	return ended || err != nil, code
}

// Wait returns once the container's first process has ended, or was removed.
func (r *Runc) Wait(ctx context.Context, id string) (Status, error) {
	if err := r.exists(id); err != nil {
		return Status{}, err
	}
	p := r.watch(id)
	if p == nil {
		return r.Status(ctx, id)
	}
	// A descriptor of one's own waits in the network poller, not in a thread.
	f, err := p.dup()
	if err != nil {
		return Status{}, fmt.Errorf("wait for %s: %w", id, err)
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return Status{}, fmt.Errorf("wait for %s: %w", id, err)
	}
	mine := &process{pid: p.pid, fd: f}
	err = raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err != nil || n > 0
	})
	if err != nil {
		return Status{}, fmt.Errorf("wait for %s: %w", id, errors.Join(ctx.Err(), err))
	}
	// The kernel keeps the exit code from the moment that the process is reaped.
	s := Status{State: Stopped}
	for range 50 {
		if _, s.ExitCode = mine.exit(); s.ExitCode >= 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return s, nil
}

// Freeze stops all processes of the container until Thaw; freezing what is frozen
// is no error.
func (r *Runc) Freeze(ctx context.Context, id string) error {
	return r.change(ctx, id, Frozen, r.runc.Pause)
}

// Thaw lets a frozen container go on.
func (r *Runc) Thaw(ctx context.Context, id string) error {
	return r.change(ctx, id, Running, r.runc.Resume)
}

func (r *Runc) change(ctx context.Context, id string, to State, how func(context.Context, string) error) error {
	if err := r.exists(id); err != nil {
		return err
	}
	unlock, err := r.locks.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := r.Status(ctx, id)
	switch {
	case err != nil:
		return err
	case now.State == to:
		return nil
	case now.State == Stopped:
		return fmt.Errorf("%w: %s", ErrNotRunning, id)
	}
	if err := how(ctx, id); err != nil {
		return fmt.Errorf("%w: container %s to %s: %v", ErrRunc, id, to, err)
	}
	return nil
}
