package streaming

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// base is what Resolve makes of nothing.
func base() Config {
	tab := []byte("\t")
	return Config{
		Mapper: Command{Builtin: BuiltinIdentity}, Reducer: Command{Builtin: BuiltinIdentity}, Reducers: 1, Maps: 2,
		Input:     Input{Format: FormatText, IgnoreKey: true, Separator: tab, Delimiter: []byte{}},
		MapOutput: Fields{tab, 1}, ReduceOutput: Fields{tab, 1}, ReduceSeparator: tab, OutputSeparator: tab,
		Partitioner: Partitioner{Kind: PartitionOffset}, Comparator: Comparator{Offsets: true},
		Timeout: 600 * time.Second, ExitIsFailure: true, ReporterPrefix: "reporter:",
		MapSpeculative: true, ReduceSpeculative: true, Truncate: -1,
	}
}

// TestResolve: one property a case, and what it changes in the Config of "cat".
func TestResolve(t *testing.T) {
	for _, c := range []struct {
		conf   string // NAME=VALUE, several parted by |
		change func(*Config)
	}{
		{"", func(*Config) {}},
		{"mapred.reduce.tasks=3", func(c *Config) { c.Reducers = 3 }},
		{"mapreduce.job.reduces=0", func(c *Config) { c.Reducers = 0 }},
		{"mapreduce.job.reduces=2|mapred.reduce.tasks=0x10", func(c *Config) { c.Reducers = 16 }},
		{"mapred.reduce.tasks=4|mapreduce.job.reduces= 5 ", func(c *Config) { c.Reducers = 5 }},
		{"mapred.map.tasks=9", func(c *Config) { c.Maps = 9 }},
		{"mapred.job.name=a ${x}|x=y", func(c *Config) { c.Name = "a y" }},
		{"mapred.min.split.size=64m", func(c *Config) { c.MinSplit = 64 << 20 }},
		{"mapreduce.input.fileinputformat.split.maxsize=5", func(c *Config) { c.MaxSplit = 5 }},
		{"stream.map.output.field.separator=.|stream.num.map.output.key.fields=4", func(c *Config) { c.MapOutput = Fields{[]byte("."), 4} }},
		{"stream.num.map.output.key.fields=0|stream.num.reduce.output.key.fields=-1", func(*Config) {}},
		{"stream.reduce.output.field.separator=,|stream.num.reduce.output.key.fields=2", func(c *Config) { c.ReduceOutput = Fields{[]byte(","), 2} }},
		{"stream.map.output.field.separator=|stream.num.map.output.key.fields=|mapred.textoutputformat.separator=", func(*Config) {}},
		{"mapred.reduce.tasks=3|mapreduce.job.reduces=", func(*Config) {}},
		{"stream.reduce.input.field.separator=;", func(c *Config) { c.ReduceSeparator = []byte(";") }},
		{"stream.map.input.field.separator=;", func(c *Config) { c.Input.Separator = []byte(";") }},
		{"stream.map.input.ignoreKey=false", func(c *Config) { c.Input.IgnoreKey = false }},
		{"mapred.textoutputformat.separator=;", func(c *Config) { c.OutputSeparator = []byte(";") }},
		{"textinputformat.record.delimiter=;;", func(c *Config) { c.Input.Delimiter = []byte(";;") }},
		{"mapred.input.dir.recursive=true", func(c *Config) { c.Input.Recursive = true }},
		{"mapred.input.format.class=org.apache.hadoop.mapred.lib.NLineInputFormat|mapred.line.input.format.linespermap=7",
			func(c *Config) { c.Input.Format, c.Input.Lines, c.Input.IgnoreKey = FormatNLine, 7, false }},
		{"mapreduce.job.inputformat.class=KeyValueTextInputFormat|key.value.separator.in.input.line=::",
			func(c *Config) {
				c.Input.Format, c.Input.KeyEnd, c.Input.IgnoreKey = FormatKeyValue, []byte(":"), false
			}},
		{"mapred.input.format.class=TextInputFormat", func(*Config) {}},
		{"mapred.output.format.class=org.apache.hadoop.mapred.lib.NullOutputFormat", func(c *Config) { c.NoOutput = true }},
		{"mapred.output.compress=true", func(c *Config) { c.OutputCodec = CodecDeflate }},
		{"mapred.output.compress=true|mapred.output.compression.codec=org.apache.hadoop.io.compress.BZip2Codec", func(c *Config) { c.OutputCodec = CodecBzip2 }},
		{"mapred.output.compression.codec=org.apache.hadoop.io.compress.BZip2Codec", func(*Config) {}},
		{"mapred.compress.map.output=true|mapreduce.map.output.compress.codec=org.apache.hadoop.io.compress.SnappyCodec", func(c *Config) { c.MapOutputCodec = CodecSnappy }},
		{"mapred.partitioner.class=org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner|mapred.text.key.partitioner.options=-k2,2|map.output.key.field.separator=.",
			func(c *Config) {
				c.Partitioner = Partitioner{Kind: PartitionKeyField, Separator: []byte("."), Specs: []KeySpec{{Field: 2, Byte: 1, EndField: 2}}}
			}},
		{"mapred.partitioner.class=org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner|num.key.fields.for.partition=2",
			func(c *Config) {
				c.Partitioner = Partitioner{Kind: PartitionKeyField, Separator: []byte("\t"), Specs: []KeySpec{{Field: 1, Byte: 1, EndField: 2}}}
			}},
		{"mapred.output.key.comparator.class=org.apache.hadoop.mapred.lib.KeyFieldBasedComparator|mapred.text.key.comparator.options=-k1,1nr",
			func(c *Config) {
				c.Comparator = Comparator{Separator: []byte("\t"), Specs: []KeySpec{{Field: 1, Byte: 1, EndField: 1, Numeric: true, Reverse: true}}}
			}},
		{"mapred.output.key.comparator.class=org.apache.hadoop.mapred.lib.KeyFieldBasedComparator", func(*Config) {}},
		{"mapred.text.key.comparator.options=-k1,1nr", func(*Config) {}},
		{"mapred.task.timeout=1500", func(c *Config) { c.Timeout = 1500 * time.Millisecond }},
		{"mapreduce.task.timeout=0", func(c *Config) { c.Timeout = 0 }},
		{"stream.non.zero.exit.is.failure=false", func(c *Config) { c.ExitIsFailure = false }},
		{"stream.non.zero.exit.is.failure=perhaps", func(*Config) {}},
		{"stream.stderr.reporter.prefix=r:", func(c *Config) { c.ReporterPrefix = "r:" }},
		{"mapred.map.max.attempts=7|mapreduce.reduce.maxattempts=2", func(c *Config) { c.MapAttempts, c.ReduceAttempts = 7, 2 }},
		{"mapred.map.tasks.speculative.execution=false|mapreduce.reduce.speculative=false", func(c *Config) { c.MapSpeculative, c.ReduceSpeculative = false, false }},
		{"stream.jobconf.truncate.limit=20", func(c *Config) { c.Truncate = 20 }},
	} {
		want := base()
		want.Mapper = Command{Args: []string{"cat"}}
		want.Partitioner, want.Comparator = Partitioner{Kind: PartitionHash}, Comparator{}
		c.change(&want)
		want.Conf = settings(c.conf)
		got, _, err := Resolve(Options{Mapper: "cat", Reducers: -1, Conf: want.Conf})
		if err != nil {
			t.Errorf("%s: %v", c.conf, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.conf, got, want)
		}
	}
}

func settings(text string) []Setting {
	var out []Setting
	for _, one := range strings.Split(text, "|") {
		if name, value, ok := strings.Cut(one, "="); ok {
			out = append(out, Setting{name, value})
		}
	}
	return out
}

// TestOptionsWin: what is named outright wins over properties, and what belongs
// together comes together.
func TestOptionsWin(t *testing.T) {
	conf := settings("mapreduce.job.reduces=7|mapreduce.job.maps=8|mapred.partitioner.class=org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner|" +
		"mapred.mapper.class=org.apache.hadoop.mapred.lib.InverseMapper|mapred.mapper.regex=a(b)|mapred.mapper.regex.group=1")
	for name, c := range map[string]struct {
		o    Options
		good func(Config) bool
	}{
		"nothing":            {Options{Reducers: -1}, func(c Config) bool { return reflect.DeepEqual(c, base()) }},
		"reducers":           {Options{Reducers: 2, Conf: conf}, func(c Config) bool { return c.Reducers == 2 && c.Maps == 8 }},
		"none":               {Options{Reducers: 2, Reducer: "NONE", Combiner: "cat", Conf: conf}, func(c Config) bool { return c.Reducers == 0 && c.Combiner.None() }},
		"maps":               {Options{Reducers: -1, Maps: 3, Conf: conf}, func(c Config) bool { return c.Reducers == 7 && c.Maps == 3 }},
		"partitioner":        {Options{Reducers: -1, Mapper: "cat", Partitioner: "hash", Conf: conf}, func(c Config) bool { return c.Partitioner.Kind == PartitionHash }},
		"class":              {Options{Reducers: -1, Partitioner: "org.apache.hadoop.mapred.lib.TotalOrderPartitioner"}, func(c Config) bool { return c.Partitioner.Kind == PartitionRange && c.Partitioner.Order.Offsets }},
		"mapper class":       {Options{Reducers: -1, Conf: conf}, func(c Config) bool { return c.Mapper.Builtin == BuiltinInverse && c.Comparator.Plain() }},
		"mapper":             {Options{Reducers: -1, Mapper: "cat -n", Conf: conf}, func(c Config) bool { return reflect.DeepEqual(c.Mapper.Args, []string{"cat", "-n"}) }},
		"regex":              {Options{Reducers: -1, Mapper: "org.apache.hadoop.mapred.lib.RegexMapper", Conf: conf}, func(c Config) bool { return reflect.DeepEqual(c.Mapper, Command{BuiltinRegex, []string{"a(b)", "1"}}) }},
		"combiner":           {Options{Reducers: -1, Combiner: "cat"}, func(c Config) bool { return c.CombineSpills == 3 }},
		"combiner at merges": {Options{Reducers: -1, Combiner: "cat", Conf: settings("min.num.spills.for.combine=5")}, func(c Config) bool { return c.CombineSpills == 5 }},
		"combiner always":    {Options{Reducers: -1, Combiner: "cat", Conf: settings("mapreduce.map.combine.minspills=0")}, func(c Config) bool { return c.CombineSpills == 1 }},
		"no combiner":        {Options{Reducers: -1, Conf: settings("mapreduce.map.combine.minspills=2")}, func(c Config) bool { return c.CombineSpills == 0 }},
		"aggregate": {Options{Reducers: -1, Reducer: "Aggregate", Combiner: "cat"}, func(c Config) bool {
			return c.Combiner.Builtin == BuiltinAggregate && c.Reducer.Builtin == BuiltinAggregate
		}},
		"identity, values": {Options{Reducers: -1, Conf: settings("mapred.input.format.class=KeyValueTextInputFormat")}, func(c Config) bool { return c.Partitioner.Kind == PartitionHash && c.Comparator.Plain() }},
	} {
		got, _, err := Resolve(c.o)
		if err != nil || !c.good(got) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		data, err := json.Marshal(got)
		var back Config
		if err == nil {
			err = json.Unmarshal(data, &back)
		}
		if again, err2 := json.Marshal(back); err != nil || err2 != nil || string(again) != string(data) {
			t.Errorf("%s: as JSON %s, then %s", name, data, again)
		}
	}
}

// TestRefused: each case is refused with its kind, and names what it is about.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		o    Options
		kind error
		text string
	}{
		{Options{Conf: settings("mapred.reduce.tasks=many")}, ErrSetting, "mapred.reduce.tasks: many"},
		{Options{Conf: settings("mapreduce.job.reduces=-1")}, ErrSetting, "mapreduce.job.reduces: -1"},
		{Options{Conf: settings("mapreduce.job.reduces=99999999999")}, ErrSetting, "not from 0 to"},
		{Options{Conf: settings("mapred.min.split.size=64x")}, ErrSetting, "64x"},
		{Options{Conf: settings("mapred.min.split.size=9000000000g")}, ErrSetting, "9000000000g"},
		{Options{Conf: settings("stream.num.map.output.key.fields=10001")}, ErrSetting, "stream.num.map.output.key.fields: 10001"},
		{Options{Partitioner: "keyfield", Conf: settings("mapred.text.key.partitioner.options=-kx")}, ErrSetting, "mapred.text.key.partitioner.options: -kx"},
		{Options{Conf: settings("mapred.input.format.class=org.apache.hadoop.mapred.SequenceFileInputFormat")}, ErrUnsupported, "SequenceFileInputFormat"},
		{Options{Conf: settings("mapred.output.format.class=com.x.Out")}, ErrUnsupported, "com.x.Out"},
		{Options{Conf: settings("mapred.partitioner.class=com.x.P")}, ErrUnsupported, "mapred.partitioner.class: com.x.P"},
		{Options{Partitioner: "com.x.P"}, ErrUnsupported, "partitioner: com.x.P"},
		{Options{Conf: settings("mapreduce.job.output.key.comparator.class=com.x.C")}, ErrUnsupported, "com.x.C"},
		{Options{Conf: settings("mapred.output.compress=true|mapred.output.compression.codec=com.x.Lzo")}, ErrUnsupported, "com.x.Lzo"},
		{Options{Conf: settings("stream.map.input=typedbytes")}, ErrUnsupported, "typedbytes"},
		{Options{Conf: settings("stream.recordreader.class=X")}, ErrUnsupported, "-inputreader"},
		{Options{Conf: settings("tmpjars=a.jar")}, ErrUnsupported, "-libjars"},
		{Options{Mapper: "com.x.Map"}, ErrUnsupported, "mapper: com.x.Map"},
		{Options{Reducer: "org.apache.hadoop.mapred.lib.FieldSelectionMapReduce"}, ErrUnsupported, "reducer: "},
		{Options{Mapper: "   "}, ErrCommand, "mapper: "},
		{Options{Combiner: "''"}, ErrCommand, "combiner: "},
		{Options{Mapper: "builtin:"}, ErrCommand, "builtin:NAME"},
		{Options{Mapper: "a\x00b"}, ErrCommand, "NUL"},
		{Options{Mapper: strings.Repeat("x", MaxCommand+1)}, ErrCommand, "bytes"},
		{Options{Mapper: "org.apache.hadoop.mapred.lib.RegexMapper"}, ErrSetting, "mapreduce.mapper.regex"},
	} {
		c.o.Reducers = -1
		_, _, err := Resolve(c.o)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %v, want %v with %q", c.o, err, c.kind, c.text)
		}
	}
}

// TestWarnings: only what has no meaning is warned of, under the name it was given.
func TestWarnings(t *testing.T) {
	_, got, err := Resolve(Options{Reducers: -1, Partitioner: PartitionKeyField, Conf: settings("mapred.job.queue.name=q|mapred.reduce.tasks=1|my.own=1|" +
		"fs.default.name=hdfs://x|mapred.text.key.partitioner.options=-rn -k1|mapreduce.map.memory.mb=9|mapred.job.queue.name=r")})
	var names []string
	for _, w := range got {
		names = append(names, w.Name)
	}
	if want := "mapred.text.key.partitioner.options mapred.job.queue.name my.own mapreduce.map.memory.mb"; err != nil || strings.Join(names, " ") != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}

func TestParseCommand(t *testing.T) {
	for line, want := range map[string]Command{
		"":                     {},
		"cat":                  {Args: []string{"cat"}},
		"builtin:grep 'a b' c": {Builtin: "grep", Args: []string{"a b", "c"}},
		"AGGREGATE":            {Builtin: BuiltinAggregate},
		"aggregate -x":         {Args: []string{"aggregate", "-x"}},
		"/usr/bin/perl5 x.pl":  {Args: []string{"/usr/bin/perl5", "x.pl"}},
		"./a.b.C":              {Args: []string{"./a.b.C"}},
		"org.apache.hadoop.mapred.lib.TokenCountMapper": {Builtin: BuiltinTokenCount},
	} {
		if got, err := ParseCommand(line); err != nil || got.Builtin != want.Builtin || strings.Join(got.Args, "|") != strings.Join(want.Args, "|") {
			t.Errorf("%q: %v, %v; want %v", line, got, err, want)
		}
	}
}

func TestInput(t *testing.T) {
	tab := []byte("\t")
	for _, c := range []struct {
		in              Input
		line            string
		stdin, key, val string
	}{
		{Input{Format: FormatText, IgnoreKey: true, Separator: tab}, "a\tb", "a\tb\n", "17", "a\tb"},
		{Input{Format: FormatText, Separator: []byte(";")}, "a", "17;a\n", "17", "a"},
		{Input{Format: FormatNLine, Separator: tab}, "", "17\t\n", "17", ""},
		{Input{Format: FormatKeyValue, KeyEnd: tab, Separator: []byte(":")}, "a\tb\tc", "a:b\tc\n", "a", "b\tc"},
		{Input{Format: FormatKeyValue, KeyEnd: []byte(","), Separator: tab}, "ab", "ab\t\n", "ab", ""},
		{Input{Format: FormatKeyValue, KeyEnd: tab, Separator: tab, IgnoreKey: true}, "a\tb", "b\n", "a", "b"},
	} {
		if got := string(c.in.Append(nil, 17, []byte(c.line))); got != c.stdin {
			t.Errorf("%+v of %q: %q, want %q", c.in, c.line, got, c.stdin)
		}
		if key, val := c.in.Pair(17, []byte(c.line)); string(key) != c.key || string(val) != c.val {
			t.Errorf("%+v of %q: %q, %q; want %q, %q", c.in, c.line, key, val, c.key, c.val)
		}
	}
	if got := string(AppendPair([]byte("x"), []byte("k"), []byte("::"), []byte("v"))); got != "xk::v\n" {
		t.Errorf("AppendPair: %q", got)
	}
}
