package mapreduce

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

// What goes in and comes out, by Hadoop Streaming's rules.
func TestStreaming(t *testing.T) {
	reducers := func(o streaming.Options, n int) streaming.Options {
		o.Reducers = n
		return o
	}
	class := "mapreduce.job.inputformat.class="
	upper := `sh -c "tr a-z A-Z"`
	for name, c := range map[string]struct {
		options streaming.Options
		in      []string
		want    []string
	}{
		"cat": {streamed("cat", "cat"), []string{"b\t1\na\t2\n", "a\t3\nb\n"}, []string{"a\t2\na\t3\nb\t1\nb\t\n"}},
		"line ends": {streamed("cat", "cat"), []string{"a\r\nb\rc\r\r\nd", "\n\r"},
			[]string{"\t\n\t\n\t\na\t\nb\t\nc\t\nd\t\n"}},
		"a lone CR in a map's output": {streamed(`printf "a\tb\rc"`, "cat"), []string{"x"}, []string{"a\tb\nc\t\n"}},
		"empty keys":                  {streamed("cat", "cat"), []string{"\tb\n\ta\n\n"}, []string{"\tb\n\ta\n\t\n"}},
		"no end":                      {streamed("cat", "cat"), []string{"a"}, []string{"a\t\n"}},
		"BOM":                         {streamed("cat", "cat"), []string{"\xef\xbb\xbfa\n", "\xef\xbb\xbf", "\xef\xbb"}, []string{"a\t\n\xef\xbb\t\n"}},
		"bytes":                       {streamed("cat", "cat"), []string{"\xff\x00\x80\t\xc3\x28\n\x00\n"}, []string{"\x00\t\n\xff\x00\x80\t\xc3\x28\n"}},
		"no input":                    {streamed("cat", "cat"), []string{""}, []string{""}},
		"map only":                    {reducers(streamed("cat", ""), 0), []string{"b\na\tx\n", ""}, []string{"b\t\na\tx\n", ""}},
		"map only writes at an empty": {reducers(streamed(`sh -c "cat; echo end"`, ""), 0), []string{""}, []string{"end\t\n"}},
		"a reducer without input": {reducers(streamed("cat", `sh -c "cat; echo end"`), 2), []string{"a\t1\n"},
			[]string{"a\t1\nend\t\n", ""}},
		"7 reducers": {reducers(streamed("cat", "cat"), 7), []string{"hello\n\na\nthe quick brown fox\n"},
			[]string{"", "\t\n", "a\t\n", "", "", "hello\t\n", "the quick brown fox\t\n"}},
		"no reducer": {streamed("cat", ""), []string{"b\t2\na\t1\n"}, []string{"a\t1\nb\t2\n"}},
		"no mapper":  {streamed("", "cat"), []string{"x\ny\r\nz"}, []string{"0\tx\n2\ty\n5\tz\n"}},
		"no mapper, many": {streamed("", ""), []string{strings.Repeat("x\n", 60)},
			[]string{func() (s string) {
				for i := range 60 {
					s += fmt.Sprintf("%d\tx\n", 2*i)
				}
				return s
			}()}},
		"BOM counts": {streamed("", "cat"), []string{"\xef\xbb\xbfx\ny\n"}, []string{"0\tx\n5\ty\n"}},
		"separators": {streamed("cat", "cat", "stream.map.output.field.separator=.", "stream.num.map.output.key.fields=2",
			"stream.reduce.input.field.separator=|", "stream.reduce.output.field.separator=:", "mapreduce.output.textoutputformat.separator==>"),
			[]string{"a.b.c.d\na.b\na:z\n"}, []string{"a.b|c.d=>\na.b|=>\na=>z|\n"}},
		"key value": {streamed("cat", "cat", class+"KeyValueTextInputFormat"), []string{"a\nb\tc\td\n"}, []string{"a\t\nb\tc\td\n"}},
		"nline":     {streamed(upper, "cat", class+"org.apache.hadoop.mapred.lib.NLineInputFormat"), []string{"a\nb\n"}, []string{"0\tA\n2\tB\n"}},
		"keys not ignored": {streamed("cat", "cat", "stream.map.input.ignoreKey=false"), []string{"a\r\nb\n"},
			[]string{"0\ta\n3\tb\n"}},
		"delimiter": {streamed("cat", "cat", "textinputformat.record.delimiter=;"), []string{"a;b\nc;;"}, []string{"\t\na\t\nb\t\nc\t\n"}},
		"numeric, backwards": {streamed("cat", "cat", "mapreduce.job.output.key.comparator.class=org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator",
			"mapreduce.partition.keycomparator.options=-nr"), []string{"2\ta\n10\tb\n2.0\tc\n2\td\n"}, []string{"10\tb\n2\ta\n2.0\tc\n2\td\n"}},
		"key fields": {func() streaming.Options {
			o := streamed("cat", "cat", "stream.num.map.output.key.fields=2", "mapreduce.partition.keypartitioner.options=-k1,1")
			o.Partitioner, o.Reducers = "keyfield", 2
			return o
		}(), []string{"a\t2\tx\na\t1\ty\nb\t1\tz\n"}, []string{"b\t1\tz\n", "a\t1\ty\na\t2\tx\n"}},
		"quotes":      {streamed(`awk '{print "k", $1}'`, "cat"), []string{"a b\n"}, []string{"k a\t\n"}},
		"environment": {streamed(`sh -c 'echo "$mapreduce_map_input_file $mapred_task_is_map $map_input_length $A $mapreduce_task_partition"'`, `sh -c 'cat; echo "$mapreduce_map_input_file|$mapreduce_task_ismap|$PWD" | sed s,/.*/work,W,'`), []string{"abc"}, []string{"in/0 true 3  0\t\n|false|W\t\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := &job{Options: c.options, inputs: c.in}
			if name == "no mapper, many" { // they come back as text, in the order of numbers
				j.Options.Reducers = 1
			}
			got, err := j.run(t)
			if err != nil {
				t.Fatalf("%v\n%s", err, j.log.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const pythonMap = `
import sys
for line in sys.stdin:
    for word in line.split():
        print(word + "\t1")
sys.stderr.write("reporter:counter:test,maps,1\n")
`

const awkMap = `
BEGIN { FS = "[ \t\f]+" }
{ for (i = 1; i <= NF; i++) if ($i != "") print $i "\t1" }
END { print "reporter:counter:test,maps,1" > "/dev/stderr" }
`

const awkReduce = `
BEGIN { FS = "\t" }
NR > 1 && $1 != last { print last "\t" n; n = 0 }
{ last = $1; n += $2 }
END { if (NR) print last "\t" n }
`

// text is words, some much more often than others.
func text(seed uint64, words int) string {
	random := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(random, 1.2, 3, 30_000)
	var b strings.Builder
	for i := range words {
		fmt.Fprintf(&b, "w%s", strings.Repeat(fmt.Sprint(zipf.Uint64()), 1+i%3))
		b.WriteByte(" \n\t\f "[random.IntN(5)])
	}
	return b.String()
}

func countWords(texts ...string) map[string]int {
	out := map[string]int{}
	for _, s := range texts {
		for w := range strings.FieldsSeq(s) {
			out[w]++
		}
	}
	return out
}

// Word count gives the same whoever does which part of it, and however often it
// spills.
func TestWordCount(t *testing.T) {
	inputs := []string{text(1, 15_000), text(2, 5_000) + strings.Repeat("long", 40_000) + " x\r\ny\rz", ""}
	want := countWords(inputs...)
	var lines []string
	for w, n := range want {
		lines = append(lines, fmt.Sprintf("%s\t%d\n", w, n))
	}
	slices.Sort(lines)
	var first []string
	for _, c := range []struct{ mapper, combiner, reducer string }{
		{"builtin:wordcount", "", "builtin:sum"},
		{"builtin:wordcount", "builtin:sum", "builtin:wordcount"},
		{"python3 map.py", "", "awk -f reduce.awk"},
		{"awk -f map.awk", "awk -f reduce.awk", "awk -f reduce.awk"},
		{"builtin:wordcount", "awk -f reduce.awk", "builtin:sum"},
		{"builtin:tokencount", "", "builtin:count"},
		{`sh -c "awk -f map.awk | sed s/^/LongValueSum:/"`, "", "aggregate"},
	} {
		for _, memory := range []int64{16 * megabyte, 64 << 10} {
			t.Run(fmt.Sprintf("%s|%s|%s|%d", c.mapper, c.combiner, c.reducer, memory), func(t *testing.T) {
				j := &job{Options: streaming.Options{Mapper: c.mapper, Combiner: c.combiner, Reducer: c.reducer, Reducers: 3}, inputs: inputs,
					files:  map[string]string{"map.py": pythonMap, "map.awk": awkMap, "reduce.awk": awkReduce},
					change: func(task *mapreduce.Task) { task.Memory = memory }}
				parts, err := j.run(t)
				if err != nil {
					t.Fatalf("%v\n%s", err, j.log.String())
				}
				got := strings.SplitAfter(strings.Join(parts, ""), "\n")
				got = got[:len(got)-1]
				slices.Sort(got)
				if !slices.Equal(got, lines) {
					t.Errorf("%d words of %d, or other counts", len(got), len(lines))
				}
				if first == nil && c.reducer != "aggregate" {
					first = parts
				}
				if c.reducer != "aggregate" && !slices.Equal(parts, first) { // its keys are other ones when they are parted
					t.Error("other parts than the first job's")
				}
				words := int64(0)
				for _, n := range want {
					words += int64(n)
				}
				facts := j.facts
				if facts[mapreduce.MapOutputRecords] != words || facts[mapreduce.ReduceOutputRecords] != int64(len(want)) ||
					facts[mapreduce.ReduceInputGroups] != int64(len(want)) {
					t.Errorf("%d words, %d different: %v", words, len(want), facts)
				}
				records := int64(strings.Count(inputs[0], "\n")+strings.Count(inputs[1], "\n")) + 3 // w4\n…w5 has no end; CR, and z
				if !strings.HasSuffix(inputs[0], "\n") {
					records++
				}
				if got := facts[mapreduce.MapInputRecords]; got != records-1 {
					t.Errorf("%d input records, not %d", got, records-1)
				}
				combined := c.combiner != "" || strings.Contains(c.reducer, "sum") || c.reducer == "aggregate"
				if combined != (facts[mapreduce.CombineInput] > 0) || combined && facts[mapreduce.ReduceInputRecords] >= words ||
					!combined && facts[mapreduce.ReduceInputRecords] != words {
					t.Errorf("combined: %v", facts)
				}
				if strings.Contains(c.mapper, "map.") && facts["test,maps"] != 3 {
					t.Errorf("the mappers' counter: %v", facts)
				}
			})
		}
	}
}

// A combiner that runs at merges too changes nothing but what goes to the reducers.
func TestCombineAtMerges(t *testing.T) {
	var parts [2][]string
	var facts [2]map[string]int64
	for i, least := range []string{"1000", "3"} {
		j := &job{Options: streamed("awk -f map.awk", "awk -f reduce.awk", "min.num.spills.for.combine="+least), inputs: []string{text(1, 15_000), text(2, 15_000)},
			files:  map[string]string{"map.awk": awkMap, "reduce.awk": awkReduce},
			change: func(task *mapreduce.Task) { task.Memory = 64 << 10 }}
		j.Reducers, j.Combiner = 3, "awk -f reduce.awk"
		var err error
		if parts[i], err = j.run(t); err != nil {
			t.Fatal(err)
		}
		facts[i] = j.facts
	}
	if diff := cmp.Diff(parts[0], parts[1]); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{mapreduce.ReduceInputRecords, mapreduce.ReduceShuffleBytes} {
		if before, after := facts[0][name], facts[1][name]; after >= before {
			t.Errorf("%s: %d, and %d with the combiner at merges", name, before, after)
		}
	}
	if facts[1][mapreduce.CombineInput] <= facts[0][mapreduce.CombineInput] {
		t.Error("the combiner did not run at merges")
	}
}

// Two attempts of a task make the same bytes.
func TestSameBytes(t *testing.T) {
	j := &job{Options: streamed("awk -f map.awk", "cat"), inputs: []string{text(3, 20_000)}, files: map[string]string{"map.awk": awkMap},
		change: func(task *mapreduce.Task) { task.Memory = 1 }}
	j.Reducers = 3
	for range 2 {
		if _, err := j.run(t); err != nil {
			t.Fatal(err)
		}
	}
	for r := range 3 {
		a, err1 := os.ReadFile(filepath.Join(j.dirs[0], mapreduce.SegmentName(r)))
		b, err2 := os.ReadFile(filepath.Join(j.dirs[4], mapreduce.SegmentName(r)))
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) || len(a) == 0 {
			t.Errorf("segment %d: %d and %d bytes, %v", r, len(a), len(b), err)
		}
	}
}

func TestBuiltins(t *testing.T) {
	for name, c := range map[string]struct {
		options streaming.Options
		in      string
		want    string
	}{
		"grep":      {streamed("builtin:grep ^a.*\\d$", ""), "b1\na\tx1\na2\nac\n", "a\tx1\na2\t\n"},
		"regex":     {streamed("builtin:regex w(.)", "builtin:sum"), "wa wb wa\nww\n", "wa\t2\nwb\t1\nww\t1\n"},
		"group":     {streamed("builtin:regex w(.)|(q) 1", "builtin:sum"), "wa wb q wa\n", "a\t2\nb\t1\n"},
		"inverse":   {streamed("builtin:inverse", "", "mapreduce.job.inputformat.class=KeyValueTextInputFormat"), "a\tz\nb\ty\n", "y\tb\nz\ta\n"},
		"sort":      {streamed("builtin:sort", "builtin:sort"), "b\t1\na\n", "a\t\nb\t1\n"},
		"count":     {streamed("builtin:sort", "builtin:count"), "b\t1\na\nb\t\n", "a\t1\nb\t2\n"},
		"aggregate": {streamed("builtin:sort", "aggregate"), "LongValueMax:m\t1\nLongValueMax:m\t5\nUniqValueCount:u\ta\nUniqValueCount:u\ta\nDoubleValueSum:d\t1.5\n", "d\t1.5\nm\t5\nu\t1\n"},
		"words of keyed values": {streamed("builtin:wordcount", "builtin:sum", "mapreduce.job.inputformat.class=KeyValueTextInputFormat"), "a\tb c\nd\tb\n",
			"b\t2\nc\t1\n"},
		"odd words":           {streamed("builtin:wordcount", "builtin:sum"), "\x00 \x00\x00 a\x00 a a\x01b \x01 12345678 123456789 1234567 12345678\xff é", "\x00\t1\n\x00\x00\t1\n\x01\t1\n1234567\t1\n12345678\t1\n123456789\t1\n12345678\xff\t1\na\t1\na\x00\t1\na\x01b\t1\né\t1\n"},
		"sum by a comparator": {streamed("builtin:sort", "builtin:sum", "mapreduce.job.output.key.comparator.class=org.apache.hadoop.mapred.lib.KeyFieldBasedComparator", "mapreduce.partition.keycomparator.options=-n"), "2\t1\n10\t5\n2.0\t1\n", "2\t2\n10\t5\n"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &job{Options: c.options, inputs: []string{c.in}}
			got, err := j.run(t)
			if err != nil {
				t.Fatalf("%v\n%s", err, j.log.String())
			}
			if diff := cmp.Diff(c.want, got[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	exit := func(n int) func(error) bool {
		return func(err error) bool { return errors.Is(err, process.ErrExit) && Code(err) == n }
	}
	for name, c := range map[string]struct {
		mapper, combiner, reducer string
		conf                      []string
		change                    func(*mapreduce.Task)
		want                      func(error) bool
		text                      string
	}{
		"mapper":                {mapper: `sh -c "cat; exit 3"`, want: exit(3), text: "mapper sh -c"},
		"reducer":               {reducer: `sh -c "exit 66"`, want: exit(66), text: "reducer sh"},
		"combiner":              {combiner: `sh -c "cat >/dev/null; exit 5"`, want: exit(5), text: "combiner sh"},
		"reducer without input": {mapper: "true", reducer: `sh -c "exit 67"`, want: exit(67)},
		"any exit":              {mapper: `sh -c "cat; exit 3"`, conf: []string{"stream.non.zero.exit.is.failure=false"}, want: func(err error) bool { return err == nil }},
		"no such mapper":        {mapper: "no-such-program", want: func(err error) bool { return Code(err) == 1 }, text: "no-such-program"},
		"silence":               {mapper: "sleep 1000", conf: []string{"mapreduce.task.timeout=100"}, want: func(err error) bool { return errors.Is(err, process.ErrSilent) }},
		"no number":             {reducer: "builtin:sum", want: func(err error) bool { return Code(err) == 1 }, text: `"x" is no whole number`},
		"aggregate of nothing":  {reducer: "aggregate", want: func(err error) bool { return Code(err) == 1 }, text: "type"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.mapper == "" {
				c.mapper = "cat"
			}
			o := streamed(c.mapper, c.reducer, c.conf...)
			o.Combiner = c.combiner
			_, err := (&job{Options: o, inputs: []string{"a\tx\n"}, change: c.change}).run(t)
			if !c.want(err) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A combiner that fails while it is still being fed is told by its exit code.
func TestCombinerFailsAtOnce(t *testing.T) {
	in := text(1, 20_000)
	for range 20 {
		o := streamed("cat", "cat")
		o.Combiner = `sh -c "exec 0<&-; exit 5"`
		j := &job{Options: o, inputs: []string{in}, change: func(task *mapreduce.Task) { task.Memory = 1 << 20 }}
		if _, err := j.run(t); Code(err) != 5 {
			t.Fatal(err)
		}
	}
}

// A damaged segment is an error, with its name.
func TestDamagedSegment(t *testing.T) {
	j := &job{Options: streamed("cat", "cat"), inputs: []string{text(1, 1000)}}
	j.change = func(task *mapreduce.Task) {
		if task.Kind == mapreduce.KindReduce {
			task.Maps = 1
		}
	}
	j.place = func(dir string) {
		path := filepath.Join(dir, mapreduce.InName(0))
		if data, err := os.ReadFile(path); err == nil {
			data[len(data)/2] ^= 4
			write(t, path, string(data))
		}
	}
	if _, err := j.run(t); err == nil || !strings.Contains(err.Error(), "in/00000") || Code(err) != 1 {
		t.Error(err)
	}
}

// Compressed input, positions, compressed and lazy output.
func TestFormats(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, "b\na\n")
	z.Close()
	j := &job{Options: streamed("cat", "cat", "mapreduce.output.fileoutputformat.compress=true",
		"mapreduce.output.fileoutputformat.compress.codec=org.apache.hadoop.io.compress.GzipCodec"), inputs: []string{packed.String()}}
	j.change = func(task *mapreduce.Task) {
		if task.Kind == mapreduce.KindMap {
			task.Stdin[0].Codec = "gzip"
		}
	}
	parts, err := j.run(t)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(strings.NewReader(parts[0]))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(unpacked); err != nil || string(data) != "a\t\nb\t\n" {
		t.Errorf("%q, %v", data, err)
	}

	lead := binary.BigEndian.AppendUint64(nil, 105)
	j = &job{Options: streamed("", ""), inputs: []string{string(lead) + "x\ny\n"}}
	j.change = func(task *mapreduce.Task) {
		if task.Kind == mapreduce.KindMap {
			task.Stdin[0].Lead, task.Stdin[0].Start = true, 100
		}
	}
	if parts, err := j.run(t); err != nil || parts[0] != "105\tx\n107\ty\n" {
		t.Errorf("%q, %v", parts, err)
	}

	j = &job{Options: streamed("cat", "cat"), inputs: []string{"a\n"}}
	j.Reducers, j.Lazy = 2, true
	if parts, err := j.run(t); err != nil || !slices.Equal(parts, []string{"a\t\n", "none"}) {
		t.Errorf("%q, %v", parts, err)
	}
}

// A sample's boundaries part the output evenly, and maps keep to them.
func TestRange(t *testing.T) {
	var in strings.Builder
	random := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		fmt.Fprintf(&in, "%08x\tx\n", random.Uint32())
	}
	o := streamed("cat", "cat")
	o.Partitioner, o.Reducers = "range", 4
	var boundaries string
	j := &job{Options: o, inputs: []string{in.String()}}
	dir, err := j.task(t, mapreduce.Task{Kind: mapreduce.KindSample, Stdin: []mapreduce.Source{{File: "in/0"}}}, strings.NewReader(in.String()[:50_000*len("xxxxxxxx\tx\n")/25]), nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, mapreduce.BoundariesFile))
	if err != nil {
		t.Fatal(err)
	}
	boundaries = string(data)
	if keys, err := mapreduce.DecodeBoundaries(data); err != nil || len(keys) != 3 || !slices.IsSortedFunc(keys, bytes.Compare) {
		t.Fatalf("%q, %v", keys, err)
	}
	j.change = func(task *mapreduce.Task) { task.Boundaries = task.Kind == mapreduce.KindMap }
	j.place = func(dir string) { write(t, filepath.Join(dir, mapreduce.BoundariesFile), boundaries) }
	parts, err := j.run(t)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(in.String(), "\n")
	lines = lines[:len(lines)-1]
	slices.Sort(lines)
	if strings.Join(parts, "") != strings.Join(lines, "") {
		t.Error("the parts one after another are not the sorted input")
	}
	for i, p := range parts {
		if n := strings.Count(p, "\n"); n < 4000 || n > 6000 {
			t.Errorf("part %d has %d of 20000 records", i, n)
		}
	}
}
