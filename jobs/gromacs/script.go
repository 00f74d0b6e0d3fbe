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

// scripts are the tasks' programs; all tasks share their bytes.
var scripts = map[string][]byte{
	"prepare.sh": []byte(commonScript + "\n" + prepareScript),
	"segment.sh": []byte(commonScript + "\n" + segmentScript),
	"single.sh":  []byte(commonScript + "\n" + singleScript),
	"join.sh":    []byte(commonScript + "\n" + joinScript),
	"report.sh":  []byte(commonScript + "\n" + reportScript),
}

// scripted gives a task its script and its settings.
func scripted(t plan.Task, name string, env map[string]string) plan.Task {
	t.Command = []string{"sh", "-eu", name}
	t.Env = env
	t.Inputs = append([]plan.Input{inline(name, scripts[name])}, t.Inputs...)
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
