package plan

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Graph is a planned job. Tasks are in an order in which each comes after all
// that it needs.
type Graph struct {
	Tasks []Task
	// Programs are the host programs that tasks call by name ("gmx"): a job's
	// leases must agree in their versions.
	Programs []string
	// Output is the folder that tasks deliver into (Task.Deliver), a URL or a path
	// relative to the job file's folder; "" where none does. It appears whole, by
	// one rename, when the job is done.
	Output string
}

// Task is one unit of work. Name is unique in its graph and is the NAME of
// DESIGN.md's results.
type Task struct {
	Name string
	// Stage groups tasks for people: "prepare", "simulate", "run", "report".
	Stage   string
	Command []string // argv; Command[0] is looked up in PATH, or in the scratch folder where it holds a slash
	// Env is set beside what the runner always sets (ZENNET_TASK_…).
	Env map[string]string
	// Inputs are placed in the scratch folder under Path before the start.
	Inputs []Input
	// Collect are doublestar patterns, relative to the scratch folder; each must
	// match at least one file or folder, whose files are then the task's outputs.
	Collect []string
	// Checkpoint are patterns of files that a killed attempt leaves to the next.
	Checkpoint []string
	// Index, Number and Params feed ZENNET_TASK_INDEX, ZENNET_TASK_NUMBER and
	// ZENNET_PARAM_<NAME>. Index is text because an array's values are the user's.
	Index  string
	Number int
	Params []Param
	// Publish says that the collected files belong under outputs/tasks/NAME;
	// otherwise they only feed other tasks.
	Publish bool
	// PublishAs replaces Name as the folder in the results, where not empty.
	PublishAs string
	// Report says that the collected files belong under outputs/report instead.
	Report bool
	// BestEffort says that the task's failure does not fail the job (report items).
	BestEffort bool
	// Stdin are parts of data files that are streamed into the task's standard
	// input, one after another; none: it is empty.
	Stdin []Part
	// Deliver are collected files that belong into the job's output folder.
	Deliver []Delivery
	// Facts is the path of a small collected file that the job's report reads; "" = none.
	Facts string
	// Keep says that the collected files only feed other tasks, but for those that are
	// delivered: they may stay where they were made until one needs them, and may be made
	// again.
	Keep bool
	// Speculate says that a second attempt may race a slow one.
	Speculate bool
	// SkipBad says that after two failures with the same exit code the next attempt
	// is told to leave out the records that make it fail (EnvSkip).
	SkipBad bool
	// ExpectSeconds is the planner's estimate of one attempt, 0 if it has none.
	ExpectSeconds float64
}

// Param is one coordinate of a matrix task, in the order written.
type Param struct{ Name, Value string }

// Input is one file or folder placed at Path (slash-separated, relative, inside
// the scratch folder). Exactly one of Data, File and Task is the source.
type Input struct {
	Path string
	Data []byte // inline content, mode Mode
	Mode uint32 // permission bits for Data; 0 means 0644
	File string // a file or folder of the publisher, relative to the job file's folder; or a URL (spec.Job.Sources)
	Task string // outputs of this task:
	From string // the output's path or a prefix folder there; "" is all of them, placed under Path ("" or "." = the scratch folder itself)
	// Optional: where From does not exist among the outputs, nothing is placed.
	Optional bool
	// Pieces says that a file of another task, where it is large, may be placed as a
	// folder of its pieces, in the order of their names: then it is not copied.
	Pieces bool
}

// EnvSkip is set to 1 in an attempt that is to leave out bad records.
const EnvSkip = "ZENNET_SKIP"

// Part is a part of a data file: the whole records that belong to the bytes from
// Offset to Offset+Length after Hadoop's rule (a record whose first byte is at p
// belongs where Offset < p ≤ Offset+Length; p = 0 to the first part). ID, Size and ModTime are
// the file's when the job was planned: a file that has others since is refused.
type Part struct {
	File           string // a URL, or a path relative to the job file's folder
	ID             uint64 // the file's number in its file system
	Size           int64  // bytes
	ModTime        int64  // Unix milliseconds
	Offset, Length int64  // bytes of the file as it lies there
	// Whole says that the bytes are streamed as they are (a compressed file that
	// cannot be cut); otherwise whole records are.
	Whole     bool
	Codec     string // "bzip2": records are cut from the decoded file, at its blocks; "" otherwise
	Delimiter []byte // of records; empty: LF, CRLF and a lone CR
	Limit     int64  // stream no more than about so many bytes (samples); 0 = all
	// Lead says that 8 bytes come before the records: the position of the first one
	// in the file, big-endian (in a cut bzip2 file: of the block that it was cut at).
	// A part without records has Offset+Length there.
	Lead bool
}

// Delivery is a collected file or folder and its name in the job's output folder, a
// path below that. Name "." is that folder itself: the files of a folder are delivered
// under their own names, and no two tasks may give one name. Optional: where From was
// not collected, nothing is delivered.
type Delivery struct {
	From, Name string
	Optional   bool
}

// Needs lists the names of the tasks whose outputs t takes, each once.
func (t Task) Needs() []string {
	var out []string
	seen := map[string]bool{}
	for _, in := range t.Inputs {
		if in.Task != "" && !seen[in.Task] {
			seen[in.Task] = true
			out = append(out, in.Task)
		}
	}
	return out
}

// Key is the content id of every task of the graph, in order: a hash of its
// command, environment, inputs, patterns and parameters, where an input from
// another task counts as that task's key and an input file as fileHash of its
// path. Slots, budgets, providers, names of tasks and stages, their number in the
// job and estimates do not count, so that a finished task of an earlier job can be
// taken over. A planner whose task reads Index or Number puts them into Env.
//
// image counts too: the same command in another root is another task.
func (g Graph) Keys(image string, fileHash func(path string) (types.Hash, error)) ([]types.Hash, error) {
	type input struct {
		_    struct{} `cbor:",toarray"`
		Path string
		Data []byte
		Mode uint32
		File types.Hash
		Task types.Hash
		From string
		Opt  bool
	}
	type content struct {
		_          struct{} `cbor:",toarray"`
		Image      string
		Command    []string
		Env        map[string]string
		Inputs     []input
		Collect    []string
		Checkpoint []string
		Params     []Param
	}
	keys := make([]types.Hash, len(g.Tasks))
	byName := make(map[string]types.Hash, len(g.Tasks))
	for i, t := range g.Tasks {
		c := content{Image: image, Command: t.Command, Env: t.Env, Collect: t.Collect,
			Checkpoint: t.Checkpoint, Params: t.Params}
		for _, in := range t.Inputs {
			one := input{Path: in.Path, Data: in.Data, Mode: in.Mode, From: in.From, Opt: in.Optional}
			var err error
			switch {
			case in.Task != "":
				need, ok := byName[in.Task]
				if !ok {
					return nil, fmt.Errorf("task %s needs %s, which is not before it", t.Name, in.Task)
				}
				one.Task = need
			case in.File != "":
				if one.File, err = fileHash(in.File); err != nil {
					return nil, fmt.Errorf("task %s: input %s: %w", t.Name, in.File, err)
				}
			}
			c.Inputs = append(c.Inputs, one)
		}
		content := [][]byte{types.Encode(c)}
		if len(t.Stdin) > 0 {
			content = append(content, types.Encode(t.Stdin))
		}
		keys[i] = types.HashOf("task", content...)
		byName[t.Name] = keys[i]
	}
	return keys, nil
}
