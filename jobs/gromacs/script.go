package gromacs

import (
	_ "embed" // the scripts
	"strconv"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

//go:embed script/common.sh
var commonScript string

//go:embed script/prepare.sh
var prepareScript string

//go:embed script/segment.sh
var segmentScript string

//go:embed script/single.sh
var singleScript string

//go:embed script/join.sh
var joinScript string

//go:embed script/report.sh
var reportScript string

// scripted gives a task its script and its settings.
func scripted(t plan.Task, name, body string, env map[string]string) plan.Task {
	t.Command = []string{"sh", "-eu", name}
	t.Env = env
	t.Inputs = append([]plan.Input{{Path: name, Data: []byte(commonScript + "\n" + body)}}, t.Inputs...)
	return t
}

// threads are mdrun's options for the container's cores: programs do not see their
// quota, and one thread-MPI rank repeats itself bitwise.
func threads(r spec.Resources) string {
	if n := r.CPUs(); n > 1 {
		return "-ntmpi 1 -ntomp " + strconv.Itoa(n)
	}
	return "-nt 1"
}

func inline(path string, data []byte) plan.Input { return plan.Input{Path: path, Data: data} }

func file(path, from string) plan.Input { return plan.Input{Path: path, File: from} }
