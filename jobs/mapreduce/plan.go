package mapreduce

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Stages of a job's tasks.
const (
	StageSample = "sample"
	StageMap    = "map"
	StageReduce = "reduce"
)

// sortShare of a lease's memory is what sorting may take.
const sortShare = 4

// Plan is the graph of a job of kind mapreduce whose input was surveyed
// (spec.MapReduce.Found): the maps, longest first; before them the sample of a
// range partitioner, where there is more than one reducer; then the reduces.
func Plan(job spec.Job) (plan.Graph, error) {
	p, err := prepare(job)
	if err != nil {
		return plan.Graph{}, err
	}
	graph := plan.Graph{}
	if !p.config.NoOutput {
		graph.Output = job.MapReduce.Output
	}
	if p.sampled() {
		if err := p.add(&graph, p.sampleTask()); err != nil {
			return plan.Graph{}, err
		}
	}
	for i := range p.splits {
		if err := p.add(&graph, p.mapTask(i)); err != nil {
			return plan.Graph{}, err
		}
	}
	for i := range p.reduces() {
		if err := p.add(&graph, p.reduceTask(i)); err != nil {
			return plan.Graph{}, err
		}
	}
	return graph, nil
}

// planner is a job on its way to a graph.
type planner struct {
	job      spec.Job
	section  *spec.MapReduce
	config   streaming.Config
	warnings []streaming.Warning
	splits   []split
	bytes    int64        // of all of them
	common   Task         // what all tasks are told
	placed   []plan.Input // what all tasks find in their scratch folder
	maps     []string     // names of the map tasks,
	in       []string     // and where a reduce finds their output
}

func prepare(job spec.Job) (*planner, error) {
	p := &planner{job: job, section: job.MapReduce}
	var err error
	if p.config, p.warnings, err = Resolve(job); err != nil {
		return nil, err
	}
	if p.config.Reducers > MaxReducers {
		return nil, p.bad("reducers", "%d reducers, at most %d", p.config.Reducers, MaxReducers)
	}
	c := cutting{maps: p.config.Maps, least: p.config.MinSplit, size: int64(p.section.Split),
		lines: p.config.Input.Format == streaming.FormatNLine, splittable: splittable}
	if p.splits, err = c.cut(p.section.Found, spec.MaxTasks-p.config.Reducers-1); err != nil {
		return nil, fmt.Errorf("%s: input: %w", job.At("input"), err)
	}
	if n := len(p.splits) * p.config.Reducers; n > spec.MaxTotal {
		return nil, p.bad("reducers", "%d reducers that each take the output of %d maps make %d segments, at most %d; fewer reducers, or larger splits (split:)",
			p.config.Reducers, len(p.splits), n, spec.MaxTotal)
	}
	for _, one := range p.splits {
		p.bytes += one.length
	}
	p.common = Task{Maps: len(p.splits), Reducers: p.config.Reducers, Config: p.config, Job: job.Name, User: p.section.HDFS.User,
		Input: p.section.Input, Results: p.section.Output, Memory: int64(job.Resources.Memory / sortShare), SkipBad: p.section.SkipBadRecords}
	if p.config.Name != "" {
		p.common.Job = p.config.Name
	}
	p.place()
	for i := range p.splits {
		p.maps = append(p.maps, fmt.Sprintf("map-%05d", i))
		p.in = append(p.in, InName(i))
	}
	return p, nil
}

func (p *planner) bad(key, format string, args ...any) error {
	return fmt.Errorf("%s: mapreduce.%s: %w: %s", p.job.At("mapreduce."+key), key, ErrJob, fmt.Sprintf(format, args...))
}

// splittable says whether a file can be read from the middle: where it is not
// compressed, or in a format of blocks.
func splittable(name string) bool {
	c, compressed := codec.ByExtension(name)
	return !compressed || c.Splittable()
}

// place puts the user's files and archives where the tasks find them.
func (p *planner) place() {
	for _, s := range p.section.Files {
		file, link := spec.Linked(s)
		p.common.Files = append(p.common.Files, link)
		p.placed = append(p.placed, plan.Input{Path: WorkDir + "/" + link, File: file})
	}
	for i, s := range p.section.Archives {
		file, folder := spec.Linked(s)
		packed := fmt.Sprintf("%05d%s", i, archiveType(file))
		p.common.Archives = append(p.common.Archives, Archive{File: packed, Folder: folder})
		p.placed = append(p.placed, plan.Input{Path: ArchiveDir + "/" + packed, File: file})
	}
}

// sampled says whether the mapper's output is sampled before the maps run.
func (p *planner) sampled() bool {
	return p.config.Partitioner.Kind == streaming.PartitionRange && p.config.Reducers > 1 && len(p.splits) > 0
}

// reduces is the number of reduce tasks. A job whose input has no files and that
// has no reducers gets one all the same, that delivers nothing: a graph has a task.
func (p *planner) reduces() int {
	if p.config.Reducers == 0 && len(p.splits) == 0 {
		return 1
	}
	return p.config.Reducers
}

// task is what all tasks have alike.
func (p *planner) task(kind, name, stage string, number int) (plan.Task, Task) {
	t := p.common
	t.Kind, t.Number = kind, number
	return plan.Task{
		Name: name, Stage: stage, Number: number, Index: fmt.Sprint(number),
		Command: []string{Program, Subcommand, kind},
		Inputs:  slices.Clip(p.placed),
		Collect: []string{FactsFile},
		Facts:   FactsFile,
	}, t
}

// pair is a task of the graph and what it is told.
type pair struct {
	node plan.Task
	told Task
}

// add completes a task with its task.json.
func (p *planner) add(graph *plan.Graph, one pair) error {
	if err := one.told.Validate(); err != nil {
		return fmt.Errorf("%s: %s: %w", p.job.File, one.node.Name, err)
	}
	data, err := one.told.Encode()
	if err != nil {
		return fmt.Errorf("%s: %s: %w", p.job.File, one.node.Name, err)
	}
	if len(data) > MaxTask {
		return fmt.Errorf("%s: %w: what a task is told has %d bytes, at most %d; conf and env are too long", p.job.At("mapreduce.conf"), ErrJob, len(data), MaxTask)
	}
	one.node.Inputs = append(one.node.Inputs, plan.Input{Path: TaskFile, Data: data})
	graph.Tasks = append(graph.Tasks, one.node)
	return nil
}

// expect is a guess at the seconds that a task takes for so many bytes of input: what
// a script does a second, or as much as it is better to have containers ready for.
func expect(bytes int64) float64 {
	return math.Round(10*(0.1+float64(bytes)/(20<<20))) / 10
}

func (p *planner) mapTask(i int) pair {
	node, told := p.task(KindMap, p.maps[i], StageMap, i)
	part, source := p.stdin(p.splits[i])
	node.Stdin, told.Stdin = []plan.Part{part}, []Source{source}
	node.ExpectSeconds = expect(p.splits[i].length)
	node.Speculate = p.section.Speculative && p.config.MapSpeculative
	if p.sampled() {
		told.Boundaries = true
		node.Inputs = append(node.Inputs, plan.Input{Path: BoundariesFile, Task: StageSample, From: BoundariesFile})
	}
	if p.config.Reducers > 0 {
		node.Keep = told.SkipBad == 0 // made again it would have to fail again first
		node.Collect = append(node.Collect, SegmentDir+"/")
		p.side(&node)
	} else {
		p.deliver(&node, &told)
	}
	p.skip(&node, told)
	return pair{node, told}
}

func (p *planner) reduceTask(i int) pair {
	node, told := p.task(KindReduce, fmt.Sprintf("reduce-%05d", i), StageReduce, i)
	node.ExpectSeconds = expect(p.bytes / int64(max(1, p.config.Reducers)))
	node.Speculate = p.section.Speculative && p.config.ReduceSpeculative
	segment := SegmentName(i)
	node.Inputs = slices.Grow(node.Inputs, len(p.maps)+1)
	for m, name := range p.maps {
		node.Inputs = append(node.Inputs, plan.Input{Path: p.in[m], Task: name, From: segment, Pieces: true})
	}
	if p.config.Reducers > 0 {
		p.deliver(&node, &told)
	} else {
		told.Config.Reducer = streaming.Command{Builtin: streaming.BuiltinIdentity}
	}
	p.skip(&node, told)
	return pair{node, told}
}

// deliver makes a task write the part of the output that has its number, and more.
func (p *planner) deliver(node *plan.Task, told *Task) {
	if p.config.NoOutput {
		return
	}
	told.Output = fmt.Sprintf("part-%05d", told.Number)
	if c, ok := codec.ByName(p.config.OutputCodec); ok && p.config.OutputCodec != "" {
		told.Output += c.Extension()
	}
	node.Collect = append(node.Collect, OutDir+"/")
	node.Deliver = append(node.Deliver, plan.Delivery{From: OutDir + "/" + told.Output, Name: told.Output, Optional: p.config.Lazy})
	p.side(node)
}

// side delivers what programs of the user's put beside the parts.
func (p *planner) side(node *plan.Task) {
	programs := len(p.config.Mapper.Args) + len(p.config.Combiner.Args)
	if node.Stage == StageReduce {
		programs = len(p.config.Reducer.Args)
	}
	if p.config.NoOutput || programs == 0 {
		return
	}
	node.Collect = append(node.Collect, SideDir+"/")
	node.Deliver = append(node.Deliver, plan.Delivery{From: SideDir, Name: ".", Optional: true})
}

// skip lets a task leave out bad records; their bytes are delivered too.
func (p *planner) skip(node *plan.Task, told Task) {
	if told.SkipBad == 0 {
		return
	}
	node.SkipBad = true
	if p.config.NoOutput {
		return
	}
	from := SkippedName(told.Kind, told.Number)
	node.Collect = append(node.Collect, SkippedDir+"/")
	node.Deliver = append(node.Deliver, plan.Delivery{From: from, Name: "_" + from, Optional: true})
}

// archiveType is the end of an archive's name that says what it is.
func archiveType(file string) string {
	if strings.HasSuffix(strings.ToLower(file), ".tar.gz") {
		return ".tar.gz"
	}
	return strings.ToLower(path.Ext(file))
}

// stdin is the part of a file that a map reads, and what the map is told of it.
func (p *planner) stdin(s split) (plan.Part, Source) {
	f := p.section.Found[s.file]
	part := plan.Part{File: f.Path, ID: f.ID, Size: f.Size, ModTime: f.ModTime, Offset: s.offset, Length: s.length}
	source := Source{File: f.Path, Start: s.offset, Length: s.length}
	c, compressed := codec.ByExtension(f.Path)
	switch {
	case compressed && !c.Splittable():
		part.Whole, source.Codec = true, c.Name()
		return part, source
	case compressed:
		part.Codec = c.Name()
	}
	if len(p.config.Input.Delimiter) > 0 {
		part.Delimiter = p.config.Input.Delimiter
	}
	// Only a position that the mapper can see is asked for.
	part.Lead = p.positions() && s.offset > 0
	source.Lead = part.Lead
	return part, source
}

// positions says whether the keys of the input's records, which are positions in
// their files, reach the mapper.
func (p *planner) positions() bool {
	return p.config.Input.Format != streaming.FormatKeyValue && (!p.config.Input.IgnoreKey || p.config.Mapper.Builtin != "")
}
