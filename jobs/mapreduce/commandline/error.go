package commandline

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

// ErrUsage says that the command line is wrong, or asks for what cannot run here.
// What streaming refuses keeps streaming's kinds.
const ErrUsage ErrorKind = "hadoop-streaming's command line"
