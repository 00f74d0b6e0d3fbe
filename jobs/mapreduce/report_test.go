package mapreduce_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce"
)

func facts(kind string, number int) mapreduce.Facts {
	f := mapreduce.Facts{Kind: kind, Number: number, Wall: 2e9, Times: []mapreduce.Time{{Part: "user", Wall: 1e9, CPU: 5e8}, {Part: "read", Wall: 5e8, CPU: 1e8}},
		Counters: []mapreduce.Counter{{Group: "Mine|", Name: "odd\n", Value: -1}}}
	switch kind {
	case mapreduce.KindMap:
		f.Counters = append(f.Counters, mapreduce.Counter{Group: mapreduce.GroupFramework, Name: mapreduce.MapInputRecords, Value: 10},
			mapreduce.Counter{Group: mapreduce.GroupFramework, Name: mapreduce.MapOutputFileBytes, Value: 2048}, mapreduce.Counter{Group: mapreduce.GroupInput, Name: mapreduce.BytesRead, Value: 100})
	case mapreduce.KindReduce:
		f.Counters = append(f.Counters, mapreduce.Counter{Group: mapreduce.GroupFramework, Name: mapreduce.ReduceInputGroups, Value: 3},
			mapreduce.Counter{Group: mapreduce.GroupFramework, Name: mapreduce.ReduceShuffleBytes, Value: 4096}, mapreduce.Counter{Group: mapreduce.GroupOutput, Name: mapreduce.BytesWritten, Value: 7})
	case mapreduce.KindSample:
		f.Counters = append(f.Counters, mapreduce.Counter{Group: mapreduce.GroupFramework, Name: mapreduce.MapInputRecords, Value: 1000})
	}
	return f
}

// Counters of committed tasks are added up, each once; the sample's records, which
// the maps read again, are not; what is missing or unsound is named.
func TestReport(t *testing.T) {
	job := parse(t, "mapreduce: {partitioner: range, reducers: 2, maps: 3}", file("a", 90))
	g, err := mapreduce.Plan(job)
	if err != nil {
		t.Fatal(err)
	}
	// sample, three maps, two reduces
	list := []mapreduce.Facts{facts("sample", 0), facts("map", 0), facts("map", 1), facts("map", 1), facts("reduce", 0), facts("reduce", 1)}
	list[2].Wall = 9e9
	read := func(i int) []byte {
		data, err := list[i].Encode()
		if err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			return data[1:] // unsound
		}
		return data // 3 says that it is map 1 and is map 2
	}
	got, err := mapreduce.Report(job, g, read)
	if err != nil || len(got) != 2 || got[0].Path != "counters.md" || got[1].Path != "mapreduce.json" {
		t.Fatalf("%v, %v", got, err)
	}
	var s mapreduce.Summary
	if err := json.Unmarshal(got[1].Data, &s); err != nil {
		t.Fatal(err)
	}
	parts := func(n float64) []mapreduce.Share {
		return []mapreduce.Share{{Part: "read", Wall: n * 0.5, CPU: n * 0.1}, {Part: "user", Wall: n, CPU: n * 0.5}}
	}
	want := mapreduce.Summary{Maps: 3, Reducers: 2, Lost: 2, Missing: []string{"map-00002", "reduce-00001"},
		Counters: []mapreduce.Group{
			{Name: "Map-Reduce Framework", Counters: []mapreduce.Count{{Name: "Map input records", Value: 20}, {Name: "Map output materialized bytes", Value: 4096},
				{Name: "Reduce input groups", Value: 3}, {Name: "Reduce shuffle bytes", Value: 4096}}},
			{Name: "File Input Format Counters", Counters: []mapreduce.Count{{Name: "Bytes Read", Value: 200}}},
			{Name: "File Output Format Counters", Counters: []mapreduce.Count{{Name: "Bytes Written", Value: 7}}},
			{Name: "Mine|", Counters: []mapreduce.Count{{Name: "odd\n", Value: -3}}},
		},
		Phases: []mapreduce.Phase{
			{Kind: "sample", Tasks: 1, Wall: 2, Longest: 2, CPU: 0.6, Parts: parts(1)},
			{Kind: "map", Tasks: 2, Wall: 11, Longest: 9, CPU: 1.2, Parts: parts(2), Read: 200, Written: 4096},
			{Kind: "reduce", Tasks: 1, Wall: 2, Longest: 2, CPU: 0.6, Parts: parts(1), Read: 4096, Written: 7},
		}}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"**Without 2 tasks**, whose counters are not there: map-00002, reduce-00001.", "| Map input records | 20 |", "| Mine\\| | |", "| odd  | -3 |",
		"| map | 2 | 11.000 | 9.000 | 1.200 | 200 bytes | 4.0 KiB |", "| reduce | user | 1.000 | 0.500 |"} {
		if !strings.Contains(string(got[0].Data), want) {
			t.Errorf("%s is not in\n%s", want, got[0].Data)
		}
	}
	again, err := mapreduce.Report(job, g, read)
	if err != nil || cmp.Diff(got, again) != "" {
		t.Error("equal facts give another report")
	}
	if _, err := mapreduce.Report(job, g, func(int) []byte { return nil }); err != nil {
		t.Errorf("without any facts: %v", err)
	}
}

func TestFactsBounds(t *testing.T) {
	long := strings.Repeat("x", mapreduce.MaxCounter+1)
	for name, mutate := range map[string]func(*mapreduce.Facts){
		"kind":             func(f *mapreduce.Facts) { f.Kind = "shuffle" },
		"number":           func(f *mapreduce.Facts) { f.Number = -1 },
		"wall":             func(f *mapreduce.Facts) { f.Wall = -1 },
		"same counter":     func(f *mapreduce.Facts) { f.Counters = append(f.Counters, f.Counters[0]) },
		"long counter":     func(f *mapreduce.Facts) { f.Counters[0].Name = long },
		"counter no text":  func(f *mapreduce.Facts) { f.Counters[0].Group = "\xff" },
		"too many":         func(f *mapreduce.Facts) { f.Counters = make([]mapreduce.Counter, mapreduce.MaxCounters+1) },
		"same part":        func(f *mapreduce.Facts) { f.Times = append(f.Times, f.Times[0]) },
		"negative time":    func(f *mapreduce.Facts) { f.Times[0].CPU = -1 },
		"long status":      func(f *mapreduce.Facts) { f.Status = strings.Repeat(long, 4) },
		"long part":        func(f *mapreduce.Facts) { f.Times[0].Part = long },
		"too many of time": func(f *mapreduce.Facts) { f.Times = make([]mapreduce.Time, 101) },
	} {
		f := facts("map", 1)
		if err := f.Validate(); err != nil {
			t.Fatal(err)
		}
		mutate(&f)
		if err := f.Validate(); !errors.Is(err, mapreduce.ErrFacts) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Facts come from strangers: none makes the report fail or panic.
func FuzzFacts(f *testing.F) {
	data, err := facts("map", 0).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	job := parse(f, "mapreduce: {maps: 1}", file("a", 90))
	g, err := mapreduce.Plan(job)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := mapreduce.Report(job, g, func(int) []byte { return data }); err != nil {
			t.Fatal(err)
		}
		one, err := mapreduce.DecodeFacts(data)
		if err != nil {
			return
		}
		text, err := one.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := mapreduce.DecodeFacts(text)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := again.Encode(); err != nil || !bytes.Equal(same, text) {
			t.Fatalf("%v: %s became %s", err, text, same)
		}
	})
}
