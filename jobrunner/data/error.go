package data

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/spec"
)

// ErrorKind is a kind of error of this package; errors.Is finds it.
type ErrorKind string

// Error is the kind's own sentence.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrChanged says that an input file is gone or is no longer the one that was
	// planned.
	ErrChanged ErrorKind = "input changed since the job was planned"
	// ErrPlace says that a place cannot be understood, or its kind is not spoken.
	ErrPlace ErrorKind = "not a place of data"
	// ErrPart says that a part does not fit its file.
	ErrPart ErrorKind = "not a part of the file"
)

// inTheWay says that the output is there already; it is an fs.ErrExist.
type inTheWay struct{}

func (inTheWay) Error() string {
	return "exists already; an output is never overwritten: remove it or name another"
}

func (inTheWay) Unwrap() error { return fs.ErrExist }

// overtaken says that somebody made the output while a job was at it.
type overtaken struct{ error }

func (o overtaken) Error() string {
	return fmt.Sprintf("somebody else made it while this job ran; what is there is left as it is (%v)", o.error)
}

func (o overtaken) Unwrap() error { return o.error }

// Occupied is the refusal of a job whose output is there already.
func Occupied(job spec.Job) error {
	return refuse(job, "output", job.MapReduce.Output, inTheWay{})
}

// refuse puts what is wrong with a place under the job file's key that names it.
func refuse(job spec.Job, key, place string, err error) error {
	if err == nil {
		return nil
	}
	var told spec.Problem
	if errors.As(err, &told) {
		return err
	}
	return refusal{spec.Problem{Where: job.At(key), Key: key, Kind: spec.ErrFile, Text: place + ": " + words(err)}, err}
}

// words says what is wrong with a place that is named already.
func words(err error) string {
	switch {
	case missing(err):
		return "does not exist"
	case errors.Is(err, files.ErrUnavailable):
		return fmt.Sprintf("its file system does not answer: %v", err)
	}
	return err.Error()
}

// refusal is a problem of the job file with its cause.
type refusal struct {
	spec.Problem
	cause error
}

// Unwrap gives the problem, its kind and its cause to errors.Is and errors.As.
func (r refusal) Unwrap() []error { return []error{r.Problem, r.cause} }
