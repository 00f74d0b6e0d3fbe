// Package planner turns a validated job into its graph of tasks, whatever its
// kind, and draws its report when the results are there.
package planner

import (
	"fmt"
	"io/fs"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Info is what a planner can say before anything runs.
type Info = plan.Info

// File is one file of a report.
type File = plan.File

// Plan is the graph of the job's tasks. files is the job file's folder. Errors
// name the job file's line.
func Plan(job spec.Job, files fs.FS) (plan.Graph, error) {
	return plan.Graph{}, fmt.Errorf("%s: kind: %s has no planner", job.At("kind"), job.Kind)
}

// Inspect says what is known about the job before it runs: sizes, expected
// times, warnings.
func Inspect(job spec.Job, files fs.FS) (Info, error) {
	return Info{}, nil
}

// Report draws the report from what the tasks left. outputs is the results
// folder, with tasks/NAME/… and what report tasks left under report/…; the files
// are to be written under report/. It never reads anything else, and equal
// outputs give equal bytes.
func Report(job spec.Job, graph plan.Graph, outputs fs.FS) ([]File, error) {
	return nil, nil
}
