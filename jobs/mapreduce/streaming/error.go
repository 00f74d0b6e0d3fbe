package streaming

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrCommand says that a command line cannot be run.
	ErrCommand ErrorKind = "bad command"
	// ErrSetting says that a property's value is malformed or out of bounds.
	ErrSetting ErrorKind = "bad setting"
	// ErrUnsupported says that Hadoop would do this and Zennet does not: Java classes
	// without an equal here, SequenceFiles, typed bytes.
	ErrUnsupported ErrorKind = "not supported"
)

// refusal is an error that names what it is about.
type refusal struct {
	kind ErrorKind
	name string // the property or option
	text string
}

func (r refusal) Error() string {
	if r.name == "" {
		return r.text
	}
	return r.name + ": " + r.text
}

func (r refusal) Unwrap() error { return r.kind }

// clip bounds a text that is quoted in a message.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
