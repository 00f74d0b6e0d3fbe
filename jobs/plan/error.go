package plan

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

// ErrGraph says that a graph breaks one of the rules of Check.
const ErrGraph ErrorKind = "graph is not sound"
