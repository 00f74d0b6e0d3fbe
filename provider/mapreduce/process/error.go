package process

import (
	"fmt"
	"syscall"
)

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrExit says that a program failed by its own exit; the error is an *Exit.
	ErrExit ErrorKind = "program failed"
	// ErrBrokenPipe says that a program did not read its input.
	ErrBrokenPipe ErrorKind = "Broken pipe: it did not read all of its input"
	// ErrSilent says that a program read and wrote nothing for too long.
	ErrSilent ErrorKind = "it neither read nor wrote anything for too long"
	// ErrStart says that a program could not be started.
	ErrStart ErrorKind = "cannot be started"
)

// Exit is how a program ended.
type Exit struct{ Status syscall.WaitStatus }

// Code is the exit code as a shell tells it: 128 and more for a signal.
func (e *Exit) Code() int {
	if e.Status.Signaled() {
		return 128 + int(e.Status.Signal())
	}
	return e.Status.ExitStatus()
}

// Error says how it ended.
func (e *Exit) Error() string {
	if e.Status.Signaled() {
		return fmt.Sprintf("killed by signal %d (%s)", e.Status.Signal(), e.Status.Signal())
	}
	return fmt.Sprintf("ended with exit code %d", e.Code())
}

// Is makes errors.Is find ErrExit.
func (e *Exit) Is(target error) bool { return target == ErrExit }
