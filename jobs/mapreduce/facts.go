package mapreduce

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Groups of counters that the worker itself keeps, named as Hadoop prints them.
const (
	GroupFramework = "Map-Reduce Framework"
	GroupInput     = "File Input Format Counters"
	GroupOutput    = "File Output Format Counters"
	GroupFiles     = "File System Counters"
)

// Counters of GroupFramework, named as Hadoop prints them.
const (
	MapInputRecords      = "Map input records"
	MapOutputRecords     = "Map output records"
	MapOutputBytes       = "Map output bytes"              // keys and values
	MapOutputFileBytes   = "Map output materialized bytes" // segments as they lie on disk
	MapSkippedRecords    = "Map skipped records"
	CombineInput         = "Combine input records"
	CombineOutput        = "Combine output records"
	ReduceInputGroups    = "Reduce input groups"
	ReduceInputRecords   = "Reduce input records"
	ReduceOutputRecords  = "Reduce output records"
	ReduceShuffleBytes   = "Reduce shuffle bytes"
	ReduceSkippedGroups  = "Reduce skipped groups"
	ReduceSkippedRecords = "Reduce skipped records"
	SpilledRecords       = "Spilled Records"
	ShuffledMaps         = "Shuffled Maps"
	MergedMapOutputs     = "Merged Map outputs"
)

// Counters of the other groups.
const (
	BytesRead    = "Bytes Read"    // GroupInput: of the standard input, as it came
	BytesWritten = "Bytes Written" // GroupOutput: of the job's output
	SpillRead    = "FILE: Number of bytes read"
	SpillWritten = "FILE: Number of bytes written"
)

// Parts of a task's work in Facts.Times.
const (
	PartRead    = "read"    // taking input in and cutting it into records
	PartHash    = "hash"    // grouping, partitioning
	PartSort    = "sort"    // sorting and merging
	PartSpill   = "spill"   // writing and reading runs, compression included
	PartUser    = "user"    // the user's processes
	PartBuiltin = "builtin" // operations of the worker in their place
	PartWrite   = "write"   // writing segments and output
)

// Bounds of facts.
const (
	MaxFacts    = 4 << 20 // bytes of facts.json
	MaxCounters = 10_000
	MaxCounter  = 1024 // bytes of a group or a name
	maxTimes    = 100
)

// Facts are what one attempt counted and measured: the content of facts.json.
// Those of committed attempts are added up, so that everything counts once.
type Facts struct {
	Kind     string
	Number   int
	Counters []Counter `json:",omitempty"` // each group and name once
	Wall     int64     // nanoseconds from start to end
	Times    []Time    `json:",omitempty"` // each part once
	Status   string    `json:",omitempty"` // the last that the user's program reported
}

// Counter is a sum; user's counters may be negative.
type Counter struct {
	Group, Name string
	Value       int64
}

// Time is what a part of a task's work took, in nanoseconds. Parts overlap.
type Time struct {
	Part      string
	Wall, CPU int64
}

// Encode is the text of facts.json.
func (f Facts) Encode() ([]byte, error) {
	data, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFacts, err)
	}
	return data, nil
}

// DecodeFacts reads facts.json, strictly, for it comes from a stranger's
// container. The error is ErrFacts.
func DecodeFacts(data []byte) (Facts, error) {
	var f Facts
	if err := strict(data, MaxFacts, &f); err != nil {
		return Facts{}, fmt.Errorf("%w: %w", ErrFacts, err)
	}
	return f, f.Validate()
}

// Validate holds the bounds of facts; the error is ErrFacts.
func (f Facts) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrFacts, fmt.Sprintf(format, args...))
	}
	switch {
	case f.Kind != KindMap && f.Kind != KindReduce && f.Kind != KindSample:
		return bad("kind %.100q", f.Kind)
	case f.Number < 0 || f.Number >= MaxMaps || f.Wall < 0:
		return bad("number %d, wall %d", f.Number, f.Wall)
	case len(f.Counters) > MaxCounters || len(f.Times) > maxTimes:
		return bad("%d counters and %d times; at most %d and %d", len(f.Counters), len(f.Times), MaxCounters, maxTimes)
	case !printable(f.Status, 4*MaxCounter):
		return bad("status %.100q", f.Status)
	}
	counters := make(map[[2]string]bool, len(f.Counters))
	for _, c := range f.Counters {
		at := [2]string{c.Group, c.Name}
		if !printable(c.Group, MaxCounter) || !printable(c.Name, MaxCounter) || counters[at] {
			return bad("counter %.100q of %.100q is there twice, or is no text of at most %d bytes", c.Name, c.Group, MaxCounter)
		}
		counters[at] = true
	}
	parts := map[string]bool{}
	for _, t := range f.Times {
		if !printable(t.Part, 40) || parts[t.Part] || t.Wall < 0 || t.CPU < 0 {
			return bad("time of %.100q: %d, %d", t.Part, t.Wall, t.CPU)
		}
		parts[t.Part] = true
	}
	return nil
}

func printable(s string, most int) bool { return len(s) <= most && utf8.ValidString(s) }
