package worker

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrStage says that a task's inputs cannot be placed.
	ErrStage ErrorKind = "inputs cannot be placed"
	// ErrStart says that a task's program cannot be started.
	ErrStart ErrorKind = "program cannot be started"
	// ErrBusy says that the worker holds as many tasks as it can.
	ErrBusy ErrorKind = "too many tasks"
	// ErrTask says that the worker holds no such task, or not in this state.
	ErrTask ErrorKind = "no such task"
	// ErrSlow says that the publisher does not read what it is sent.
	ErrSlow ErrorKind = "connection is not read"
)
