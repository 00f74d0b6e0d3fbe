package collect

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// Run is what a combiner reads: the records of one run, or of several that are being
// merged, in order.
type Run struct {
	next    func() (key, values []byte, err error) // values are nil at the end
	key     []byte
	rest    []byte // values of key
	records uint64
}

// Next gives the next record, good until the next call; ok is false at the end.
// The records of a partition come together, partitions in their order.
func (r *Run) Next() (key, value []byte, ok bool, err error) {
	for len(r.rest) == 0 {
		if r.key, r.rest, err = r.next(); err != nil || r.rest == nil {
			return nil, nil, false, err
		}
	}
	value, r.rest, err = segment.Value(r.rest)
	r.records++
	return r.key, value, err == nil, err
}

// errOrder says that a combiner's output cannot be written as it comes.
var errOrder = errors.New("its output is not in the order of its input")

// mergeCombined merges the runs into one file a reducer and lets the combiner see what
// comes of it, as Hadoop does. What the combiner emits is written as it comes; where it
// changes keys so that they are out of order, done is false, and nothing has happened.
func (c *Collector) mergeCombined(name func(reducer int) string) (done bool, err error) {
	in, out := &mergedRuns{c: c}, &segments{c: c, name: name, at: -1}
	r := &Run{next: in.next}
	err = errors.Join(c.recombine(r, out.add), in.close())
	c.stats.Passes += in.passes
	c.stats.SpillBytes += in.spilled
	if errors.Is(err, errOrder) {
		return false, out.close()
	}
	if err == nil {
		err = out.finish()
	}
	if err != nil {
		return false, errors.Join(fmt.Errorf("combine: %w", err), out.close())
	}
	c.stats.CombineIn += r.records
	c.stats.CombineOut += out.records
	c.stats.Spilled += out.records
	c.stats.SegmentBytes += out.bytes
	return true, nil
}

// mergedRuns are the runs, merged partition by partition. The combiner's program is fed
// with them while what it writes is taken: nothing here is shared with segments.
type mergedRuns struct {
	c         *Collector
	partition int // the next one
	merge     *segment.Merge
	passes    int
	spilled   int64
}

func (m *mergedRuns) next() (key, values []byte, err error) {
	for {
		if m.merge == nil {
			if m.partition == m.c.options.Reducers {
				return nil, nil, nil
			}
			if m.merge, err = m.c.openMerge(m.partition, m.c.options.Memory); err != nil {
				return nil, nil, err
			}
			m.passes += m.merge.Passes
			m.spilled += m.merge.Spilled
			m.partition++
		}
		if key, values, err = m.merge.Next(); err != nil || values != nil {
			return key, values, err
		}
		if err := m.close(); err != nil {
			return nil, nil, err
		}
	}
}

func (m *mergedRuns) close() error {
	if m.merge == nil {
		return nil
	}
	err := m.merge.Close()
	m.merge = nil
	return err
}

// segments are the files of all reducers, written one after another from records that
// come in the order of partitions and keys.
type segments struct {
	c       *Collector
	name    func(reducer int) string
	at      int // the reducer whose file is being written; -1: none yet
	file    *os.File
	last    []byte // key in this file,
	some    bool   // where there is one
	records uint64
	bytes   int64
}

func (s *segments) add(key, value []byte) error {
	p := s.c.partition(key)
	if p < s.at || p == s.at && s.some && s.compare(key) < 0 {
		return errOrder
	}
	for s.at < p {
		if err := s.begin(); err != nil {
			return err
		}
	}
	s.last, s.some = append(s.last[:0], key...), true
	s.records++
	return s.c.write.AppendRecord(key, value)
}

// compare compares with the key before.
func (s *segments) compare(key []byte) int {
	if s.c.options.Compare == nil {
		return bytes.Compare(key, s.last)
	}
	return s.c.options.Compare(key, s.last)
}

// begin ends a reducer's file and begins that of the next.
func (s *segments) begin() (err error) {
	if err := s.end(); err != nil {
		return err
	}
	s.at++
	s.some = false
	if s.file, err = os.Create(s.name(s.at)); err == nil {
		s.c.write.Reset(s.file)
	}
	return err
}

// end ends the file that is being written.
func (s *segments) end() error {
	if s.file == nil {
		return nil
	}
	_, size, err := s.c.write.Close()
	s.bytes += size
	return errors.Join(err, s.close())
}

// finish ends the last file and makes those of the reducers that get nothing.
func (s *segments) finish() error {
	for s.at+1 < s.c.options.Reducers {
		if err := s.begin(); err != nil {
			return err
		}
	}
	return s.end()
}

// close lets go of the file.
func (s *segments) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
