package schedule

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrJob says that a job cannot be scheduled: a need that does not come
	// before its task, no slots, no attempts.
	ErrJob ErrorKind = "job cannot be scheduled"
	// ErrEvent says that an event names an unknown slot or task, or a slot twice.
	ErrEvent ErrorKind = "unexpected event"
)
