package mapreduce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

const brittle = `
{ print "reporter:counter:test,lines,1" > "/dev/stderr" }
/bad/ { exit 9 }
{ print }
`

func skipping(mapper, reducer string, lines []string, most int) *job {
	j := &job{Options: streamed(mapper, reducer), inputs: []string{strings.Join(lines, "\n")}, files: map[string]string{"brittle.awk": brittle},
		env: []string{plan.EnvSkip + "=1"}}
	j.change = func(task *mapreduce.Task) { task.SkipBad = most }
	return j
}

// Bad records and groups are found, left out, counted and kept; only the clean run
// counts.
func TestSkip(t *testing.T) {
	lines := make([]string, 100)
	for i := range lines {
		lines[i] = fmt.Sprintf("%03d\tx", i/2)
	}
	for name, c := range map[string]struct {
		bad     []int
		most    int
		fails   bool
		mapper  string
		reducer string
		skipped int    // records or groups
		file    string // of skipped records
		counter string
	}{
		"none":          {nil, 3, false, "awk -f brittle.awk", "cat", 0, "", mapreduce.MapSkippedRecords},
		"one":           {[]int{37}, 3, false, "awk -f brittle.awk", "cat", 1, "map-00000", mapreduce.MapSkippedRecords},
		"three":         {[]int{0, 37, 99}, 3, false, "awk -f brittle.awk", "cat", 3, "map-00000", mapreduce.MapSkippedRecords},
		"four of three": {[]int{0, 37, 38, 99}, 3, true, "awk -f brittle.awk", "cat", 0, "", ""},
		"groups":        {[]int{36, 37, 98}, 2, false, "cat", "awk -f brittle.awk", 2, "reduce-00000", mapreduce.ReduceSkippedGroups},
	} {
		t.Run(name, func(t *testing.T) {
			in := append([]string{}, lines...)
			bad := map[string]bool{}
			for _, i := range c.bad {
				in[i] += " bad"
				bad[in[i][:3]] = true
			}
			j := skipping(c.mapper, c.reducer, in, c.most)
			parts, err := j.run(t)
			if c.fails {
				if !errors.Is(err, process.ErrExit) || Code(err) != 9 || !strings.Contains(err.Error(), "more than 3") {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want, skipped strings.Builder
			kept := int64(0)
			for _, line := range in {
				out := strings.Contains(line, "bad") || c.mapper == "cat" && bad[line[:3]]
				if out {
					skipped.WriteString(line + "\n")
				} else {
					want.WriteString(line + "\n")
					kept++
				}
			}
			if diff := cmp.Diff(want.String(), parts[0]); diff != "" {
				t.Error(diff)
			}
			if j.facts[c.counter] != int64(c.skipped) || j.facts["test,lines"] != kept {
				t.Errorf("%v", j.facts)
			}
			dir := j.dirs[0]
			if strings.HasPrefix(c.file, "reduce") {
				dir = j.dirs[1]
			}
			data, err := os.ReadFile(filepath.Join(dir, mapreduce.SkippedDir, c.file))
			if c.file != "" && (err != nil || string(data) != skipped.String()) {
				t.Errorf("skipped %q, %v", data, err)
			}
		})
	}
}

// A program that fails on no single record is not helped.
func TestSkipHopeless(t *testing.T) {
	for mapper, text := range map[string]string{
		"false": "more than", // even on nothing
		`sh -c 'test $(cat | tee /dev/null | wc -l) -lt 4'`: "neither half",
	} {
		if _, err := skipping(mapper, "cat", []string{"a", "b", "c", "d"}, 2).run(t); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", mapper, err)
		}
	}
}
