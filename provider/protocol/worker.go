package protocol

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
)

// The publisher talks to the worker in its container over connections that the
// provider pipes through without reading them. Every connection begins with one
// WorkerHello from the publisher that says what it is for:
//
//   - "control": Run, Kill, Release and Measure go in; Greeting, Started, Said,
//     Exited and Reading come out, in any number and order. A newer control connection
//     replaces an older one. Tasks live on when it breaks; Greeting lists them.
//   - "logs": one Logs goes in; then raw bytes of that task's stream come out
//     until the task has ended (Follow) or the file's end, then the connection ends.
//   - "fetch": any number of Fetch go in; each is answered by one Data, in order.
//   - "measure": any number of Measure go in; each is answered by one Reading, in
//     order. The publisher's end of the lease reads the counters over it (5.4),
//     beside whoever holds the control connection.
//   - "stdin": streams into the standard input of tasks (stdin.go).
type WorkerHello struct {
	Version uint16 `cbor:"1,keyasint"`
	Purpose string `cbor:"2,keyasint"`
}

// The purposes of a WorkerHello.
const (
	PurposeControl = "control"
	PurposeLogs    = "logs"
	PurposeFetch   = "fetch"
	PurposeMeasure = "measure"
	PurposeStdin   = "stdin"
)

// WorkerVersion is the version of the worker protocol. From 2 on a worker can feed
// a task's standard input and run its own program, from 3 on it tells what that says
// and feeds from blobs.
const WorkerVersion = 3

// WorkerProgram as Run.Command[0] is the worker's own program.
const WorkerProgram = "zennet-worker"

// EnvSay names, in the environment of the worker's own program, a file descriptor: each
// line that is written there is told as Said.
const EnvSay = "ZENNET_SAY"

// Greeting is the worker's first frame on a control connection: what it holds.
type Greeting struct {
	Version uint16     `cbor:"1,keyasint"`
	Tasks   []TaskInfo `cbor:"2,keyasint,omitempty"`
}

// TaskInfo is a task that the worker holds. Exited is set once it has ended.
type TaskInfo struct {
	ID     string  `cbor:"1,keyasint"`
	Exited *Exited `cbor:"2,keyasint,omitempty"`
}

// Run starts a task. ID is the publisher's and unique in the lease (task and
// attempt); a second Run of a known ID is answered as the first was.
type Run struct {
	ID             string            `cbor:"1,keyasint"`
	Command        []string          `cbor:"2,keyasint"`
	Env            map[string]string `cbor:"3,keyasint,omitempty"`
	Inputs         []Mount           `cbor:"4,keyasint,omitempty"`
	Collect        []string          `cbor:"5,keyasint,omitempty"` // each must match, if the task exits 0
	Checkpoint     []string          `cbor:"6,keyasint,omitempty"` // collected where it was killed or failed
	TimeoutSeconds uint32            `cbor:"7,keyasint"`           // then TERM, GraceSeconds, KILL; 0 = none
	GraceSeconds   uint32            `cbor:"8,keyasint"`
	// Stdin says that its standard input is fed (stdin.go), and has an end only once
	// all of it was taken and verified; else it is empty.
	Stdin bool `cbor:"9,keyasint,omitempty"`
}

// Mount places something in the scratch folder before the task starts: a tree, one
// small file, or one file that another task has left.
type Mount struct {
	Path string `cbor:"1,keyasint"` // "" places a tree's files in the scratch folder itself
	// Tree is the hash of an encoded Manifest that is among the pushed blobs, as are
	// its chunks. With Pieces, a file of it becomes a folder of links to its chunks,
	// PieceName(0), … instead: it is not copied.
	Tree   types.Hash `cbor:"2,keyasint"`
	Pieces bool       `cbor:"5,keyasint,omitempty"`
	// Small is a regular file's content.
	Small []byte `cbor:"3,keyasint,omitempty"`
	Mode  uint32 `cbor:"4,keyasint,omitempty"` // of Small; 0 = 0644
	// Task is a task of this worker that has ended, and From a file in its scratch
	// folder: Path becomes a link to it.
	Task string `cbor:"6,keyasint,omitempty"`
	From string `cbor:"7,keyasint,omitempty"`
}

// PieceName is the name of a chunk in a folder of a file's pieces.
func PieceName(i int) string { return fmt.Sprintf("%08d", i) }

// Started says that the task's process runs.
type Started struct {
	ID string `cbor:"1,keyasint"`
}

// Said is how a running task stands, in its own words (Line). It is told at most once a
// second, and lost where nobody listens.
type Said struct {
	ID   string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"`
}

// Failure classes of a task's attempt, as in `status`.
const (
	ClassOK       = ""         // exit 0 and everything collected
	ClassExit     = "exit"     // exit code other than 0, or a signal of its own
	ClassCollect  = "collect"  // exit 0, but a pattern matched nothing or a file may not be taken
	ClassTimeout  = "timeout"  // its time was up
	ClassMemory   = "memory"   // the kernel killed it at the memory limit
	ClassPids     = "pids"     // it ran into the process limit and failed
	ClassDisk     = "disk"     // it filled the scratch disk and failed
	ClassKilled   = "killed"   // the publisher killed it
	ClassStage    = "stage"    // its inputs could not be placed, or its standard input not be fed
	ClassStart    = "start"    // its program could not be started
	ClassProvider = "provider" // the lease was lost (never sent by a worker)
	ClassLost     = "lost"     // it had succeeded, but its outputs were lost (never sent by a worker)
)

// Exited says how a task ended. Small outputs and logs travel in it.
type Exited struct {
	ID       string        `cbor:"1,keyasint"`
	Class    string        `cbor:"2,keyasint"`
	Message  string        `cbor:"3,keyasint"` // one sentence, with the last line of stderr where it helps
	Code     int32         `cbor:"4,keyasint"` // exit code; 128+n for signal n
	WallNS   uint64        `cbor:"5,keyasint"`
	Usage    pricing.Usage `cbor:"6,keyasint,omitempty"` // of the task's own processes (rusage)
	Stdout   Stream        `cbor:"7,keyasint"`
	Stderr   Stream        `cbor:"8,keyasint"`
	Files    uint32        `cbor:"9,keyasint"`            // how many the manifest lists
	Bytes    uint64        `cbor:"10,keyasint"`           // their sum
	Tree     types.Hash    `cbor:"11,keyasint"`           // hash of the encoded manifest of what was collected
	Manifest []byte        `cbor:"12,keyasint,omitempty"` // the encoded manifest, where at most 32 KiB; else Fetch it
	Inline   [][]byte      `cbor:"13,keyasint,omitempty"` // the files' contents in the manifest's order, where at most 32 KiB in all
	// Checkpoint says that the manifest holds checkpoint files of an unfinished attempt, not outputs.
	Checkpoint bool `cbor:"14,keyasint"`
}

// Stream is a task's stdout or stderr: its length and hash, and all of it where
// it is at most 8 KiB.
type Stream struct {
	Size   uint64     `cbor:"1,keyasint"`
	Hash   types.Hash `cbor:"2,keyasint"` // SHA-256 of the bytes
	Inline []byte     `cbor:"3,keyasint,omitempty"`
}

// Kill ends a task: TERM, and KILL after GraceSeconds. Its checkpoint files are
// collected, and Exited follows with class "killed".
type Kill struct {
	ID           string `cbor:"1,keyasint"`
	GraceSeconds uint32 `cbor:"2,keyasint"`
}

// Release forgets a task and deletes its scratch folder: at once where it has
// ended, else when it ends.
type Release struct {
	ID string `cbor:"1,keyasint"`
}

// Measure asks for a Reading from inside the container.
type Measure struct {
	Seq uint64 `cbor:"1,keyasint"`
}

// Reading is the container's counters as seen from inside (5.4); counters that
// cannot be seen there are missing.
type Reading struct {
	Seq    uint64        `cbor:"1,keyasint"`
	TimeNS int64         `cbor:"2,keyasint"`
	Usage  pricing.Usage `cbor:"3,keyasint"`
}

// Logs asks for a task's output.
type Logs struct {
	ID     string `cbor:"1,keyasint"`
	Stderr bool   `cbor:"2,keyasint"`
	Offset uint64 `cbor:"3,keyasint"`
	Follow bool   `cbor:"4,keyasint"`
}

// What a Fetch reads.
const (
	FetchFile     = 0 // the collected file at Path
	FetchManifest = 1
	FetchStdout   = 2
	FetchStderr   = 3
)

// Fetch reads at most MaxData bytes of something of an ended task.
type Fetch struct {
	ID     string `cbor:"1,keyasint"`
	What   uint8  `cbor:"2,keyasint"`
	Path   string `cbor:"3,keyasint,omitempty"`
	Offset uint64 `cbor:"4,keyasint"`
	Length uint32 `cbor:"5,keyasint"`
}

// Data answers a Fetch. Error is set where it cannot be had.
type Data struct {
	Bytes []byte `cbor:"1,keyasint"`
	Error string `cbor:"2,keyasint,omitempty"`
}
