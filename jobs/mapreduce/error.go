package mapreduce

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrTask says that a text is no task.json, or breaks its bounds.
	ErrTask ErrorKind = "not a sound task"
	// ErrFacts says that a text is no facts.json, or breaks its bounds.
	ErrFacts ErrorKind = "not sound facts"
	// ErrJob says that a job cannot be planned.
	ErrJob ErrorKind = "job cannot be planned"
)
