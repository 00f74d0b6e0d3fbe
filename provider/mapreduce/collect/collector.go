package collect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// Options say how records are collected.
type Options struct {
	Reducers  int
	Partition func(key []byte) int // from 0 to Reducers−1; unused where there is one
	Compare   segment.Compare      // nil: unsigned bytes
	Memory    int64                // bytes; at least 64 KiB are used and at most 4 GiB
	Files     int                  // open at once in a merge
	Dir       string               // for runs; made when it is needed
	// Combine, if any, is called with every run, partition by partition; what it
	// emits takes the run's place. Where at least MergeCombine runs are merged at the
	// end, it is called with these once more; 0: never.
	Combine      func(run *Run, emit func(key, value []byte) error) error
	MergeCombine int
	// Sum says that values which are whole numbers are to be added up instead.
	Sum bool
}

// Stats count what a Collector did.
type Stats struct {
	Records, Bytes uint64 // added; bytes of keys and values
	Spilled        uint64 // records written, each time
	SpillBytes     int64  // bytes of runs and of passes of merges
	Runs, Passes   int
	CombineIn      uint64 // records
	CombineOut     uint64
	SegmentBytes   int64 // bytes of the segments at the end
	Sort, Write    Took  // without combiners
}

// Took is what a part of the work took; CPU is of the whole process.
type Took struct{ Wall, CPU time.Duration }

// since adds what was taken since then, on both clocks.
func (t *Took) since(wall time.Time, cpu time.Duration) {
	t.Wall += time.Since(wall)
	t.CPU += processCPU() - cpu
}

func processCPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Collector collects records. After an error it is of no more use but for Close.
type Collector struct {
	options Options
	arena   *arena
	table   table
	inner   *Collector // what the combiner emits

	hashing bool // keys still repeat
	seen    int  // records in this window
	fresh   int  // keys among them that were new
	inArena uint64

	runs  []run
	stats Stats
	write *segment.Writer

	recombine func(run *Run, emit func(key, value []byte) error) error // of merges
}

// run is a file of one segment a partition.
type run struct {
	path string
	ends []int64 // of each partition's segment
}

// New makes a Collector. Close gives back its memory and its files.
func New(o Options) (*Collector, error) {
	if o.Reducers < 1 || o.Reducers > partMask {
		return nil, fmt.Errorf("%d reducers", o.Reducers)
	}
	c := &Collector{options: o, write: segment.NewWriter(nil)}
	size := o.Memory
	if o.Combine != nil {
		size = o.Memory / 4 * 3
		options := o
		options.Combine, options.Memory = nil, o.Memory/4
		var err error
		if c.inner, err = New(options); err != nil {
			return nil, err
		}
		c.inner.recombine = o.Combine
	}
	var err error
	if c.arena, err = newArena(size); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.restart()
	return c, nil
}

// restart empties memory.
func (c *Collector) restart() {
	c.arena.reset()
	// Keys that tie though they differ must stay in their order.
	c.hashing = c.options.Compare == nil
	c.seen, c.fresh, c.inArena = 0, 0, 0
	if c.hashing {
		c.table.reset()
		c.table.head = tailSize
		if c.Sums() {
			c.table.head = sumSize
		}
	}
}

func (c *Collector) partition(key []byte) int {
	if c.options.Reducers == 1 {
		return 0
	}
	return c.options.Partition(key)
}

// Add adds a record.
func (c *Collector) Add(key, value []byte) error {
	c.stats.Records++
	c.stats.Bytes += uint64(len(key) + len(value))
	if c.Sums() {
		if n, ok := number(value); ok {
			return c.addSum(key, n)
		}
	} else if c.hashing {
		if c.seen++; c.seen == window {
			if c.fresh > window/4*3 {
				c.hashing, c.table.slots = false, nil
			}
			c.seen, c.fresh = 0, 0
		}
		if c.hashing {
			if c.group(key, value) {
				c.inArena++
				return nil
			}
			if err := c.spill(); err != nil {
				return err
			}
			if c.group(key, value) {
				c.inArena++
				return nil
			}
		}
	}
	size := recordSize(key, value)
	if !c.arena.room(size, 1, c.table.size()) {
		if err := c.spill(); err != nil {
			return err
		}
		if !c.arena.room(size, 1, c.table.size()) {
			return c.alone(key, value)
		}
	}
	c.arena.push(key, c.arena.plain(key, value), uint32(c.partition(key)))
	c.inArena++
	return nil
}

// Sums says that whole numbers are added up, by AddSum too.
func (c *Collector) Sums() bool { return c.options.Sum && c.options.Compare == nil }

// AddSum adds n to the sum of a key: as much as n records of 1, but counted as
// records of records.
func (c *Collector) AddSum(key []byte, n int64, records uint64) error {
	c.stats.Records += records
	c.stats.Bytes += records * uint64(len(key)+1)
	if records > 1 {
		c.inArena += records - 1
	}
	return c.addSum(key, n)
}

func (c *Collector) addSum(key []byte, n int64) error {
	if !c.sum(key, n) {
		if err := c.spill(); err != nil {
			return err
		}
		if !c.sum(key, n) {
			return c.alone(key, strconv.AppendInt(nil, n, 10))
		}
	}
	c.inArena++
	return nil
}

// Finish writes what was collected into one file a reducer, which name gives; a
// reducer without records gets an empty one.
func (c *Collector) Finish(name func(reducer int) string) error {
	if c.options.Combine != nil {
		if err := c.combine(); err != nil {
			return err
		}
		if err := c.arena.close(); err != nil {
			return err
		}
		c.table.slots = nil
		c.inner.options.Memory = c.options.Memory // for its merge
		return c.inner.Finish(name)
	}
	ends := c.sort()
	if before := c.stats.Spilled; len(c.runs) == 0 {
		start := 0
		for p, end := range ends {
			if err := c.segment(name(p), func(f *os.File) (segment.Footer, int64, error) {
				return c.writeTo(f, start, end)
			}); err != nil {
				return err
			}
			start = end
		}
		c.countSums(before)
		return nil
	}
	// The last run is written too, so that the merge can have its memory.
	if c.arena.count > 0 {
		if err := c.spill(); err != nil {
			return err
		}
	}
	if err := c.arena.close(); err != nil {
		return err
	}
	c.table.slots = nil
	if n := c.options.MergeCombine; c.recombine != nil && n > 0 && len(c.runs) >= max(n, 2) {
		if done, err := c.mergeCombined(name); done || err != nil {
			return err
		}
	}
	for p := range ends {
		if err := c.segment(name(p), func(f *os.File) (segment.Footer, int64, error) { return c.merge(p, f) }); err != nil {
			return err
		}
	}
	return nil
}

// countSums counts what summing has made of the records in memory, which are
// written now.
func (c *Collector) countSums(before uint64) {
	if c.Sums() {
		c.stats.CombineIn += c.inArena
		c.stats.CombineOut += c.stats.Spilled - before
	}
}

// segment makes one file.
func (c *Collector) segment(path string, fill func(*os.File) (segment.Footer, int64, error)) (err error) {
	defer c.stats.Write.since(time.Now(), processCPU())
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	footer, size, err := fill(f)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	c.stats.Spilled += footer.Records
	c.stats.SegmentBytes += size
	return nil
}

// Stats are what was counted so far.
func (c *Collector) Stats() Stats {
	s := c.stats
	if c.inner != nil {
		in := c.inner.Stats()
		s.CombineIn += in.CombineIn
		s.CombineOut += in.Records + in.CombineOut
		s.Spilled += in.Spilled
		s.SpillBytes += in.SpillBytes
		s.Runs += in.Runs
		s.Passes += in.Passes
		s.SegmentBytes += in.SegmentBytes
		s.Sort.Wall, s.Sort.CPU = s.Sort.Wall+in.Sort.Wall, s.Sort.CPU+in.Sort.CPU
		s.Write.Wall, s.Write.CPU = s.Write.Wall+in.Write.Wall, s.Write.CPU+in.Write.CPU
	}
	return s
}

// Close gives back memory and removes runs.
func (c *Collector) Close() error {
	var all error
	if c.inner != nil {
		all = c.inner.Close()
	}
	if c.arena != nil {
		all = errors.Join(all, c.arena.close())
	}
	for _, r := range c.runs {
		if err := os.Remove(r.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	c.runs = nil
	return all
}
