package mapreduce

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Summary is report/mapreduce.json: the counters of the job and what its phases
// took. Every committed task counts once.
type Summary struct {
	Maps     int      `json:"maps"`
	Reducers int      `json:"reducers"`
	Counters []Group  `json:"counters"`
	Phases   []Phase  `json:"phases"`
	Missing  []string `json:"missing,omitempty"` // tasks whose facts are not there; at most mostMissing
	Lost     int      `json:"lost"`              // how many those are in all
}

// Group is a group of counters, in the order of their names.
type Group struct {
	Name     string  `json:"group"`
	Counters []Count `json:"counters"`
}

// Count is a counter's sum over the job.
type Count struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
}

// Phase is what the tasks of one kind took together, in seconds.
type Phase struct {
	Kind    string  `json:"phase"`
	Tasks   int     `json:"tasks"`
	Wall    float64 `json:"wall_s"`     // of all tasks, one after another
	Longest float64 `json:"longest_s"`  // of one task
	CPU     float64 `json:"cpu_s"`      // of all parts
	Parts   []Share `json:"parts"`      // in the order of the work
	Read    int64   `json:"read_bytes"` // taken in
	Written int64   `json:"written_bytes"`
}

// Share is a part of a phase's work, in seconds.
type Share struct {
	Part string  `json:"part"`
	Wall float64 `json:"wall_s"`
	CPU  float64 `json:"cpu_s"`
}

const mostMissing = 20

// Report draws report/counters.md and report/mapreduce.json from the facts of the
// graph's tasks. Facts that are missing or unsound are named and left out.
func Report(job spec.Job, graph plan.Graph, facts func(task int) []byte) ([]plan.File, error) {
	s := summarize(graph, facts)
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return []plan.File{{Path: "counters.md", Data: s.markdown(job)}, {Path: "mapreduce.json", Data: append(data, '\n')}}, nil
}

// sums are a job's counters and times on their way to a Summary.
type sums struct {
	counters map[string]map[string]int64
	phases   map[string]*phase
}

type phase struct {
	tasks         int
	wall, longest int64
	times         map[string]Time
	read, written int64
}

func summarize(graph plan.Graph, facts func(task int) []byte) Summary {
	var out Summary
	all := sums{map[string]map[string]int64{}, map[string]*phase{}}
	for i, task := range graph.Tasks {
		switch task.Stage {
		case StageMap:
			out.Maps++
		case StageReduce:
			out.Reducers++
		}
		if task.Facts == "" {
			continue
		}
		f, err := DecodeFacts(facts(i))
		if err != nil || f.Kind != kindOf(task) || f.Number != task.Number {
			if out.Lost++; len(out.Missing) < mostMissing {
				out.Missing = append(out.Missing, task.Name)
			}
			continue
		}
		all.add(f)
	}
	out.Counters, out.Phases = all.groups(), all.list()
	return out
}

// kindOf is the kind of the task as its command says it.
func kindOf(t plan.Task) string { return t.Command[len(t.Command)-1] }

func (s *sums) add(f Facts) {
	ph := s.phases[f.Kind]
	if ph == nil {
		ph = &phase{times: map[string]Time{}}
		s.phases[f.Kind] = ph
	}
	ph.tasks++
	ph.wall += f.Wall
	ph.longest = max(ph.longest, f.Wall)
	for _, t := range f.Times {
		sum := ph.times[t.Part]
		ph.times[t.Part] = Time{t.Part, sum.Wall + t.Wall, sum.CPU + t.CPU}
	}
	for _, c := range f.Counters {
		switch {
		case c.Group == GroupInput && c.Name == BytesRead, c.Group == GroupFramework && c.Name == ReduceShuffleBytes:
			ph.read += c.Value
		case c.Group == GroupOutput && c.Name == BytesWritten, c.Group == GroupFramework && c.Name == MapOutputFileBytes:
			ph.written += c.Value
		}
		if f.Kind == KindSample {
			continue // its records are read again by the maps
		}
		if s.counters[c.Group] == nil {
			s.counters[c.Group] = map[string]int64{}
		}
		s.counters[c.Group][c.Name] += c.Value
	}
}

// order puts what Hadoop prints first, in its order, and the rest by name.
func order(known []string, names []string) []string {
	place := make(map[string]int, len(known))
	for i, name := range known {
		place[name] = i - len(known)
	}
	sort.Slice(names, func(a, b int) bool {
		if x, y := place[names[a]], place[names[b]]; x != y {
			return x < y
		}
		return names[a] < names[b]
	})
	return names
}

func names[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	return out
}

var (
	groupOrder   = []string{GroupFiles, GroupFramework, GroupInput, GroupOutput}
	counterOrder = []string{MapInputRecords, MapOutputRecords, MapOutputBytes, MapOutputFileBytes, MapSkippedRecords, CombineInput, CombineOutput,
		ReduceInputGroups, ReduceShuffleBytes, ReduceInputRecords, ReduceOutputRecords, ReduceSkippedRecords, ReduceSkippedGroups, SpilledRecords, ShuffledMaps, MergedMapOutputs}
	phaseOrder = []string{KindSample, KindMap, KindReduce}
	partOrder  = []string{PartRead, PartHash, PartUser, PartBuiltin, PartSort, PartSpill, PartWrite}
)

func (s *sums) groups() []Group {
	out := []Group{}
	for _, group := range order(groupOrder, names(s.counters)) {
		g := Group{Name: group}
		for _, name := range order(counterOrder, names(s.counters[group])) {
			g.Counters = append(g.Counters, Count{name, s.counters[group][name]})
		}
		out = append(out, g)
	}
	return out
}

func (s *sums) list() []Phase {
	out := []Phase{}
	for _, kind := range order(phaseOrder, names(s.phases)) {
		ph := s.phases[kind]
		one := Phase{Kind: kind, Tasks: ph.tasks, Wall: seconds(ph.wall), Longest: seconds(ph.longest), Read: ph.read, Written: ph.written, Parts: []Share{}}
		for _, part := range order(partOrder, names(ph.times)) {
			t := ph.times[part]
			one.CPU += seconds(t.CPU)
			one.Parts = append(one.Parts, Share{part, seconds(t.Wall), seconds(t.CPU)})
		}
		one.CPU = round(one.CPU)
		out = append(out, one)
	}
	return out
}

// seconds of nanoseconds, to the millisecond.
func seconds(ns int64) float64 { return round(time.Duration(ns).Seconds()) }

func round(s float64) float64 { return float64(int64(s*1000+0.5)) / 1000 }

func (s Summary) markdown(job spec.Job) []byte {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# %s\n", job.Name)
	p("%s, %s. Output: `%s`.\n", count(s.Maps, "map"), count(s.Reducers, "reduce"), strings.ReplaceAll(job.MapReduce.Output, "`", "'"))
	if s.Lost > 0 {
		p("**Without %s**, whose counters are not there: %s%s.\n", count(s.Lost, "task"), strings.Join(s.Missing, ", "), more(s.Lost-len(s.Missing)))
	}
	p("## Counters\n")
	p("Those of every task whose result counts, each once; attempts that failed or came second do not count.\n")
	for _, g := range s.Counters {
		p("| %s | |\n|---|---:|", cell(g.Name))
		for _, c := range g.Counters {
			p("| %s | %d |", cell(c.Name), c.Value)
		}
		p("")
	}
	p("## Phases\n")
	p("Seconds, added up over the tasks. Parts of a task overlap, so they add up to more than its wall time.\n")
	p("| phase | tasks | wall | longest task | CPU | in | out |\n|---|---:|---:|---:|---:|---:|---:|")
	for _, ph := range s.Phases {
		p("| %s | %d | %.3f | %.3f | %.3f | %s | %s |", ph.Kind, ph.Tasks, ph.Wall, ph.Longest, ph.CPU, size(ph.Read), size(ph.Written))
	}
	p("\n| phase | part | wall | CPU |\n|---|---|---:|---:|")
	for _, ph := range s.Phases {
		for _, part := range ph.Parts {
			p("| %s | %s | %.3f | %.3f |", ph.Kind, cell(part.Part), part.Wall, part.CPU)
		}
	}
	return []byte(b.String())
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// cell is a text of the user's or a worker's inside a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ").Replace(s)
}
