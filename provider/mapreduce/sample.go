package mapreduce

import (
	"fmt"
	"os"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/provider/mapreduce/collect"
	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// keysOnly takes keys, and no values.
type keysOnly struct{ *collect.Collector }

// Put implements sink.
func (k keysOnly) Put(key, _ []byte) error { return k.Add(key, nil) }

// runSample runs the mapper over a little of the input and writes the keys that
// part its output evenly among the reducers.
func (a *attempt) runSample() (err error) {
	s, err := a.openSplit()
	if err != nil {
		return err
	}
	c, err := collect.New(collect.Options{Reducers: 1, Compare: a.compare(), Memory: a.task.Memory, Files: mergeFiles, Dir: a.path(mapreduce.SpillDir)})
	if err != nil {
		return err
	}
	defer closing(&err, c)
	if err := a.mapInto(s, keysOnly{c}); err != nil {
		return err
	}
	sorted := a.path(mapreduce.SpillDir + "/sample")
	if err := os.MkdirAll(a.path(mapreduce.SpillDir), 0o755); err != nil {
		return err
	}
	if err := c.Finish(func(int) string { return sorted }); err != nil {
		return err
	}
	keys, err := a.quantiles(sorted)
	if err != nil {
		return err
	}
	return os.WriteFile(a.path(mapreduce.BoundariesFile), mapreduce.EncodeBoundaries(keys), 0o644)
}

// quantiles are the keys at equal distances in a sorted file, one less than there are
// reducers, or fewer where there are not so many keys.
func (a *attempt) quantiles(path string) (keys [][]byte, err error) {
	m, err := segment.Options{Compare: a.compare(), Memory: a.task.Memory, Files: mergeFiles, Dir: a.path(mapreduce.SpillDir)}.Open([]segment.Input{{Path: path, Size: -1}})
	if err != nil {
		return nil, err
	}
	defer closing(&err, m)
	reducers := uint64(a.task.Reducers)
	size := 0
	for seen, next := uint64(0), uint64(1); next < reducers; {
		key, payload, err := m.Next()
		if err != nil || payload == nil {
			return keys, err
		}
		n, err := segment.Count(payload)
		if err != nil {
			return nil, err
		}
		seen += uint64(n)
		if seen <= next*m.Records/reducers {
			continue
		}
		for next < reducers && seen > next*m.Records/reducers {
			next++
		}
		if len(keys) > 0 && a.config.Comparator.Compare(keys[len(keys)-1], key) == 0 {
			continue
		}
		if size += 4 + len(key); size > mapreduce.MaxBoundaries {
			return nil, fmt.Errorf("the boundaries of %d reducers have more than %d bytes: the keys are too long", reducers, mapreduce.MaxBoundaries)
		}
		keys = append(keys, append([]byte{}, key...))
	}
	return keys, nil
}
