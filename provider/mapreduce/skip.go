package mapreduce

import (
	"errors"
	"fmt"
	"io"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/process"
)

// Skipping finds the records that make the user's program fail, and runs it
// without them. What the program reads is kept in a file, in units that may be left
// out: records of a mapper, groups of a reducer. A range of units is bad if the
// program fails on it; a bad range is halved until single units are left. In the
// end the program runs over all the others, and only that run's output counts.
//
// An attempt that may skip combines nothing: what a combiner would refuse is the
// reducer's to leave out. Operations of ours say themselves what they refuse (refuse.go).

// span is a range of units.
type span struct{ from, to int64 }

// skipper runs a program without its bad units.
type skipper struct {
	a    *attempt
	what string // "mapper"
	cmd  streaming.Command
	kept *kept
	bad  []span // single units, in order
	last error  // what the program failed with
}

// skipMap runs the mapper over a split and leaves out bad records.
func (a *attempt) skipMap(s *split, to sink) (records int64, err error) {
	k, err := newKept(a.path(mapreduce.SpillDir))
	if err != nil {
		return 0, err
	}
	defer closing(&err, k)
	var buffer []byte
	if err := s.records(a.config.Input, func(offset int64, line []byte) error {
		buffer = a.config.Input.Append(buffer[:0], offset, line)
		return k.add(buffer, true)
	}); err != nil {
		return 0, err
	}
	skipped, err := a.without(&skipper{a: a, what: "mapper", cmd: a.config.Mapper, kept: k}, a.mapLine(to))
	a.facts.count(mapreduce.MapSkippedRecords, skipped)
	return k.units - skipped, err
}

// skipReduce runs the reducer over a shuffle and leaves out bad groups.
func (a *attempt) skipReduce(s *shuffle, out *output) (err error) {
	k, err := newKept(a.path(mapreduce.SpillDir))
	if err != nil {
		return err
	}
	defer closing(&err, k)
	var buffer []byte
	for {
		key, value, fresh, ok, err := s.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		buffer = streaming.AppendPair(buffer[:0], key, a.config.ReduceSeparator, value)
		if err := k.add(buffer, fresh); err != nil {
			return err
		}
	}
	line := a.reduceLine(out)
	if k.units == 0 {
		line = func([]byte) error { return nil }
	}
	skipped, err := a.without(&skipper{a: a, what: "reducer", cmd: a.config.Reducer, kept: k}, line)
	a.facts.count(mapreduce.ReduceSkippedGroups, skipped)
	return err
}

// without runs the program over what is kept, without its bad units, and says how
// many these are. Their bytes go into the task's file of skipped records.
func (a *attempt) without(s *skipper, line func([]byte) error) (skipped int64, err error) {
	if err := s.kept.flush(); err != nil {
		return 0, err
	}
	all := span{0, s.kept.units}
	bad, err := s.fails(all)
	if err != nil {
		return 0, err
	}
	if bad {
		if all.to == 0 {
			return 0, s.last
		}
		if err := s.find(all); err != nil {
			return 0, err
		}
		if err := s.writeSkipped(); err != nil {
			return 0, err
		}
	}
	err = a.pipe(s.what, s.cmd, func(w io.Writer) error {
		from := int64(0)
		for _, b := range append(s.bad, span{all.to, all.to}) {
			if err := s.kept.copy(w, span{from, b.from}); err != nil {
				return err
			}
			from = b.to
		}
		return nil
	}, line)
	if err != nil && bad {
		err = fmt.Errorf("without %d bad records: %w", len(s.bad), err)
	}
	return int64(len(s.bad)), err
}

// find adds the bad units of a range that is known to be bad.
func (s *skipper) find(r span) error {
	if r.to-r.from == 1 {
		if len(s.bad) == s.a.task.SkipBad {
			return fmt.Errorf("more than %d bad records, the last with: %w", s.a.task.SkipBad, s.last)
		}
		fmt.Fprintf(s.a.Log, "mapreduce: left out number %d of %d: %v\n", r.from, s.kept.units, s.last)
		s.bad = append(s.bad, r)
		return nil
	}
	middle := r.from + (r.to-r.from)/2
	any := false
	for _, half := range []span{{r.from, middle}, {middle, r.to}} {
		bad, err := s.fails(half)
		if err != nil {
			return err
		}
		if bad {
			any = true
			if err := s.find(half); err != nil {
				return err
			}
		}
	}
	if !any {
		return fmt.Errorf("it fails on records %d to %d together, but on neither half of them: %w", r.from, r.to-1, s.last)
	}
	return nil
}

// fails says whether the program fails on a range. What it writes and counts is
// thrown away.
func (s *skipper) fails(r span) (bool, error) {
	restore, log := s.a.facts.save(), s.a.Log
	s.a.Log = io.Discard
	err := s.a.pipe(s.what, s.cmd, func(w io.Writer) error { return s.kept.copy(w, r) }, func([]byte) error { return nil })
	s.a.Log = log
	restore()
	for _, kind := range []error{process.ErrExit, process.ErrSilent, process.ErrBrokenPipe} {
		if errors.Is(err, kind) {
			s.last = err
			return true, nil
		}
	}
	return false, err
}

// writeSkipped writes what is left out.
func (s *skipper) writeSkipped() (err error) {
	f, err := s.a.createSkipped()
	if err != nil {
		return err
	}
	defer closing(&err, f)
	for _, b := range s.bad {
		if err := s.kept.copy(f, b); err != nil {
			return err
		}
	}
	return nil
}
