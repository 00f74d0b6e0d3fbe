package engine

import (
	"context"
	"io"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// OpenData makes a job's data files and the output folder of the job with an id
// reachable; dir is the job file's folder. It touches no file and no network: its
// errors are the job's own faults. It is nil for jobs without an output.
type OpenData func(job spec.Job, dir string) (Source, func(id string) Output, error)

// Source is what a job reads. It is used by many goroutines.
type Source interface {
	// Open streams a part of an input file. A file that is no longer the one that was
	// planned is an error that names it.
	Open(ctx context.Context, part plan.Part) (io.ReadCloser, error)
	// Check asks whether a part's file is the one that was planned, without opening
	// it; the error is Open's.
	Check(ctx context.Context, part plan.Part) error
	// Close lets go of what was opened for the job, its output included.
	Close() error
}

// Output is the folder that a job delivers into. While it is being made, its files
// are in a hidden folder beside it, the staging folder. fs.ErrPermission and
// fs.ErrExist are errors that last; any other may pass. data.Output is one.
type Output interface {
	// Begin makes the staging folder, empty: the proof that the output can be
	// written. What is left in such a folder is removed first. fs.ErrExist: the output
	// is there already.
	Begin(ctx context.Context) (data.Staging, error)
	// Find tells what became of a staging folder that Begin made.
	Find(ctx context.Context, s data.Staging) (data.Place, error)
	// Put writes a file of size bytes into the staging folder, whole or not at all;
	// from may be called again.
	Put(ctx context.Context, s data.Staging, name string, size int64, from func() (io.ReadCloser, error)) error
	// Settle gives the file from in the staging folder, of size bytes, its last name
	// there, or finds that it has it already. fs.ErrNotExist: there is no such file.
	Settle(ctx context.Context, s data.Staging, from, name string, size int64) error
	// Commit makes the staging folder the output by one rename: with the named files,
	// an empty _SUCCESS, and nothing else. fs.ErrNotExist: a file is missing or has
	// another size; fs.ErrExist: somebody made the output meanwhile. Then nothing has
	// happened.
	Commit(ctx context.Context, s data.Staging, names map[string]int64) error
	// Discard removes the staging folder with all that is in it.
	Discard(ctx context.Context, s data.Staging) error
}
