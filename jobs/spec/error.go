package spec

import (
	"fmt"
	"strings"
)

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrSyntax says that the text is no YAML, or uses a feature of it that job files do without.
	ErrSyntax ErrorKind = "not a job file"
	// ErrKey says that a key is unknown, given twice, missing, or out of place.
	ErrKey ErrorKind = "bad key"
	// ErrValue says that a value is malformed, lacks its unit, or is out of bounds.
	ErrValue ErrorKind = "bad value"
	// ErrFile says that a named file is missing, or not inside the job file's folder.
	ErrFile ErrorKind = "bad file"
	// ErrNotBuilt says that Zennet is meant to do this, but cannot yet.
	ErrNotBuilt ErrorKind = "not built yet"
)

// Problem is one complaint about a job file.
type Problem struct {
	Where string // "fold.yaml:12" or "--set slots=x"
	Key   string // dotted path, "" for the whole file
	Kind  ErrorKind
	Text  string // what is wrong and what would be right
}

// Error is "fold.yaml:12: slots: text".
func (p Problem) Error() string {
	if p.Key == "" {
		return fmt.Sprintf("%s: %s", p.Where, p.Text)
	}
	return fmt.Sprintf("%s: %s: %s", p.Where, p.Key, p.Text)
}

// Unwrap gives the kind.
func (p Problem) Unwrap() error { return p.Kind }

// Problems are all complaints about a job file, in its order, at most MaxErrors.
// More says how many others were dropped.
type Problems struct {
	List []Problem
	More int
}

// Error is one problem a line.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p.List)+1)
	for _, one := range p.List {
		lines = append(lines, one.Error())
	}
	if p.More > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", p.More))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives every problem to errors.Is and errors.As.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p.List))
	for i, one := range p.List {
		errs[i] = one
	}
	return errs
}
