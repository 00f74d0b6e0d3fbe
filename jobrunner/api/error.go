package api

import (
	"errors"
	"net/http"
)

// ErrorKind is a kind of error that crosses the socket; errors.Is finds it on
// both sides.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrSpec says that the job file or the flags are wrong; nothing was spent.
	ErrSpec ErrorKind = "job file not valid"
	// ErrNotFound says that there is no such job or task.
	ErrNotFound ErrorKind = "not found"
	// ErrStopped says that the host can store nothing any more (a full or broken
	// disk): its jobs stop where they are, and go on when they are submitted again.
	ErrStopped ErrorKind = "stopped"
	// ErrBusy says that the service is closing or has too much to do.
	ErrBusy ErrorKind = "not ready"
	// ErrNoDaemon says that nothing answers at the socket.
	ErrNoDaemon ErrorKind = "no daemon answers"
	// ErrInternal is everything else.
	ErrInternal ErrorKind = "failed"
)

// Problem is an error as it travels.
type Problem struct {
	Kind    ErrorKind `json:"kind"`
	Message string    `json:"message"`
}

// Error is the message alone, which names its place already.
func (p Problem) Error() string { return p.Message }

// Unwrap makes errors.Is find the kind.
func (p Problem) Unwrap() error { return p.Kind }

func status(err error) (int, Problem) {
	for kind, code := range map[ErrorKind]int{ErrSpec: http.StatusUnprocessableEntity,
		ErrNotFound: http.StatusNotFound, ErrBusy: http.StatusServiceUnavailable, ErrStopped: http.StatusInsufficientStorage} {
		if errors.Is(err, kind) {
			return code, Problem{kind, err.Error()}
		}
	}
	return http.StatusInternalServerError, Problem{ErrInternal, err.Error()}
}
