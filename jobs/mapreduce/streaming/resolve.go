package streaming

import (
	"fmt"
	"math"
	"time"
)

// Bounds of what a job may ask for.
const (
	MaxReducers = 10_000
	MaxMaps     = 1_000_000
	MaxKeys     = 10_000 // fields of a key
	MaxAttempts = 100
)

// DefaultCombineSpills is how many spills of a map are merged where its combiner runs
// once more (mapreduce.map.combine.minspills).
const DefaultCombineSpills = 3

// DefaultTimeout is how long a process may be silent.
const DefaultTimeout = 600 * time.Second

// Options are what a job says; all of it is optional but what Reducers says.
type Options struct {
	Mapper, Combiner, Reducer string    // as ParseCommand reads them; Reducer "NONE": no reducers
	Reducers                  int       // -1 = not given
	Maps                      int       // 0 = not given
	Partitioner               string    // hash, keyfield, range or a Java class; "" = not given
	Lazy                      bool      // no empty parts
	Conf                      []Setting // -D properties in the order written
	Env                       []Setting // for the processes (-cmdenv)
}

// Config is a job's settings with every default filled in. It holds plain values
// only, so that it can be sent as JSON.
type Config struct {
	Name                      string  // mapreduce.job.name; "" = none was given
	Mapper, Combiner, Reducer Command // Combiner may be none
	Reducers                  int     // 0: the map output is the output
	Maps                      int     // how many are wished for
	MinSplit, MaxSplit        int64   // bytes; MaxSplit 0 = no limit
	Input                     Input
	MapOutput                 Fields // of the mapper's lines
	ReduceOutput              Fields // of the reducer's and the combiner's lines
	ReduceSeparator           []byte // between key and value on the reducer's and the combiner's stdin
	OutputSeparator           []byte // between key and value in the output files
	NoOutput                  bool   // NullOutputFormat: nothing is written
	Lazy                      bool   // no empty parts
	OutputCodec               string // of the output files; "" = none
	MapOutputCodec            string // of what goes to the reducers; "" = as the worker likes
	Partitioner               Partitioner
	Comparator                Comparator
	CombineSpills             int           `json:",omitempty"` // the combiner runs at merges of so many spills too; 0: at none
	Timeout                   time.Duration // a process that reads and writes nothing for so long is killed; 0 = never
	ExitIsFailure             bool          // an exit other than 0 fails the attempt
	ReporterPrefix            string        // of lines on stderr that Report reads
	MapAttempts               int           // 0 = not given
	ReduceAttempts            int           // 0 = not given
	MapSpeculative            bool          // slow maps get a second attempt; default true
	ReduceSpeculative         bool
	Truncate                  int       // characters of a property in the environment; -1 = all
	Env                       []Setting // -cmdenv
	Conf                      []Setting // properties as they were written, for the environment
}

// Resolve makes a job's settings of what it says. What Options name outright wins
// over a property of Conf. Warnings name properties that only reach the environment.
// Errors are ErrCommand, ErrSetting and ErrUnsupported, and name the property.
func Resolve(o Options) (Config, []Warning, error) {
	p := newProperties(o.Conf)
	c := Config{Env: o.Env, Conf: o.Conf}
	if err := c.commands(o, p); err != nil {
		return Config{}, nil, err
	}
	c.counts(o, p)
	c.Input = p.input()
	c.MapOutput = p.fields("stream.map.output.field.separator", "stream.num.map.output.key.fields")
	c.ReduceOutput = p.fields("stream.reduce.output.field.separator", "stream.num.reduce.output.key.fields")
	c.ReduceSeparator = []byte(p.textOr("stream.reduce.input.field.separator", "\t"))
	c.output(o, p)
	if err := c.order(o, p); err != nil {
		return Config{}, nil, err
	}
	c.process(p)
	p.refused()
	if p.err != nil {
		return Config{}, nil, p.err
	}
	return c, p.warnings(), nil
}

func (c *Config) commands(o Options, p *properties) error {
	reducer := o.Reducer
	if reducer == "NONE" {
		reducer = ""
	}
	for _, one := range []struct {
		what, line string
		property   string
		into       *Command
	}{
		{"mapper", o.Mapper, "mapred.mapper.class", &c.Mapper},
		{"combiner", o.Combiner, "mapred.combiner.class", &c.Combiner},
		{"reducer", reducer, "mapred.reducer.class", &c.Reducer},
	} {
		line := one.line
		if class, ok := p.trimmed(one.property); ok && line == "" {
			line = class
		}
		cmd, err := ParseCommand(line)
		if err != nil {
			return fmt.Errorf("%s: %w", one.what, err)
		}
		if cmd.Builtin == BuiltinRegex && len(cmd.Args) == 0 {
			cmd.Args = []string{p.textOr("mapreduce.mapper.regex", ""), p.textOr("mapreduce.mapper.regexmapper..group", "0")}
			if cmd.Args[0] == "" {
				return fmt.Errorf("%s: %w", one.what, refusal{ErrSetting, "mapreduce.mapper.regex", "RegexMapper needs an expression"})
			}
		}
		*one.into = cmd
	}
	if c.Mapper.None() {
		c.Mapper = Command{Builtin: BuiltinIdentity}
	}
	if c.Reducer.None() {
		c.Reducer = Command{Builtin: BuiltinIdentity}
	}
	if c.Reducer.Builtin == BuiltinAggregate {
		c.Combiner = c.Reducer // Hadoop replaces a combiner of the user's
	}
	return nil
}

func (c *Config) counts(o Options, p *properties) {
	c.Reducers = int(p.integer("mapreduce.job.reduces", 1, 0, MaxReducers))
	if o.Reducers >= 0 {
		c.Reducers = min(o.Reducers, MaxReducers)
	}
	if o.Reducer == "NONE" {
		c.Reducers = 0
	}
	c.Maps = int(p.integer("mapreduce.job.maps", 2, 0, MaxMaps))
	if o.Maps > 0 {
		c.Maps = min(o.Maps, MaxMaps)
	}
	c.MinSplit = p.size("mapreduce.input.fileinputformat.split.minsize", 0)
	c.MaxSplit = p.size("mapreduce.input.fileinputformat.split.maxsize", 0)
	if c.Reducers == 0 {
		c.Combiner = Command{}
	}
	if spills := int(p.integer("mapreduce.map.combine.minspills", DefaultCombineSpills, 0, math.MaxInt32)); !c.Combiner.None() {
		c.CombineSpills = max(1, spills)
	}
}

func (p *properties) fields(separator, keys string) Fields {
	// Hadoop looks for the first separator whatever less than 1 is asked for.
	return Fields{Separator: []byte(p.textOr(separator, "\t")), Keys: max(1, int(p.integer(keys, 1, math.MinInt32, MaxKeys)))}
}

func (p *properties) input() Input {
	in := Input{Format: FormatText, Separator: []byte(p.textOr("stream.map.input.field.separator", "\t"))}
	class, given := "", false
	for _, name := range []string{"mapreduce.job.inputformat.class", "mapred.input.format.class"} {
		if v, ok := p.trimmed(name); ok {
			format, known := classInput[v]
			if !known {
				p.unsupported(name, "%s has no equal here; TextInputFormat, KeyValueTextInputFormat and NLineInputFormat have", clip(v))
			}
			in.Format, class, given = format, v, true
		}
	}
	// Only TextInputFormat itself makes Hadoop leave out the offset.
	in.IgnoreKey = p.boolean("stream.map.input.ignoreKey", !given || classInput[class] == FormatText)
	switch in.Format {
	case FormatNLine:
		in.Lines = int(p.integer("mapreduce.input.lineinputformat.linespermap", 1, 1, math.MaxInt32))
	case FormatKeyValue:
		end := p.textOr("mapreduce.input.keyvaluelinerecordreader.key.value.separator", "\t")
		if end == "" {
			end = "\t"
		}
		in.KeyEnd = []byte{end[0]}
	}
	in.Delimiter = []byte(p.textOr("textinputformat.record.delimiter", ""))
	in.Recursive = p.boolean("mapreduce.input.fileinputformat.input.dir.recursive", false)
	return in
}

func (c *Config) output(o Options, p *properties) {
	c.Lazy = o.Lazy
	for _, name := range []string{"mapreduce.job.outputformat.class", "mapred.output.format.class"} {
		v, ok := p.trimmed(name)
		if !ok {
			continue
		}
		none, known := classOutput[v]
		switch {
		case simpleClass(v) == "LazyOutputFormat":
			c.Lazy = true
		case !known:
			p.unsupported(name, "%s has no equal here; TextOutputFormat and NullOutputFormat have", clip(v))
		default:
			c.NoOutput = none
		}
	}
	c.OutputSeparator = []byte(p.textOr("mapreduce.output.textoutputformat.separator", "\t"))
	c.OutputCodec = p.codec("mapreduce.output.fileoutputformat.compress", "mapreduce.output.fileoutputformat.compress.codec")
	c.MapOutputCodec = p.codec("mapreduce.map.output.compress", "mapreduce.map.output.compress.codec")
	p.text("mapreduce.output.fileoutputformat.compress.type") // of SequenceFiles only
}

func (p *properties) codec(compress, class string) string {
	v, ok := p.trimmed(class)
	if !p.boolean(compress, false) {
		return ""
	}
	if !ok {
		return CodecDeflate
	}
	codec, known := classCodec[v]
	if !known {
		p.unsupported(class, "%s is no codec that is known here; gzip, deflate, bzip2, zstd, Snappy and Lz4 are", clip(v))
	}
	return codec
}

func (c *Config) order(o Options, p *properties) error {
	separator := []byte(p.textOr("mapreduce.map.output.key.field.separator", "\t"))
	kind := PartitionHash
	for _, name := range []string{"mapreduce.job.partitioner.class", "mapred.partitioner.class"} {
		if v, ok := p.trimmed(name); ok {
			known := false
			if kind, known = classPartitioner[v]; !known && o.Partitioner == "" {
				p.unsupported(name, "%s has no equal here; HashPartitioner, KeyFieldBasedPartitioner and TotalOrderPartitioner have", clip(v))
			}
		}
	}
	switch o.Partitioner {
	case "":
	case PartitionHash, PartitionKeyField, PartitionRange:
		kind = o.Partitioner
	default:
		known := false
		if kind, known = classPartitioner[o.Partitioner]; !known {
			return refusal{ErrUnsupported, "partitioner", fmt.Sprintf("%s has no equal here; hash, keyfield and range are known, and Hadoop's classes of these", clip(o.Partitioner))}
		}
	}
	// What an identity mapper passes on of a text file has byte offsets as keys.
	offsets := c.Mapper.Builtin == BuiltinIdentity && c.Input.Format != FormatKeyValue
	c.Partitioner = Partitioner{Kind: kind}
	switch {
	case kind == PartitionKeyField:
		c.Partitioner.Separator = separator
		c.Partitioner.Specs = p.partitionSpecs()
	case kind == PartitionHash && offsets:
		c.Partitioner.Kind = PartitionOffset
	}
	c.Comparator = p.comparator(separator, offsets)
	if kind == PartitionRange {
		c.Partitioner.Order = c.Comparator
	}
	return nil
}

func (p *properties) partitionSpecs() []KeySpec {
	const old = "num.key.fields.for.partition"
	if _, ok := p.trimmed(old); ok {
		if n := int(p.integer(old, 0, 0, math.MaxInt32)); n > 0 {
			return []KeySpec{{Field: 1, Byte: 1, EndField: n}}
		}
		return nil
	}
	return p.specs("mapreduce.partition.keypartitioner.options")
}

func (p *properties) specs(name string) []KeySpec {
	text, _ := p.text(name)
	specs, ignored, err := ParseKeyOptions(text)
	if err != nil {
		p.fail(name, "%s", err)
	}
	for _, word := range ignored {
		p.warn(name, "%s is passed over, as in Hadoop; -n, -r, -nr and -k are known", clip(word))
	}
	return specs
}

func (p *properties) comparator(separator []byte, offsets bool) Comparator {
	const name = "mapreduce.job.output.key.comparator.class"
	class, ok := p.trimmed(name)
	switch {
	case !ok:
		return Comparator{Offsets: offsets}
	case class == classFieldComparator || class == classNewFieldComparator:
		specs := p.specs("mapreduce.partition.keycomparator.options")
		if len(specs) == 0 {
			return Comparator{}
		}
		return Comparator{Specs: specs, Separator: separator}
	case !textComparator[class]:
		p.unsupported(name, "%s has no equal here; KeyFieldBasedComparator has", clip(class))
	}
	return Comparator{}
}

func (c *Config) process(p *properties) {
	c.Name, _ = p.text("mapreduce.job.name")
	c.Timeout = time.Duration(p.integer("mapreduce.task.timeout", DefaultTimeout.Milliseconds(), 0, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
	c.ExitIsFailure = p.boolean("stream.non.zero.exit.is.failure", true)
	c.ReporterPrefix = p.textOr("stream.stderr.reporter.prefix", "reporter:")
	c.MapAttempts = int(p.integer("mapreduce.map.maxattempts", 0, 1, MaxAttempts))
	c.ReduceAttempts = int(p.integer("mapreduce.reduce.maxattempts", 0, 1, MaxAttempts))
	c.MapSpeculative = p.boolean("mapreduce.map.speculative", true)
	c.ReduceSpeculative = p.boolean("mapreduce.reduce.speculative", true)
	c.Truncate = int(p.integer("stream.jobconf.truncate.limit", -1, -1, math.MaxInt32))
}

// refused are properties whose meaning cannot be left out.
func (p *properties) refused() {
	for _, name := range []string{"stream.map.input", "stream.map.output", "stream.reduce.input", "stream.reduce.output"} {
		if v, ok := p.trimmed(name); ok && v != "text" {
			p.unsupported(name, "%s: lines of text are the only way to talk to processes here (-io)", clip(v))
		}
	}
	for _, one := range [...]struct{ name, why string }{
		{"stream.recordreader.class", "record readers are Java classes (-inputreader)"},
		{"stream.io.identifier.resolver.class", "it is a Java class"},
		{"tmpjars", "Java classes cannot run here (-libjars)"},
		{"mapreduce.input.pathFilter.class", "path filters are Java classes"},
		{"mapred.map.runner.class", "map runners are Java classes"},
		{"mapred.output.committer.class", "committers are Java classes; the output is always committed by one rename"},
		{"mapreduce.job.map.class", "name the mapper as such"},
		{"mapreduce.job.reduce.class", "name the reducer as such"},
		{"mapreduce.job.combine.class", "name the combiner as such"},
	} {
		if v, ok := p.trimmed(one.name); ok {
			p.unsupported(one.name, "%s: %s", clip(v), one.why)
		}
	}
}

func (p *properties) warn(name, format string, args ...any) {
	p.notes = append(p.notes, Warning{p.given(name), fmt.Sprintf(format, args...)})
}

// instead are the job file's own words for properties that have no meaning here.
var instead = map[string]string{
	"mapreduce.map.memory.mb":            "resources.memory bounds a container",
	"mapreduce.reduce.memory.mb":         "resources.memory bounds a container",
	"mapreduce.map.cpu.vcores":           "resources.cpu bounds a container",
	"mapreduce.reduce.cpu.vcores":        "resources.cpu bounds a container",
	"mapreduce.map.skip.maxrecords":      "skipBadRecords lets a task leave records out",
	"mapreduce.reduce.skip.maxgroups":    "skipBadRecords lets a task leave groups out",
	"mapreduce.job.running.map.limit":    "slots bounds how much runs at once",
	"mapreduce.job.running.reduce.limit": "slots bounds how much runs at once",
}

// warnings name every property that nobody asked for, in the order written.
func (p *properties) warnings() []Warning {
	out := p.notes
	seen := map[string]bool{}
	for _, s := range p.list {
		name := NewName(s.Name)
		if p.asked[name] || seen[name] || name == "fs.defaultFS" {
			continue
		}
		seen[name] = true
		text := "has no meaning here; mapper and reducer find it in their environment"
		if hint, ok := instead[name]; ok {
			text += "; " + hint
		}
		out = append(out, Warning{s.Name, text})
	}
	return out
}
