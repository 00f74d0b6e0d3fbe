package mapreduce

import (
	"bytes"
	"fmt"
	"io"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// shuffle is a reduce's input: the segments of all maps, merged.
type shuffle struct {
	a      *attempt
	merge  *segment.Merge
	key    []byte
	values []byte // of key, that have not been handed out
	last   []byte // the group's key
	groups int64
	count  int64
}

// openShuffle starts to merge the segments of the maps, in the order of the maps.
func (a *attempt) openShuffle() (*shuffle, error) {
	inputs := make([]segment.Input, 0, a.task.Maps)
	var size, some int64
	for m := range a.task.Maps {
		path := a.path(mapreduce.InName(m))
		length, err := segment.Size(path)
		if err != nil {
			return nil, fmt.Errorf("output of map %d: %w", m, err)
		}
		if length > 0 {
			inputs = append(inputs, segment.Input{Path: path, Size: length})
			size += length
			some++
		}
	}
	watch := startWatch()
	m, err := segment.Options{Compare: a.compare(), Memory: a.task.Memory, Files: mergeFiles, Dir: a.path(mapreduce.SpillDir)}.Open(inputs)
	if err != nil {
		return nil, err
	}
	a.facts.took(mapreduce.PartSort, watch.usage())
	a.facts.count(mapreduce.ReduceShuffleBytes, size)
	a.facts.count(mapreduce.ShuffledMaps, int64(a.task.Maps))
	a.facts.count(mapreduce.MergedMapOutputs, some)
	if m.Spilled > 0 {
		a.facts.add(mapreduce.GroupFiles, mapreduce.SpillWritten, m.Spilled)
	}
	return &shuffle{a: a, merge: m}, nil
}

// next gives the next record, good until the next call; ok is false at the end.
// fresh says that it begins a group.
func (s *shuffle) next() (key, value []byte, fresh, ok bool, err error) {
	for len(s.values) == 0 {
		if s.key, s.values, err = s.merge.Next(); err != nil || s.values == nil {
			return nil, nil, false, false, err
		}
		if s.groups == 0 || !bytes.Equal(s.last, s.key) {
			s.groups++
			s.last = append(s.last[:0], s.key...)
			fresh = true
		}
	}
	s.count++
	value, s.values, err = segment.Value(s.values)
	if size := len(s.key) + len(value); s.a.large.worth(size) {
		s.a.large.see(int64(size), func() string { return fmt.Sprintf("record %d of the reducer's input", s.count) })
	}
	return s.key, value, fresh, err == nil, err
}

// Close ends the merge.
func (s *shuffle) Close() error { return s.merge.Close() }

// runReduce runs a reduce.
func (a *attempt) runReduce() (err error) {
	s, err := a.openShuffle()
	if err != nil {
		return err
	}
	defer closing(&err, s)
	out, err := a.newOutput()
	if err != nil {
		return err
	}
	if err := a.reduceInto(s, out); err != nil {
		out.Close()
		return err
	}
	a.facts.count(mapreduce.ReduceInputRecords, s.count)
	a.facts.count(mapreduce.ReduceInputGroups, s.groups)
	if a.config.Reducer.Builtin != "" {
		a.facts.rest(mapreduce.PartBuiltin)
	} else {
		a.facts.rest(mapreduce.PartSort)
	}
	return a.finishOutput(out, mapreduce.ReduceOutputRecords)
}

// reduceInto runs the reducer over the shuffle.
func (a *attempt) reduceInto(s *shuffle, out *output) error {
	cmd := a.config.Reducer
	switch {
	case cmd.Builtin != "":
		return a.builtinReduce(s, cmd, out)
	case a.skip:
		return a.skipReduce(s, out)
	case s.merge.Records == 0: // it runs, for its exit code counts, but what it writes and reports does not
		p := a.program(cmd)
		p.Join, p.Report = true, func(streaming.Said) {}
		return a.run("reducer", p, func(io.Writer) error { return nil }, func([]byte) error { return nil })
	}
	return a.pipe("reducer", cmd, func(w io.Writer) error { return unlessPipe("merge", s.feed(w)) }, a.reduceLine(out))
}

// reduceLine takes the reducer's lines.
func (a *attempt) reduceLine(out *output) func([]byte) error {
	fields := a.config.ReduceOutput
	return func(line []byte) error { return out.Put(fields.Split(line)) }
}

// feed writes what the reducer reads.
func (s *shuffle) feed(w io.Writer) error {
	p := pairs{to: w, separator: s.a.config.ReduceSeparator}
	for {
		key, value, _, ok, err := s.next()
		if err != nil {
			return err
		}
		if !ok {
			return p.flush()
		}
		if err := p.put(key, value); err != nil {
			return err
		}
	}
}

// builtinReduce is one of our operations in a reducer's place.
func (a *attempt) builtinReduce(s *shuffle, cmd streaming.Command, out *output) (err error) {
	if cmd.Builtin == streaming.BuiltinIdentity || cmd.Builtin == mapreduce.BuiltinSort {
		for {
			key, value, _, ok, err := s.next()
			if err != nil || !ok {
				return err
			}
			if err := out.Put(key, value); err != nil {
				return err
			}
		}
	}
	g, err := a.newGroups(cmd, false, out.Put)
	if err != nil {
		return err
	}
	if a.skip {
		g.refusals = &refusals{a: a}
		defer closing(&err, g.refusals)
	}
	for {
		key, value, _, ok, err := s.next()
		if err != nil {
			return err
		}
		if !ok {
			return g.end()
		}
		if err := g.add(key, value); err != nil {
			return err
		}
	}
}
