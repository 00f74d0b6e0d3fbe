package collect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// cursor goes over entries in order. It is a segment.Source, of which each entry
// is a chunk of one key's values.
type cursor struct {
	arena   *arena
	entries []entry
	next    int
	warm    int  // entries whose bytes were touched
	touched byte // what these were, so that they are

	key    []byte
	chunk  uint32 // of a grouped entry: the next one; 0 = none
	same   bool
	data   []byte
	values int
	digits []byte
}

// Next implements segment.Source.
func (r *cursor) Next() (bool, error) {
	if r.chunk != 0 {
		r.same = true
		r.takeChunk(r.chunk)
		return true, nil
	}
	if r.next == len(r.entries) {
		return false, nil
	}
	if r.next == r.warm {
		r.touch()
	}
	e := r.entries[r.next]
	r.next++
	r.same = false
	var end int
	r.key, end = r.arena.key(e)
	switch {
	case e.part&grouped != 0:
		r.takeChunk(uint32(end))
	case e.part&summed != 0:
		r.digits = strconv.AppendInt(r.digits[:0], int64(binary.LittleEndian.Uint64(r.arena.region[e.node:])), 10)
		r.data, r.values = segment.AppendValue(r.data[:0:0], r.digits), 1
	default:
		size, n := binary.Uvarint(r.arena.region[end:])
		r.data, r.values = r.arena.region[end:end+n+int(size)], 1
	}
	return true, nil
}

// touch reads the first bytes of the entries to come: in sorted order they lie all over the
// region, and a processor that may wait for many of them at once is done far sooner.
func (r *cursor) touch() {
	r.warm = min(r.next+32, len(r.entries))
	region := r.arena.region
	for _, e := range r.entries[r.next:r.warm] {
		r.touched += region[e.node] + region[min(int(e.node)+64, len(region)-1)]
	}
}

func (r *cursor) takeChunk(at uint32) {
	head := r.arena.region[at : at+chunkHead]
	r.chunk = binary.LittleEndian.Uint32(head)
	r.data = r.arena.region[at+chunkHead : at+chunkHead+binary.LittleEndian.Uint32(head[4:])]
	r.values = int(binary.LittleEndian.Uint32(head[8:]))
}

// entry gives the next key with some of its values; they are nil at the end.
func (r *cursor) entry() (key, values []byte, err error) {
	if more, err := r.Next(); err != nil || !more {
		return nil, nil, err
	}
	return r.key, r.data, nil
}

// Key implements segment.Source.
func (r *cursor) Key() []byte { return r.key }

// Same implements segment.Source.
func (r *cursor) Same() bool { return r.same }

// Payload implements segment.Source.
func (r *cursor) Payload(*[]byte) ([]byte, error) { return r.data, nil }

// writeTo writes the entries from start to end, which are sorted, as a segment.
func (c *Collector) writeTo(f *os.File, start, end int) (segment.Footer, int64, error) {
	c.write.Reset(f)
	r := cursor{arena: c.arena, entries: c.arena.entries()[start:end]}
	for {
		if more, err := r.Next(); err != nil || !more {
			break
		}
		if err := c.write.Append(r.key, r.data, r.values); err != nil {
			return segment.Footer{}, 0, err
		}
	}
	return c.write.Close()
}

// spill writes what is in memory as a run, and empties memory.
func (c *Collector) spill() error {
	if c.arena.count == 0 {
		return nil
	}
	if c.options.Combine != nil {
		if err := c.combine(); err != nil {
			return err
		}
		return c.inner.spill()
	}
	ends := c.sort()
	start, before := 0, c.stats.Spilled
	err := c.newRun(func(f *os.File, partition int) (segment.Footer, int64, error) {
		from := start
		start = ends[partition]
		return c.writeTo(f, from, start)
	})
	c.countSums(before)
	c.restart()
	return err
}

// newRun makes a run, one segment after another.
func (c *Collector) newRun(fill func(f *os.File, partition int) (segment.Footer, int64, error)) (err error) {
	defer c.stats.Write.since(time.Now(), processCPU())
	if err := os.MkdirAll(c.options.Dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.options.Dir, "run-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := run{path: f.Name(), ends: make([]int64, c.options.Reducers)}
	c.runs = append(c.runs, r)
	total := int64(0)
	for p := range r.ends {
		footer, size, err := fill(f, p)
		if err != nil {
			return fmt.Errorf("spill: %w", err)
		}
		total += size
		r.ends[p] = total
		c.stats.Spilled += footer.Records
	}
	c.stats.SpillBytes += total
	c.stats.Runs++
	return nil
}

// alone writes a record that does not fit into memory as a run of its own. Memory
// is empty.
func (c *Collector) alone(key, value []byte) error {
	if c.inner != nil {
		c.stats.CombineIn++
		c.inner.into(c.partition(key))
		return c.inner.Add(key, value)
	}
	at := c.partition(key)
	return c.newRun(func(f *os.File, partition int) (segment.Footer, int64, error) {
		c.write.Reset(f)
		if partition == at {
			if err := c.write.AppendRecord(key, value); err != nil {
				return segment.Footer{}, 0, err
			}
		}
		return c.write.Close()
	})
}

// combine hands what is in memory to the combiner, a partition at a time, and
// empties memory. What comes of it is in inner.
func (c *Collector) combine() error {
	start := 0
	for partition, end := range c.sort() {
		if start == end {
			continue
		}
		entries := cursor{arena: c.arena, entries: c.arena.entries()[start:end]}
		r := &Run{next: entries.entry}
		start = end
		c.inner.into(partition)
		if err := c.options.Combine(r, c.inner.Add); err != nil {
			return fmt.Errorf("combine: %w", err)
		}
		c.stats.CombineIn += r.records
	}
	c.restart()
	return nil
}

// merge merges one partition of all runs.
func (c *Collector) merge(partition int, f *os.File) (footer segment.Footer, size int64, err error) {
	m, err := c.openMerge(partition)
	if err != nil {
		return footer, 0, err
	}
	if done := false; c.combinesMerges() && m.Records > 0 {
		footer, size, done, err = c.mergeCombined(m, f)
		if err = errors.Join(err, m.Close()); done || err != nil {
			return footer, size, err
		}
		if m, err = c.openMerge(partition); err != nil {
			return footer, 0, err
		}
	}
	footer, size, err = m.WriteTo(f)
	return footer, size, errors.Join(err, m.Close())
}

// openMerge begins to merge one partition of all runs.
func (c *Collector) openMerge(partition int) (*segment.Merge, error) {
	inputs := make([]segment.Input, 0, len(c.runs))
	for _, r := range c.runs {
		from := int64(0)
		if partition > 0 {
			from = r.ends[partition-1]
		}
		if size := r.ends[partition] - from; size > 0 {
			inputs = append(inputs, segment.Input{Path: r.path, Offset: from, Size: size})
		}
	}
	m, err := segment.Options{Compare: c.options.Compare, Memory: c.options.Memory, Files: c.options.Files, Dir: c.options.Dir}.Open(inputs)
	if err == nil {
		c.stats.Passes += m.Passes
		c.stats.SpillBytes += m.Spilled
	}
	return m, err
}
