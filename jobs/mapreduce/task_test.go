package mapreduce_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/spec"
)

// told is a valid map task.
func told(t testing.TB) mapreduce.Task {
	_, told := task(t, graph(t, "mapreduce: {mapper: cat, files: [map.py], archives: [lib.tar.gz], reducers: 2}", file("a", 100)), "map-00000")
	return told
}

func TestTaskRoundTrip(t *testing.T) {
	before := told(t)
	data, err := before.Encode()
	if err != nil {
		t.Fatal(err)
	}
	after, err := mapreduce.DecodeTask(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	for name, text := range map[string]string{
		"unknown field": strings.Replace(string(data), `"Kind"`, `"Sort"`, 1),
		"two values":    string(data) + "{}",
		"cut short":     string(data[:len(data)-2]),
		"too long":      string(data) + strings.Repeat(" ", mapreduce.MaxTask),
		"nothing":       "",
	} {
		if _, err := mapreduce.DecodeTask([]byte(text)); !errors.Is(err, mapreduce.ErrTask) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTaskBounds(t *testing.T) {
	if err := told(t).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, mutate := range map[string]func(*mapreduce.Task){
		"kind":                       func(t *mapreduce.Task) { t.Kind = "shuffle" },
		"too many maps":              func(t *mapreduce.Task) { t.Maps = mapreduce.MaxMaps + 1 },
		"negative maps":              func(t *mapreduce.Task) { t.Maps = -1 },
		"too many reducers":          func(t *mapreduce.Task) { t.Reducers = mapreduce.MaxReducers + 1 },
		"number":                     func(t *mapreduce.Task) { t.Number = t.Maps },
		"negative number":            func(t *mapreduce.Task) { t.Number = -1 },
		"memory":                     func(t *mapreduce.Task) { t.Memory = -1 },
		"skip":                       func(t *mapreduce.Task) { t.SkipBad = -1 },
		"map without a source":       func(t *mapreduce.Task) { t.Stdin = nil },
		"map with two sources":       func(t *mapreduce.Task) { t.Stdin = append(t.Stdin, t.Stdin[0]) },
		"reduce with a source":       func(t *mapreduce.Task) { t.Kind = mapreduce.KindReduce },
		"reduce with boundaries":     func(t *mapreduce.Task) { t.Kind, t.Stdin, t.Boundaries = mapreduce.KindReduce, nil, true },
		"map output before reducers": func(t *mapreduce.Task) { t.Output = "part-00000" },
		"output elsewhere":           func(t *mapreduce.Task) { t.Reducers, t.Output = 0, "../x" },
		"output in a folder":         func(t *mapreduce.Task) { t.Reducers, t.Output = 0, "a/b" },
		"negative start":             func(t *mapreduce.Task) { t.Stdin[0].Start = -1 },
		"endless source":             func(t *mapreduce.Task) { t.Stdin[0].Start, t.Stdin[0].Length = 1, 1<<63-1 },
		"codec in the middle":        func(t *mapreduce.Task) { t.Stdin[0].Start, t.Stdin[0].Codec = 1, "gzip" },
		"codec and position":         func(t *mapreduce.Task) { t.Stdin[0].Lead, t.Stdin[0].Codec = true, "gzip" },
		"long name":                  func(t *mapreduce.Task) { t.Stdin[0].File = strings.Repeat("x", mapreduce.MaxPath+1) },
		"file elsewhere":             func(t *mapreduce.Task) { t.Files[0] = "../x" },
		"absolute file":              func(t *mapreduce.Task) { t.Files[0] = "/x" },
		"archive elsewhere":          func(t *mapreduce.Task) { t.Archives[0].File = "a/b" },
		"archive's folder elsewhere": func(t *mapreduce.Task) { t.Archives[0].Folder = "a/../../b" },
	} {
		one := told(t)
		mutate(&one)
		if err := one.Validate(); !errors.Is(err, mapreduce.ErrTask) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestBoundaries(t *testing.T) {
	for _, keys := range [][][]byte{nil, {{}}, {[]byte("a"), {}, {0, 255, 10}, bytes.Repeat([]byte("x"), 1<<20)}} {
		got, err := mapreduce.DecodeBoundaries(mapreduce.EncodeBoundaries(keys))
		if err != nil || len(got) != len(keys) {
			t.Fatalf("%d of %d keys, %v", len(got), len(keys), err)
		}
		for i := range keys {
			if !bytes.Equal(got[i], keys[i]) {
				t.Errorf("key %d differs", i)
			}
		}
	}
	for name, data := range map[string][]byte{
		"no length": {0, 0, 1}, "short": {0, 0, 0, 2, 1}, "huge": {255, 255, 255, 255, 1},
		"too many": make([]byte, 4*mapreduce.MaxReducers),
	} {
		if _, err := mapreduce.DecodeBoundaries(data); !errors.Is(err, mapreduce.ErrTask) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzTask(f *testing.F) {
	data, err := told(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		one, err := mapreduce.DecodeTask(data)
		if err != nil {
			return
		}
		text, err := one.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := mapreduce.DecodeTask(text)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := again.Encode(); err != nil || !bytes.Equal(same, text) {
			t.Fatalf("%v: %s became %s", err, text, same)
		}
	})
}

func FuzzBoundaries(f *testing.F) {
	f.Add(mapreduce.EncodeBoundaries([][]byte{[]byte("a"), {}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := mapreduce.DecodeBoundaries(data)
		if err == nil && !bytes.Equal(mapreduce.EncodeBoundaries(keys), data) {
			t.Fatal("not the same bytes again")
		}
	})
}

// Positions of cuts are bounded, and a reader's error is passed on.
func TestCutsBounded(t *testing.T) {
	if _, err := mapreduce.Cuts(strings.NewReader(strings.Repeat("x\n", 100)), 1, 98); !errors.Is(err, mapreduce.ErrJob) {
		t.Errorf("got %v", err)
	}
	cuts, err := mapreduce.Cuts(strings.NewReader("a\r\nb\rc\nd"), 2, 10)
	if err != nil || !reflect.DeepEqual(cuts, []int64{5}) {
		t.Errorf("%v, %v", cuts, err)
	}
}

// What Inspect says of a job before it runs.
func TestInspect(t *testing.T) {
	info, err := mapreduce.Inspect(parse(t, "slots: 9\nmapreduce: {partitioner: range, reducers: 3, combiner: cat, conf: {no.such: 1}}",
		file("a.bz2", 100<<20), spec.Found{Path: "hdfs://nn/in/b", Size: 3 << 30, Block: 2 << 30}))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(append(info.Notes, info.Warnings...), "\n")
	for _, want := range []string{"input: 2 files, 3.1 GiB; 102 maps, 3 reducers", "combiner: cat", "partitioner range", "sampled first",
		"job.yaml:6: mapreduce.conf.no.such: has no meaning here"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in\n%s", want, all)
		}
	}
	info, err = mapreduce.Inspect(parse(t, "slots: 9", spec.Found{Path: "hdfs://nn/in/b", Size: 3 << 30, Block: 2 << 30}))
	if err != nil || !strings.Contains(strings.Join(info.Warnings, "\n"), "2 maps are fewer than 9 slots") {
		t.Errorf("%v, %v", info.Warnings, err)
	}
	info, err = mapreduce.Inspect(parse(t, "", file("b.gz", 3<<30)))
	if err != nil || !strings.Contains(strings.Join(info.Warnings, "\n"), "3.0 GiB in files that cannot be cut (the longest has 3.0 GiB)") {
		t.Errorf("%v, %v", info.Warnings, err)
	}
}
