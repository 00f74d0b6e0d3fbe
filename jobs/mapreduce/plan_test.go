package mapreduce_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/types"
)

var files = fstest.MapFS{
	"map.py":     {Data: []byte("x"), Mode: 0o644},
	"lib.tar.gz": {Data: []byte("x"), Mode: 0o644},
	"words.txt":  {Data: []byte("x"), Mode: 0o644},
}

// parse reads a job whose input was found to be found.
func parse(t testing.TB, text string, found ...spec.Found) spec.Job {
	t.Helper()
	if !strings.Contains(text, "input:") {
		text = "input: hdfs://nn/in\noutput: hdfs://nn/out\n" + text
	}
	job, err := spec.Parse("job.yaml", []byte("version: 1\nkind: mapreduce\n"+text), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	job.MapReduce.Found = found
	return job
}

func graph(t testing.TB, text string, found ...spec.Found) plan.Graph {
	t.Helper()
	g, err := mapreduce.Plan(parse(t, text, found...))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	return g
}

func file(name string, size int64) spec.Found {
	return spec.Found{Path: "hdfs://nn/in/" + name, Size: size, Block: 1 << 20, ID: 7, ModTime: 9}
}

func task(t testing.TB, g plan.Graph, name string) (plan.Task, mapreduce.Task) {
	t.Helper()
	for _, node := range g.Tasks {
		if node.Name != name {
			continue
		}
		for _, in := range node.Inputs {
			if in.Path == mapreduce.TaskFile {
				told, err := mapreduce.DecodeTask(in.Data)
				if err != nil {
					t.Fatal(err)
				}
				return node, told
			}
		}
	}
	t.Fatalf("no task %s with a task.json", name)
	return plan.Task{}, mapreduce.Task{}
}

func names(g plan.Graph) string {
	var out []string
	for _, node := range g.Tasks {
		out = append(out, node.Name)
	}
	return strings.Join(out, " ")
}

func TestGraph(t *testing.T) {
	for _, c := range []struct {
		name, text string
		found      []spec.Found
		want       string
	}{
		{"two maps", "", []spec.Found{file("a", 100)}, "map-00000 map-00001 reduce-00000"},
		{"no files", "mapreduce: {reducers: 2}", nil, "reduce-00000 reduce-00001"},
		{"no files, no reducers", "mapreduce: {reducers: 0}", nil, "reduce-00000"},
		{"map-only", "mapreduce: {reducer: NONE}", []spec.Found{file("a", 100)}, "map-00000 map-00001"},
		{"conf", "mapreduce: {conf: {mapred.reduce.tasks: 3, mapreduce.job.maps: 1}}", []spec.Found{file("a", 100)}, "map-00000 reduce-00000 reduce-00001 reduce-00002"},
		{"section before conf", "mapreduce: {maps: 1, reducers: 1, conf: {mapred.reduce.tasks: 3, mapreduce.job.maps: 9}}", []spec.Found{file("a", 100)}, "map-00000 reduce-00000"},
		{"range", "mapreduce: {partitioner: range, reducers: 2, maps: 1}", []spec.Found{file("a", 100)}, "sample map-00000 reduce-00000 reduce-00001"},
		{"range with one reducer", "mapreduce: {partitioner: range, maps: 1}", []spec.Found{file("a", 100)}, "map-00000 reduce-00000"},
		{"split", "mapreduce: {split: 40B}", []spec.Found{file("a", 100)}, "map-00000 map-00001 map-00002 reduce-00000"},
		{"compressed", "mapreduce: {maps: 9}", []spec.Found{file("a.gz", 100), file("b.zst", 200)}, "map-00000 map-00001 reduce-00000"},
	} {
		if got := names(graph(t, c.text, c.found...)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMapTask(t *testing.T) {
	g := graph(t, `mapreduce: {mapper: "map.py -v", reducers: 2, files: [map.py, "words.txt#w"], archives: ["lib.tar.gz#lib"], env: {A: b}}
resources: {memory: 64M}
name: words`, file("a", 100))
	node, told := task(t, g, "map-00001")
	if got := fmt.Sprint(node.Command, " ", node.Collect, " ", node.Keep, node.Speculate, node.SkipBad, node.Publish); got !=
		"[zennet-worker mapreduce map] [facts.json seg/ side/] true true false false" {
		t.Errorf("task: %s", got)
	}
	if want := []plan.Part{{File: "hdfs://nn/in/a", ID: 7, Size: 100, ModTime: 9, Offset: 50, Length: 50}}; !reflect.DeepEqual(node.Stdin, want) {
		t.Errorf("stdin: %+v", node.Stdin)
	}
	var in []string
	for _, i := range node.Inputs {
		in = append(in, i.Path+"="+i.File)
	}
	if got := strings.Join(in, " "); got != "work/map.py=map.py work/w=words.txt archives/00000.tar.gz=lib.tar.gz task.json=" {
		t.Errorf("inputs: %s", got)
	}
	if told.Kind != "map" || told.Number != 1 || told.Maps != 2 || told.Reducers != 2 || told.Memory != 16<<20 || told.Output != "" || told.Job != "words" ||
		told.Results != "hdfs://nn/out" || !reflect.DeepEqual(told.Files, []string{"map.py", "w"}) ||
		!reflect.DeepEqual(told.Archives, []mapreduce.Archive{{File: "00000.tar.gz", Folder: "lib"}}) || !reflect.DeepEqual(told.Config.Mapper.Args, []string{"map.py", "-v"}) {
		t.Errorf("told: %+v", told)
	}
	if got := fmt.Sprintf("%+v", told.Stdin); got != "[{File:hdfs://nn/in/a Start:50 Length:50 Codec: Lead:false}]" {
		t.Errorf("sources: %s", got)
	}
}

func TestReduceTask(t *testing.T) {
	g := graph(t, `mapreduce: {reducers: 2, conf: {mapred.output.compress: "true", mapred.output.compression.codec: org.apache.hadoop.io.compress.GzipCodec}}`, file("a", 100))
	node, told := task(t, g, "reduce-00001")
	if node.Keep || told.Output != "part-00001.gz" || !reflect.DeepEqual(node.Deliver, []plan.Delivery{{From: "out/part-00001.gz", Name: "part-00001.gz"}}) {
		t.Errorf("delivers %+v, writes %s", node.Deliver, told.Output)
	}
	want := []plan.Input{{Path: "in/00000", Task: "map-00000", From: "seg/00001", Pieces: true}, {Path: "in/00001", Task: "map-00001", From: "seg/00001", Pieces: true}}
	if !reflect.DeepEqual(node.Inputs[:2], want) {
		t.Errorf("inputs %+v", node.Inputs)
	}
	if g.Output != "hdfs://nn/out" {
		t.Errorf("output %q", g.Output)
	}
}

// What a map-only job, a lazy one, one without output and one that skips deliver.
func TestDeliveries(t *testing.T) {
	for _, c := range []struct{ name, text, task, want string }{
		{"map-only", "mapreduce: {reducers: 0}", "map-00000", "[{out/part-00000 part-00000 false}] [facts.json out/]"},
		{"lazy", "mapreduce: {lazyOutput: true}", "reduce-00000", "[{out/part-00000 part-00000 true}] [facts.json out/]"},
		{"nothing is written", "mapreduce: {conf: {mapred.output.format.class: org.apache.hadoop.mapred.lib.NullOutputFormat}}", "reduce-00000", "[] [facts.json]"},
		{"skipping map", "mapreduce: {skipBadRecords: 3}", "map-00000", "[{skipped/map-00000 _skipped/map-00000 true}] [facts.json seg/ skipped/]"},
		{"skipping reduce", "mapreduce: {skipBadRecords: 3}", "reduce-00000",
			"[{out/part-00000 part-00000 false} {skipped/reduce-00000 _skipped/reduce-00000 true}] [facts.json out/ skipped/]"},
		{"a program's map", "mapreduce: {mapper: ./m}", "map-00000", "[{side . true}] [facts.json seg/ side/]"},
		{"a program's map-only job", "mapreduce: {mapper: ./m, reducers: 0}", "map-00000", "[{out/part-00000 part-00000 false} {side . true}] [facts.json out/ side/]"},
		{"a program's reduce", "mapreduce: {reducer: ./r}", "reduce-00000", "[{out/part-00000 part-00000 false} {side . true}] [facts.json out/ side/]"},
		{"a program's combiner", "mapreduce: {combiner: ./c, skipBadRecords: 1}", "map-00000", "[{side . true} {skipped/map-00000 _skipped/map-00000 true}] [facts.json seg/ side/ skipped/]"},
	} {
		node, _ := task(t, graph(t, c.text, file("a", 100)), c.task)
		if got := fmt.Sprint(node.Deliver, " ", node.Collect); got != c.want {
			t.Errorf("%s: got %s", c.name, got)
		}
		if node.Keep != (c.name == "a program's map") {
			t.Errorf("%s: kept: %v", c.name, node.Keep)
		}
	}
	// A job without files and reducers delivers nothing, whatever its one task does.
	node, told := task(t, graph(t, "mapreduce: {reducers: 0, reducer: ./boom}"), "reduce-00000")
	if len(node.Deliver) != 0 || told.Output != "" || told.Config.Reducer.Builtin != "identity" {
		t.Errorf("delivers %v, runs %s", node.Deliver, told.Config.Reducer)
	}
}

// How a map's input comes: who decodes it, and whether positions are needed.
func TestSources(t *testing.T) {
	for _, c := range []struct {
		name, text, file, part, source string
	}{
		{"gzip", "mapreduce: {mapper: cat}", "a.gz", "whole", "gzip"},
		{"bzip2", "mapreduce: {mapper: cat}", "a.bz2", "bzip2", ""},
		{"identity", "", "a", "lead", "lead"},
		{"program that reads positions", "mapreduce: {mapper: cat, conf: {stream.map.input.ignoreKey: \"false\"}}", "a", "lead", "lead"},
		{"key and value", "mapreduce: {conf: {mapred.input.format.class: org.apache.hadoop.mapred.KeyValueTextInputFormat}}", "a", "", ""},
		{"delimiter", "mapreduce: {mapper: cat, conf: {textinputformat.record.delimiter: ab}}", "a", "ab", ""},
		{"no delimiter", "mapreduce: {mapper: cat, conf: {textinputformat.record.delimiter: ab, mapred.input.format.class: KeyValueTextInputFormat}}", "a", "", ""},
	} {
		g := graph(t, c.text, file(c.file, 1000))
		node, told := task(t, g, fmt.Sprintf("map-%05d", len(g.Tasks)-2)) // the last
		part, source := node.Stdin[0], told.Stdin[0]
		is := func(is bool, word string) string {
			if is {
				return word
			}
			return ""
		}
		if got := is(part.Whole, "whole") + part.Codec + is(part.Lead, "lead") + string(part.Delimiter); got != c.part {
			t.Errorf("%s: part is %q", c.name, got)
		}
		if got := source.Codec + is(source.Lead, "lead"); got != c.source {
			t.Errorf("%s: source is %q", c.name, got)
		}
	}
}

// The sample reads little, in many places, and every map waits for its boundaries.
func TestSample(t *testing.T) {
	found := []spec.Found{file("a", 300<<20), file("b", 0), file("c.gz", 1<<30), file("d", 100<<20)}
	g := graph(t, "mapreduce: {partitioner: range, reducers: 4, maps: 8}", found...)
	node, told := task(t, g, "sample")
	var bytes int64
	at := map[string]int{}
	for i, p := range node.Stdin {
		bytes += p.Length
		at[p.File]++
		if p.Lead || p.Limit < p.Length || told.Stdin[i].Length != p.Length {
			t.Errorf("part %+v", p)
		}
	}
	if bytes < 1<<20 || bytes > 8<<20 || at["hdfs://nn/in/a"] != 15 || at["hdfs://nn/in/d"] != 5 || len(at) != 2 {
		t.Errorf("%d bytes of %v", bytes, at)
	}
	for _, one := range g.Tasks {
		if one.Stage == "map" && !reflect.DeepEqual(one.Needs(), []string{"sample"}) {
			t.Errorf("%s needs %v", one.Name, one.Needs())
		}
	}
	node, told = task(t, graph(t, "mapreduce: {partitioner: range, reducers: 4}", file("c.gz", 1<<20), file("d.gz", 2<<20)), "sample")
	if len(node.Stdin) != 1 || node.Stdin[0].File != "hdfs://nn/in/d.gz" || !node.Stdin[0].Whole || node.Stdin[0].Limit == 0 || told.Stdin[0].Codec != "gzip" {
		t.Errorf("of compressed files: %+v", node.Stdin)
	}
	// Windows of a bzip2 file are as large as its blocks, and fewer.
	node, _ = task(t, graph(t, "mapreduce: {partitioner: range, reducers: 4, maps: 8}", file("a.bz2", 300<<20)), "sample")
	for _, p := range node.Stdin {
		if p.Length < 256<<10 || p.Limit < p.Length || p.Codec != "bzip2" {
			t.Errorf("part %+v", p)
		}
	}
	if len(node.Stdin) != 5 {
		t.Errorf("%d places in a bzip2 file", len(node.Stdin))
	}
	for _, size := range []int64{1, 2, 100, 64 << 10, 70 << 10, 1 << 20, 30 << 20} {
		node, _ = task(t, graph(t, "mapreduce: {partitioner: range, reducers: 4}", file("a", size), file("b", 0), file("c", 1)), "sample")
		if len(node.Stdin) == 0 {
			t.Errorf("of %d bytes nothing is read", size)
		}
	}
}

// What cannot be planned is refused with the line that asks for it.
func TestRefused(t *testing.T) {
	const nine = "input: hdfs://nn/in\noutput: hdfs://nn/out\nmapreduce:\n  "
	for _, c := range []struct{ text, want string }{
		{"mapper: org.example.MyMapper", "job.yaml:6: mapreduce: mapper: org.example.MyMapper is a Java class"},
		{"mapper: builtin:nothing", "job.yaml:6: mapreduce.mapper: job cannot be planned: builtin:nothing cannot be the mapper; there are grep, identity"},
		{"reducer: builtin:grep x", "job.yaml:6: mapreduce.reducer: job cannot be planned: builtin:grep cannot be the reducer"},
		{"mapper: builtin:grep", "builtin:grep takes 1 to 1 arguments, not 0"},
		{"mapper: \"builtin:grep (\"", "missing closing )"},
		{"mapper: builtin:regex (a)b 2", "builtin:regex: (a)b has no group 2"},
		{"combiner: builtin:count", "job.yaml:6: mapreduce.combiner: job cannot be planned: builtin:count cannot be the combiner"},
		{"maps: 1\n  conf:\n    a: b\n    mapreduce.job.reduces: many", "job.yaml:9: mapreduce: mapreduce.job.reduces: many is no whole number"},
		{"reducers: 10000\n  split: 1K", "job.yaml:6: mapreduce.reducers: job cannot be planned: 10000 reducers that each take the output of 977 maps"},
		{"split: 1B", "job.yaml:3: input: job cannot be planned: the input makes more than"},
	} {
		_, err := mapreduce.Plan(parse(t, nine+c.text, file("a", 1_000_000)))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "job.yaml:") {
			t.Errorf("%s: got %v", c.text, err)
		}
	}
}

// What a job computes counts for its tasks' keys; how it is run does not.
func TestKeys(t *testing.T) {
	keys := func(text string, found ...spec.Found) []types.Hash {
		list, err := graph(t, text, found...).Keys("host", nil)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := keys("mapreduce: {mapper: cat}", file("a", 100))
	if !reflect.DeepEqual(before, keys("mapreduce: {mapper: cat, speculative: false}\nslots: 9\nbudget: 3 XEN\nretry: {attempts: 9}", file("a", 100))) {
		t.Error("how it is run counts")
	}
	for _, c := range []struct {
		text  string
		found spec.Found
	}{
		{"mapreduce: {mapper: cat}", file("a", 101)},
		{"mapreduce: {mapper: cat}", file("b", 100)},
		{"mapreduce: {mapper: cat -n}", file("a", 100)},
		{"mapreduce: {mapper: cat, env: {A: b}}", file("a", 100)},
		{"mapreduce: {mapper: cat, reducer: cat}", file("a", 100)},
	} {
		after := keys(c.text, c.found)
		for i, key := range after {
			if key == before[i] {
				t.Errorf("%s: task %d has the same key", c.text, i)
			}
		}
	}
}

// large is a job of many maps and reducers.
func large(t testing.TB, maps, reducers int) spec.Job {
	found := make([]spec.Found, maps)
	for i := range found {
		found[i] = file(fmt.Sprintf("%05d", i), int64(i))
	}
	return parse(t, fmt.Sprintf("mapreduce: {mapper: cat, reducer: cat, maps: 1, reducers: %d}", reducers), found...)
}

// Ten thousand small files make ten thousand maps, and their plan is small: what
// many tasks hold is there once.
func TestLargePlan(t *testing.T) {
	job := large(t, 10_000, 2)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := mapreduce.Plan(job); err != nil {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 150<<20 {
		t.Errorf("%d MiB for a plan of 10,000 maps", allocated>>20)
	}
	g, err := mapreduce.Plan(job)
	if err != nil || len(g.Tasks) != 10_002 {
		t.Fatalf("%d tasks, %v", len(g.Tasks), err)
	}
	if first := g.Tasks[0].Stdin[0]; first.Length != 9999 {
		t.Errorf("the first map has %d bytes, not the most", first.Length)
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, size := range []struct{ maps, reducers int }{{10_000, 1}, {2000, 64}} {
		job := large(b, size.maps, size.reducers)
		b.Run(fmt.Sprintf("%dx%d", size.maps, size.reducers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g, err := mapreduce.Plan(job)
				if err != nil {
					b.Fatal(err)
				}
				if err := g.Check(); err != nil {
					b.Fatal(err)
				}
			}
		})
		g, err := mapreduce.Plan(job)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("keys-%dx%d", size.maps, size.reducers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Keys("host", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
