package planner

import (
	"fmt"
	"io/fs"

	"github.com/zennet/zennet/jobs/container"
	"github.com/zennet/zennet/jobs/gromacs"
	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Info is what a planner can say before anything runs.
type Info = plan.Info

// File is one file of a report.
type File = plan.File

// Plan is the graph of the job's tasks; it satisfies Graph.Check. files is the job
// file's folder. Errors name the job file's line, and nothing was spent.
func Plan(job spec.Job, files fs.FS) (plan.Graph, error) {
	var graph plan.Graph
	var err error
	switch job.Kind {
	case spec.KindContainer:
		graph, err = container.Plan(job, files)
	case spec.KindGromacs:
		graph, err = gromacs.Plan(job, files)
	case spec.KindMapReduce:
		graph, err = mapreduce.Plan(job)
	default:
		err = fmt.Errorf("%s: kind: %s has no planner", job.At("kind"), job.Kind)
	}
	if err != nil {
		return plan.Graph{}, err
	}
	if err := graph.Check(); err != nil {
		return plan.Graph{}, fmt.Errorf("%s: %w", job.File, err)
	}
	return graph, nil
}

// Inspect says what is known about the job before it runs: sizes, expected
// times, warnings.
func Inspect(job spec.Job, files fs.FS) (Info, error) {
	switch job.Kind {
	case spec.KindGromacs:
		return gromacs.Inspect(job, files)
	case spec.KindMapReduce:
		return mapreduce.Inspect(job)
	}
	return Info{}, nil
}

// Report draws the report from what the tasks left. outputs is the results
// folder, with tasks/NAME/… and what report tasks left under report/…; facts gives
// the content of the Facts file of a task of the graph, nil where there is none
// (the task was never committed). The files are to be written under report/. It
// never reads anything else, and equal outputs and facts give equal bytes. A job
// without a report has no files.
func Report(job spec.Job, graph plan.Graph, outputs fs.FS, facts func(task int) []byte) ([]File, error) {
	switch {
	case job.Kind == spec.KindGromacs && len(job.Report) > 0:
		return gromacs.Report(job, graph, outputs)
	case job.Kind == spec.KindMapReduce:
		return mapreduce.Report(job, graph, facts)
	}
	return nil, nil
}
