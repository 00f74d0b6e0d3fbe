package mapreduce

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

// An operation of ours leaves out what it refuses, value by value or with a whole key;
// a combiner, ours or a program, does not stand in the way.
func TestSkipRefused(t *testing.T) {
	numeric := []string{"mapreduce.job.output.key.comparator.class=org.apache.hadoop.mapred.lib.KeyFieldBasedComparator", "mapreduce.partition.keycomparator.options=-n"}
	for name, c := range map[string]struct {
		reducer, combiner string
		conf              []string
		in                string
		want, skipped     string
		records, groups   int64
		most              int
		text              string // of the error
	}{
		"nothing":               {reducer: "builtin:sum", in: "a\t1\na\t2\n", want: "a\t3\n", most: 1},
		"values":                {reducer: "builtin:sum", in: "a\t1\na\tx\nb\t2\na\t2\na\t\n", want: "a\t3\nb\t2\n", skipped: "a\tx\na\t\n", records: 2, most: 2},
		"too many values":       {reducer: "builtin:sum", in: "a\tx\nb\t2\na\t\n", most: 1, text: `more than 1 bad records, the last with: key "a": sum: "" is no whole number`},
		"all values of a key":   {reducer: "builtin:sum", in: "a\tx\nb\t2\na\t\n", want: "b\t2\n", skipped: "a\tx\na\t\n", records: 2, groups: 1, most: 2},
		"with a combiner":       {reducer: "builtin:sum", combiner: "builtin:sum", conf: numeric, in: "1\t1\n1.0\tx\n2\t2\n", want: "1\t1\n2\t2\n", skipped: "1.0\tx\n", records: 1, most: 1},
		"with its own combiner": {reducer: "aggregate", in: "LongValueSum:a\t1\nLongValueSum:a\tx\nLongValueSum:a\t2\n", want: "a\t3\n", skipped: "LongValueSum:a\tx\n", records: 1, most: 1},
		"a key":                 {reducer: "aggregate", in: "Odd:a\t1\nLongValueSum:b\t2\nOdd:a\t2\nnone\t1\n", want: "b\t2\n", skipped: "Odd:a\t1\nOdd:a\t2\nnone\t1\n", records: 3, groups: 2, most: 2},
		"too many keys":         {reducer: "aggregate", in: "Odd:a\t1\nnone\t1\n", most: 1, text: "more than 1 bad records"},
		"a program as combiner": {reducer: "builtin:sum", combiner: "awk -f brittle.awk", in: "a\t1\na\tbad\n", want: "a\t1\n", skipped: "a\tbad\n", records: 1, most: 1},
	} {
		t.Run(name, func(t *testing.T) {
			j := skipping("cat", c.reducer, nil, c.most)
			j.Conf, j.Combiner, j.inputs = streamed("", "", c.conf...).Conf, c.combiner, []string{c.in}
			parts, err := j.run(t)
			if c.text != "" {
				if err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, j.log.String())
			}
			if diff := cmp.Diff(c.want, parts[0]); diff != "" {
				t.Error(diff)
			}
			data, err := os.ReadFile(filepath.Join(j.dirs[1], mapreduce.SkippedName(mapreduce.KindReduce, 0)))
			if string(data) != c.skipped || (err == nil) != (c.skipped != "") {
				t.Errorf("skipped %q, %v; want %q", data, err, c.skipped)
			}
			if r, g := j.facts[mapreduce.ReduceSkippedRecords], j.facts[mapreduce.ReduceSkippedGroups]; r != c.records || g != c.groups {
				t.Errorf("%d records and %d groups skipped, want %d and %d", r, g, c.records, c.groups)
			}
		})
	}
}

// Where a program is the reducer too, its combiner does not keep skipping from helping.
func TestSkipPastCombiner(t *testing.T) {
	j := skipping("cat", "awk -f brittle.awk", []string{"a\t1", "b\tbad", "c\t3"}, 1)
	j.Combiner = "awk -f brittle.awk"
	j.env = nil
	if _, err := j.run(t); !errors.Is(err, process.ErrExit) || !strings.Contains(err.Error(), "combiner") {
		t.Errorf("without skipping: %v", err)
	}
	j = skipping("cat", "awk -f brittle.awk", []string{"a\t1", "b\tbad", "c\t3"}, 1)
	j.Options = streaming.Options{Mapper: "cat", Combiner: "awk -f brittle.awk", Reducer: "awk -f brittle.awk", Reducers: 1}
	if parts, err := j.run(t); err != nil || parts[0] != "a\t1\nc\t3\n" || j.facts[mapreduce.ReduceSkippedGroups] != 1 {
		t.Errorf("skipping: %q %v %v", parts, err, j.facts)
	}
}
