package mapreduce

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// Kinds of tasks; the last word of a task's command.
const (
	KindMap    = "map"
	KindReduce = "reduce"
	KindSample = "sample" // runs the mapper over a few records and writes BoundariesFile
)

// What lies in a task's scratch folder.
const (
	TaskFile       = "task.json"  // input: Task
	WorkDir        = "work"       // input: the user's working folder
	ArchiveDir     = "archives"   // input: archives, to be unpacked into WorkDir
	InDir          = "in"         // input of reduces: one segment a map, InName
	BoundariesFile = "boundaries" // output of the sample task, input of maps: streaming's boundaries of a range partitioner
	SegmentDir     = "seg"        // output of maps: one segment a reducer, SegmentName
	OutDir         = "out"        // output: the part of the job's output, Task.Output
	SideDir        = "side"       // output: whatever else the user's program puts into the job's output
	SkippedDir     = "skipped"    // output: the bytes of records that were left out, SkippedName
	FactsFile      = "facts.json" // output: Facts
	SpillDir       = "spill"      // the task's own
)

// Program is the first word of a task's command, which every worker takes for
// itself; Subcommand is the second.
const (
	Program    = "zennet-worker"
	Subcommand = "mapreduce"
)

// SegmentName is the file of one reducer's records in a map's scratch folder.
func SegmentName(reducer int) string { return fmt.Sprintf("%s/%05d", SegmentDir, reducer) }

// InName is the file of one map's records in a reduce's scratch folder.
func InName(m int) string { return fmt.Sprintf("%s/%05d", InDir, m) }

// SkippedName is the file of left-out records in a task's scratch folder.
func SkippedName(kind string, number int) string {
	return fmt.Sprintf("%s/%s-%05d", SkippedDir, kind, number)
}

// SideName says what is wrong with the name of a side file, a path below SideDir, in
// the job's output; "" where nothing is.
func SideName(name string) string {
	first, _, _ := strings.Cut(name, "/")
	switch {
	case !inside(name) || len(name) > maxSideName:
		return fmt.Sprintf("%.200q is no name of a file of at most %d bytes", name, maxSideName)
	case first == "_SUCCESS" || first == "_"+SkippedDir || strings.HasPrefix(first, "part-"):
		return fmt.Sprintf("%.200q is a name that the job itself gives in its output", name)
	}
	return ""
}

// Bounds of a task.
const (
	MaxTask     = 4 << 20 // bytes of task.json
	MaxMaps     = 100_000
	MaxReducers = 10_000
	MaxSources  = 1000
	MaxPath     = 4096 // bytes of a path or URL
	maxSideName = 1000 // bytes
)

// Task is what a map, reduce or sample task is told: the content of task.json.
// What differs between attempts (the job's id, the attempt's number, whether bad
// records are to be left out) comes in the environment, for it must not change
// the task's content id.
type Task struct {
	Kind     string // KindMap, KindReduce or KindSample
	Number   int    // among its kind, from 0
	Maps     int    // of the job
	Reducers int    // of the job; 0 = map output is the output
	Config   streaming.Config

	Job     string   // the job's name (mapreduce_job_name)
	User    string   // mapreduce_job_user_name
	Input   []string // as the job file names it (mapreduce_input_fileinputformat_inputdir)
	Results string   // the job's output folder (mapreduce_output_fileoutputformat_outputdir)

	// Files are paths below WorkDir that the user named; all are made executable.
	Files []string `json:",omitempty"`
	// Archives are to be unpacked into their folders below WorkDir.
	Archives []Archive `json:",omitempty"`

	// Stdin says what comes in through the standard input of a map (one
	// source) or a sample (several, one after another without a mark between; a
	// compressed one, which may end early, comes alone).
	Stdin []Source `json:",omitempty"`
	// Boundaries says that the partitioner is a range whose boundaries are in
	// BoundariesFile (maps).
	Boundaries bool `json:",omitempty"`

	// Memory is what sorting may take, the index of its records included, in bytes:
	// a quarter of the lease's memory.
	Memory int64
	// SkipBad is the number of records (reducers: groups) that an attempt with
	// plan.EnvSkip may leave out; 0 = none.
	SkipBad int `json:",omitempty"`
	// Output is the file of the job's output that the task writes into OutDir, such
	// as "part-00000.gz"; "" where it writes none (maps before reducers, samples).
	Output string `json:",omitempty"`
}

// Archive is a packed file below ArchiveDir and the folder below WorkDir that it
// is unpacked into. The kind of archive follows from the file's extension.
type Archive struct{ File, Folder string }

// Source is a part of the standard input.
type Source struct {
	File   string // as the environment names it (mapreduce_map_input_file)
	Start  int64  // bytes from the file's start (mapreduce_map_input_start); where 0, a BOM is dropped
	Length int64  // bytes of the file as it lies there (mapreduce_map_input_length)
	// Codec names the compression of what comes (package codec); "" = records as
	// they are. It is set only where a whole file comes.
	Codec string `json:",omitempty"`
	// Lead says that 8 bytes come first: the position of the first record in the
	// file, big-endian (plan.Part.Lead). Without it the first is at Start.
	Lead bool `json:",omitempty"`
}

// Encode is the text of task.json.
func (t Task) Encode() ([]byte, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTask, err)
	}
	return data, nil
}

// DecodeTask reads task.json, strictly, and validates it. The error is ErrTask.
func DecodeTask(data []byte) (Task, error) {
	var t Task
	if err := strict(data, MaxTask, &t); err != nil {
		return Task{}, fmt.Errorf("%w: %w", ErrTask, err)
	}
	return t, t.Validate()
}

// strict reads one JSON value of known fields and nothing behind it.
func strict(data []byte, most int, value any) error {
	if len(data) > most {
		return fmt.Errorf("%d bytes, at most %d", len(data), most)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(value); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// Validate holds a task's bounds; the error is ErrTask.
func (t Task) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrTask, fmt.Sprintf(format, args...))
	}
	count := map[string]int{KindMap: t.Maps, KindReduce: max(1, t.Reducers), KindSample: 1}
	n, known := count[t.Kind]
	switch {
	case !known:
		return bad("kind %q", t.Kind)
	case t.Maps < 0 || t.Maps > MaxMaps:
		return bad("%d maps, at most %d", t.Maps, MaxMaps)
	case t.Reducers < 0 || t.Reducers > MaxReducers:
		return bad("%d reducers, at most %d", t.Reducers, MaxReducers)
	case t.Number < 0 || t.Number >= n:
		return bad("%s number %d of %d", t.Kind, t.Number, n)
	case t.Memory < 0 || t.SkipBad < 0:
		return bad("memory %d, skip %d", t.Memory, t.SkipBad)
	case len(t.Stdin) > MaxSources || t.Kind == KindMap && len(t.Stdin) != 1 || t.Kind == KindReduce && len(t.Stdin) != 0:
		return bad("%s with %d sources", t.Kind, len(t.Stdin))
	case t.Boundaries && t.Kind != KindMap:
		return bad("%s with boundaries", t.Kind)
	case t.Output != "" && (!plainName(t.Output) || t.Kind == KindSample || t.Kind == KindMap && t.Reducers > 0):
		return bad("%s with output %q", t.Kind, t.Output)
	}
	for _, s := range t.Stdin {
		if s.Start < 0 || s.Length < 0 || s.Start+s.Length < s.Start || len(s.File) > MaxPath {
			return bad("source %.100q from %d, %d bytes", s.File, s.Start, s.Length)
		}
		if s.Codec != "" && (s.Start != 0 || s.Lead) {
			return bad("source %.100q: %s from %d", s.File, s.Codec, s.Start)
		}
	}
	for _, f := range t.Files {
		if !inside(f) {
			return bad("file %.100q leaves its folder", f)
		}
	}
	for _, a := range t.Archives {
		if !plainName(a.File) || !inside(a.Folder) {
			return bad("archive %.100q into %.100q leaves its folder", a.File, a.Folder)
		}
	}
	return nil
}

// plainName says that a name is one component of a path.
func plainName(name string) bool { return inside(name) && !strings.Contains(name, "/") }

// inside says that a path is clean, relative and stays where it starts.
func inside(name string) bool {
	return name != "" && name != "." && len(name) <= MaxPath && utf8.ValidString(name) && !strings.ContainsAny(name, "\x00\n\\") &&
		!path.IsAbs(name) && path.Clean(name) == name && name != ".." && !strings.HasPrefix(name, "../")
}
