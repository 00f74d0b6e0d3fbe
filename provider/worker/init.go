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
	ignoreSignals()
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

// ignoreSignals keeps signals of tasks from ending the worker. The kernel keeps
// from an init what it has no handler for, but Go's runtime handles all, and ends
// the process at most. Those that a program can only cause itself, as SIGSEGV, are
// taken here too: they come from a task that sent them.
func ignoreSignals() {
	var all []os.Signal
	for n := syscall.Signal(1); n <= 31; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF:
			continue // not to be caught, or in use
		}
		all = append(all, n)
	}
	signal.Notify(make(chan os.Signal, 1), all...)
}
