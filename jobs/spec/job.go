package spec

import (
	"time"

	"github.com/zennet/zennet/ledger/types"
)

// Kinds of jobs that are built.
const (
	KindContainer = "container"
	KindGromacs   = "gromacs"
	KindMapReduce = "mapreduce"
)

// ImageHost is the image that stands for the provider's own programs.
const ImageHost = "host"

// Job is a validated job file. It holds plain values only, so that it can be
// sent as JSON. Exactly one of Container, Gromacs and MapReduce is set, as Kind says.
type Job struct {
	File      string        // the job file's name as the user gave it, for messages
	Kind      string        // KindContainer, KindGromacs or KindMapReduce
	Name      string        // default: the file's name without its extension
	Image     string        // ImageHost (default) or the absolute path of a root file system that the provider has
	Resources Resources     // of each container
	Slots     int           // containers at once, at most; default DefaultSlots, or Providers.Min if that is more
	Budget    types.Amount  // never spends more; default DefaultBudget
	Providers Providers     // whom to lease from
	Pool      string        // "direct"
	Verify    Verify        // redundant execution; Replicas is 1 and SpotCheck 0 for now
	Retry     Retry         // attempts of a task
	Timeout   time.Duration // of one attempt; default DefaultTimeout
	Deadline  time.Duration // from submit; 0 = none
	// Checkpoint are patterns of files that a task which must go leaves to its
	// next attempt. The gromacs planner has its own.
	Checkpoint []string
	Outputs    string   // results folder, slash-separated, relative to the job file's folder; default DefaultOutputs
	Report     []string // items of the report, in the order written (gromacs)

	Container *Container `json:",omitempty"`
	Gromacs   *Gromacs   `json:",omitempty"`
	MapReduce *MapReduce `json:",omitempty"`

	// Remote are the files and folders that tasks start from and that are named by
	// URLs (Sources); jobrunner/data fills it in before the job is planned.
	Remote []Remote `json:",omitempty"`

	// Lines maps the dotted path of every key that was given to its place for
	// messages: "slots" → "fold.yaml:7", or "--set slots=5". See At.
	Lines map[string]string `json:",omitempty"`
}

// Resources bound one container.
type Resources struct {
	MilliCPU uint32 // thousandths of a core; default 1000
	Memory   uint64 // bytes; default 512 MiB
	Disk     uint64 // bytes of scratch; default 1 GiB
}

// CPUs is the number of threads that a program in the container should start:
// whole cores, at least one.
func (r Resources) CPUs() int { return max(1, int(r.MilliCPU/1000)) }

// Providers says whom to lease from.
type Providers struct {
	Min        int             // distinct providers at least; default 1
	MaxRate    types.Amount    // nXEN an hour and container that are paid at most; 0 = no limit but the budget
	Reputation float64         // least score; 0 for now
	Deny       []types.Address // never these
}

// Verify says how results are checked by running work twice.
type Verify struct {
	SpotCheck float64 // share of tasks that run again elsewhere; 0 for now
	Replicas  int     // 1 for now
	Compare   string  // "" = the kind's default
}

// Retry bounds a task's attempts. Attempts that a provider's loss ended do not
// count.
type Retry struct {
	Attempts int     // default 3
	Never    []Range // exit codes that are the task's own verdict: no further attempt
}

// Range is a range of exit codes, both ends included.
type Range struct{ From, To int }

// Forbids reports whether exit code is the task's own verdict.
func (r Retry) Forbids(code int) bool {
	for _, one := range r.Never {
		if one.From <= code && code <= one.To {
			return true
		}
	}
	return false
}

// Container is the section of kind container.
type Container struct {
	Command []string // argv; a command that was given as one string is {"sh", "-c", string}
	// Array holds the values of an array in order, Matrix the axes of a matrix in
	// the order written; at most one of them is not empty. Neither: one task.
	Array  []int64
	Matrix []Axis
	// Inputs are files and folders relative to the job file's folder, cleaned, or
	// URLs (hdfs:, file:), with {index}, {number} and {NAME of an axis} still to be filled in.
	Inputs  []string
	Env     map[string]string
	Collect []string // patterns as Inputs are; each must match
	HDFS    HDFS     `json:",omitzero"`
}

// Axis is one parameter of a matrix with its values in the order written.
type Axis struct {
	Name   string
	Values []string
}

// Tasks is the number of tasks that array or matrix ask for, at least 1.
func (c Container) Tasks() int {
	if len(c.Array) > 0 {
		return len(c.Array)
	}
	n := 1
	for _, axis := range c.Matrix {
		n *= len(axis.Values)
	}
	return n
}

// Report items of kind gromacs.
const (
	ReportEnergy   = "energy"   // energies, temperature and pressure
	ReportRMSD     = "rmsd"     // of the backbone, after fitting it to the start
	ReportGyration = "gyration" // radius of gyration of the protein
	ReportImage    = "image"    // least distance of the protein to its periodic image
)

// Gromacs is the section of kind gromacs. The system comes from exactly one of
// Structure; Conf, Top and MDPFile; or TPR.
type Gromacs struct {
	Structure string   // .pdb or .gro, from which the planner builds the system
	Conf      string   // .gro, .pdb or .g96 of a ready system,
	Top       string   // its topology (files that it includes come along),
	MDPFile   string   // its run parameters,
	Index     string   // and, where its groups need one, its index file
	TPR       []string // ready run input: one, or one a member

	ForceField  string   // default amber99sb-ildn
	Water       string   // default tip3p
	Collapse    SimTime  // 0 = none
	Box         Box      // default dodecahedron with a margin of 1 nm
	Salt        float64  // mol/l of NaCl beside the ions that neutralise; default 0.15
	Temperature float64  // kelvin; default 300
	Pressure    *float64 // bar; nil = constant volume; default 1
	NVT, NPT    SimTime  // equilibration; default 50ps and 100ps
	MDP         []MDP    // further run parameters of the production run, last word, in the order written
	Seed        int64    // default 1
	Ensemble    int      // independent runs; default 1, or as many as TPR lists
	Length      SimTime  // of each run; 0 = from the input files (conf/top/mdp, tpr)
	Segment     SimTime  // 0 = the planner's choice
	Frames      SimTime  // 0 = from the input files (conf/top/mdp, tpr); else default 1ps
}

// Box is the periodic box of a prepared system. One of Size and Margin is set.
type Box struct {
	Type   string  // dodecahedron, cubic or octahedron
	Size   float64 // nm, distance of periodic images
	Margin float64 // nm between solute and box
}

// MDP is one run parameter; Name is spelt with dashes and in lower case.
type MDP struct{ Name, Value string }

// At is the place of a key for messages, such as "fold.yaml:12". A key that was
// not given has the place of the nearest key around it, at last the file.
func (j Job) At(key string) string { return at(j.Lines, j.File, key) }
