package spec

import (
	"time"

	"github.com/zennet/zennet/ledger/types"
)

// Bounds of a job file. They keep a mistyped number from costing memory or
// money; none is a property of the network.
const (
	MaxFile      = 1 << 20 // bytes of a job file
	MaxErrors    = 20      // problems reported at once
	MaxTasks     = 100_000 // tasks of a job: array, matrix, or ensemble × segments
	MaxSlots     = 10_000
	MaxInputs    = 10_000    // entries of a list of inputs, patterns, env or addresses
	MaxAxes      = 16        // parameters of a matrix
	MaxTotal     = 1_000_000 // inputs, patterns or variables of all tasks together
	MaxText      = 64 << 10
	MaxName      = 64
	MaxTaskName  = 200
	MaxAttempts  = 100
	MaxEnsemble  = 10_000
	MaxSeed      = 2_000_000_000 // all seeds that follow from it fit gromacs' 31 bits
	MaxDuration  = 365 * 24 * time.Hour
	MaxCPU       = 1024    // cores of a container
	MinMemory    = 4 << 20 // bytes
	MaxMemory    = 64 << 40
	MinDisk      = 1 << 20
	MaxDisk      = 1 << 50
	MaxDepth     = 32      // nesting of the YAML
	MaxTreeFiles = 100_000 // files of an input folder that are checked for links that leave it
)

// Defaults of the keys that a job file may leave out.
const (
	DefaultMilliCPU = 1000
	DefaultMemory   = 512 << 20
	DefaultDisk     = 1 << 30
	DefaultSlots    = 4
	DefaultBudget   = types.XEN
	DefaultAttempts = 3
	DefaultTimeout  = 2 * time.Hour
	DefaultOutputs  = "results"
)
