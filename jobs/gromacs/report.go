package gromacs

import (
	"io/fs"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Report draws the report.
func Report(job spec.Job, graph plan.Graph, outputs fs.FS) ([]plan.File, error) {
	return nil, nil
}
