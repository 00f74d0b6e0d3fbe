package mapreduce

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/collect"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

// sink takes what a mapper emits.
type sink interface {
	// Put takes a record; key and value are the caller's again afterwards.
	Put(key, value []byte) error
}

// runMap runs a map.
func (a *attempt) runMap() error {
	s, err := a.openSplit()
	if err != nil {
		return err
	}
	if a.task.Reducers == 0 {
		out, err := a.newOutput()
		if err != nil {
			return err
		}
		if err := a.mapInto(s, out); err != nil {
			out.Close()
			return err
		}
		a.facts.rest(a.mapPart())
		return a.finishOutput(out, mapreduce.MapOutputRecords)
	}
	return a.mapSorted(s)
}

// mapPart is the part of the work that our own time goes to.
func (a *attempt) mapPart() string {
	if a.config.Mapper.Builtin != "" {
		return mapreduce.PartBuiltin
	}
	return mapreduce.PartHash
}

// mapSorted runs the mapper and writes a segment for each reducer.
func (a *attempt) mapSorted(s *split) (err error) {
	options, err := a.collecting()
	if err != nil {
		return err
	}
	c, err := collect.New(options)
	if err != nil {
		return err
	}
	defer closing(&err, c)
	if err := a.mapInto(s, collected{c}); err != nil {
		return err
	}
	if err := c.Finish(func(r int) string { return a.path(mapreduce.SegmentName(r)) }); err != nil {
		return err
	}
	stats := c.Stats()
	for name, n := range map[string]uint64{
		mapreduce.MapOutputRecords: stats.Records, mapreduce.MapOutputBytes: stats.Bytes, mapreduce.MapOutputFileBytes: uint64(stats.SegmentBytes),
		mapreduce.SpilledRecords: stats.Spilled, mapreduce.CombineInput: stats.CombineIn, mapreduce.CombineOutput: stats.CombineOut,
	} {
		a.facts.count(name, int64(n))
	}
	a.facts.add(mapreduce.GroupFiles, mapreduce.SpillWritten, stats.SpillBytes+stats.SegmentBytes)
	a.facts.took(mapreduce.PartSort, process.Usage(stats.Sort))
	a.facts.took(mapreduce.PartSpill, process.Usage(stats.Write))
	a.facts.rest(a.mapPart())
	return nil
}

// collected is a Collector as a sink.
type collected struct{ *collect.Collector }

// Put implements sink.
func (c collected) Put(key, value []byte) error { return c.Add(key, value) }

// mapInto runs the mapper over a split.
func (a *attempt) mapInto(s *split, to sink) error {
	var records int64
	var err error
	switch {
	case a.config.Mapper.Builtin != "":
		records, err = a.builtinMap(s, to)
	case a.skip:
		records, err = a.skipMap(s, to)
	default:
		// Where the mapper fails, the split may still be long in coming.
		err = a.run("mapper", a.program(a.config.Mapper), func(w io.Writer) (err error) {
			records, err = s.feed(a.config.Input, w)
			return unlessPipe("read the split", err)
		}, a.mapLine(to))
	}
	if err != nil {
		return err
	}
	a.facts.count(mapreduce.MapInputRecords, records)
	a.facts.add(mapreduce.GroupInput, mapreduce.BytesRead, s.raw.n)
	return nil
}

// unlessPipe says what failed, where it was not the pipe to the program.
func unlessPipe(what string, err error) error {
	if err == nil || errors.Is(err, process.ErrBrokenPipe) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// mapLine takes the mapper's lines.
func (a *attempt) mapLine(to sink) func([]byte) error {
	fields := a.config.MapOutput
	return func(line []byte) error { return to.Put(fields.Split(line)) }
}

// collecting says how the mapper's output is collected.
func (a *attempt) collecting() (collect.Options, error) {
	o := collect.Options{Reducers: a.task.Reducers, Compare: a.compare(), Memory: a.task.Memory, Files: mergeFiles, Dir: a.path(mapreduce.SpillDir)}
	partitioner := a.config.Partitioner
	if a.task.Boundaries {
		data, err := os.ReadFile(a.path(mapreduce.BoundariesFile))
		if err != nil {
			return o, err
		}
		if partitioner.Boundaries, err = mapreduce.DecodeBoundaries(data); err != nil {
			return o, fmt.Errorf("%s: %w", mapreduce.BoundariesFile, err)
		}
	}
	o.Partition = func(key []byte) int { return partitioner.Partition(key, a.task.Reducers) }
	// What the reducer will add up is added up here already, combiner or not.
	combiner := a.config.Combiner
	if combiner.None() && sums(a.config.Reducer) {
		combiner = a.config.Reducer
	}
	switch {
	case a.skip && !(sums(combiner) && o.Compare == nil): // what is no number is passed on
	case combiner.None() || combiner.Builtin == streaming.BuiltinIdentity:
	case sums(combiner) && o.Compare == nil:
		o.Sum = true
	default:
		o.Combine, o.MergeCombine = a.combine(combiner), a.config.CombineSpills
	}
	return o, nil
}

// sums says whether a command adds up a key's values.
func sums(c streaming.Command) bool {
	return c.Builtin == streaming.BuiltinSum || c.Builtin == mapreduce.BuiltinWordCount
}
