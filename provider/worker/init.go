package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where the container has what a worker needs (package runtime).
const (
	listenFD   = 3 // the listening unix socket
	scratchDir = "/work"
	blobsDir   = "/zennet/blobs"
	cgroupDir  = "/sys/fs/cgroup"
	pidsEnv    = "ZENNET_PIDS"
)

// Init is the worker as the first process of a container: it closes itself
// against the tasks and serves the socket that it inherited, until it is killed.
func Init(log *slog.Logger) error {
	// Tasks have the same user: they could trace and read a process that is dumpable,
	// and take its socket.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	if err := ignoreSignals(); err != nil {
		return err
	}
	unix.CloseOnExec(listenFD)
	file := os.NewFile(listenFD, "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("worker: no listening socket at descriptor %d: %w", listenFD, err)
	}
	file.Close()
	pids, err := strconv.ParseUint(os.Getenv(pidsEnv), 10, 32)
	if err != nil {
		return fmt.Errorf("worker: %s: %w", pidsEnv, err)
	}
	// mkfs makes it; nobody will look for lost files here.
	if err := os.Remove(scratchDir + "/lost+found"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Debug("lost+found stays", "err", err)
	}
	return Serve(context.Background(), listener, Config{
		Dir: scratchDir, Blobs: blobsDir, Cgroup: cgroupDir, Pids: pids, Init: os.Getpid() == 1, Log: log})
}

// Digest returns "sha256:…" of a program's file, found as for a task: what tells
// one version from another where the program itself does not.
func Digest(program string) (string, error) {
	path, err := lookup(program, os.Getenv("PATH"), ".")
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), nil
}

// The signals that C libraries use for themselves (nptl(7)), and one more that Go
// spares for them.
const (
	firstLibrarySignal = syscall.Signal(32)
	lastLibrarySignal  = syscall.Signal(34)
)

// ignoreSignals keeps signals of tasks from ending the worker. Go's runtime
// handles all but a few of them, and some by ending the process: these are taken,
// and those that a program mostly causes itself, as SIGSEGV, too.
//
// The few, which Go leaves to C libraries, have their default action. The kernel
// keeps that from an init, but not quite: where the leading thread blocks a signal,
// as it does in a handler of another, and a second thread does not, it is deadly
// (complete_signal, kernel/signal.c). They are ignored. Tasks inherit that, but
// libraries that use these signals set handlers for them.
func ignoreSignals() error {
	var all []os.Signal
	for n := syscall.Signal(1); n < firstLibrarySignal; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF:
			continue // not to be caught, or the runtime's
		}
		all = append(all, n)
	}
	signal.Notify(make(chan os.Signal, 1), all...)

	// struct kernel_sigaction: handler, flags, restorer, mask of 64 bits. SIG_IGN is 1.
	action, maskBytes := [4]uint64{1}, uintptr(8)
	for n := firstLibrarySignal; n <= lastLibrarySignal; n++ {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&action)), 0, maskBytes, 0, 0); errno != 0 {
			return fmt.Errorf("worker: ignore signal %d: %w", n, errno)
		}
	}
	return nil
}
