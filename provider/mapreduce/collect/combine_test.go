package collect

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// adding is a combiner that adds up the numbers of each key; given decides how what
// comes of it is emitted.
func adding(calls *int, given func(sums []record, emit func(key, value []byte) error) error) func(*Run, func(key, value []byte) error) error {
	return func(run *Run, emit func(key, value []byte) error) error {
		*calls++
		var sums []record
		for {
			key, value, ok, err := run.Next()
			if err != nil {
				return err
			}
			if !ok {
				return given(sums, emit)
			}
			n, err := strconv.Atoi(string(value))
			if err != nil {
				return err
			}
			if last := len(sums) - 1; last >= 0 && sums[last].Key == string(key) {
				before, _ := strconv.Atoi(sums[last].Value)
				sums[last].Value = strconv.Itoa(before + n)
			} else {
				sums = append(sums, record{string(key), string(value)})
			}
		}
	}
}

func inOrder(sums []record, emit func(key, value []byte) error) error {
	for _, r := range sums {
		if err := emit([]byte(r.Key), []byte(r.Value)); err != nil {
			return err
		}
	}
	return nil
}

// TestMergeCombine: a combiner sees at the end what several runs have of a key, where
// there are enough of them, and each key is left with one record. What it emits out of
// order, or for another reducer, makes no difference: then the runs are merged as they are.
func TestMergeCombine(t *testing.T) {
	records := words(7, 60_000, 3000)
	for i := range records {
		records[i].Value = "1"
	}
	backwards := func(a, b []byte) int { return bytes.Compare(b, a) }
	keys := map[string]bool{}
	for _, r := range records {
		keys[r.Key] = true
	}
	for name, c := range map[string]struct {
		least   int
		compare func(a, b []byte) int
		given   func(sums []record, emit func(key, value []byte) error) error
		merged  bool
	}{
		"never":      {0, nil, inOrder, false},
		"too few":    {1000, nil, inOrder, false},
		"enough":     {3, nil, inOrder, true},
		"comparator": {3, backwards, inOrder, true},
		"nothing":    {3, nil, func([]record, func(key, value []byte) error) error { return nil }, true},
		"backwards": {3, nil, func(sums []record, emit func(key, value []byte) error) error {
			slices.Reverse(sums)
			return inOrder(sums, emit)
		}, false},
		"elsewhere": {3, nil, func(sums []record, emit func(key, value []byte) error) error {
			for i := range sums {
				sums[i].Key = "a" + sums[i].Key
			}
			return inOrder(sums, emit)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			o := Options{Reducers: 3, Memory: 400_000, Files: 10, Partition: byLength(3), Compare: c.compare, Combine: adding(&calls, c.given)}
			_, plain, before := collected(t, o, records)
			spills := calls
			o.MergeCombine = c.least
			got, files, stats := collected(t, o, records)
			more := calls - 2*spills
			if want := c.least == 3 && before.Runs >= 3; spills < 3 || more != map[bool]int{true: 1}[want] {
				t.Fatalf("%d combiners at %d spills of %d runs", calls-spills, spills, before.Runs)
			}
			if !c.merged || name == "nothing" {
				if diff := cmp.Diff(plain, files); diff != "" {
					t.Error("the output changed")
				}
				return
			}
			seen, total := map[string]bool{}, 0
			for p, rs := range got {
				for i, r := range rs {
					n, err := strconv.Atoi(r.Value)
					if total += n; err != nil || seen[r.Key] || o.Partition([]byte(r.Key)) != p {
						t.Fatalf("%v in part %d", r, p)
					}
					order := bytes.Compare
					if c.compare != nil {
						order = c.compare
					}
					if i > 0 && order([]byte(rs[i-1].Key), []byte(r.Key)) >= 0 {
						t.Fatalf("%q after %q", r.Key, rs[i-1].Key)
					}
					seen[r.Key] = true
				}
			}
			if len(seen) != len(keys) || total != len(records) {
				t.Errorf("%d keys of %d, sum %d of %d", len(seen), len(keys), total, len(records))
			}
			if stats.CombineIn <= before.CombineIn || stats.CombineOut != before.CombineOut+uint64(len(keys)) || stats.SegmentBytes >= before.SegmentBytes {
				t.Errorf("before %+v, then %+v", before, stats)
			}
		})
	}
}

// TestMergeCombineFails: a combiner's own failure at the merge is the Collector's.
func TestMergeCombineFails(t *testing.T) {
	broken := errors.New("broken")
	calls, spills := 0, 1<<30
	o := Options{Reducers: 2, Memory: 400_000, Files: 10, Partition: byLength(2), MergeCombine: 3, Dir: t.TempDir()}
	o.Combine = adding(&calls, func(sums []record, emit func(key, value []byte) error) error {
		if calls > spills {
			return broken
		}
		return inOrder(sums, emit)
	})
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, r := range words(7, 60_000, 3000) {
		if err := c.Add([]byte(r.Key), strconv.AppendInt(nil, int64(i), 10)); err != nil {
			t.Fatal(err)
		}
	}
	spills = calls + 1 // and the rest of memory
	dir := t.TempDir()
	if err := c.Finish(func(r int) string { return dir + "/" + strconv.Itoa(r) }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
