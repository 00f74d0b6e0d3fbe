package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// Run is what a combiner reads: the records of one partition of a run, or of several
// runs that are being merged, in order.
type Run struct {
	next    func() (key, values []byte, err error) // values are nil at the end
	key     []byte
	rest    []byte // values of key
	records uint64
}

// Next gives the next record, good until the next call; ok is false at the end.
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

// combinesMerges says that the combiner sees once more what is merged at the end.
func (c *Collector) combinesMerges() bool {
	return c.recombine != nil && c.options.MergeCombine > 0 && len(c.runs) >= max(c.options.MergeCombine, 2)
}

// mergeCombined hands a partition of all runs to the combiner, as Hadoop does, and writes
// what that emits as it comes. Where it changes keys so that they are out of order,
// done is false, and nothing has happened.
func (c *Collector) mergeCombined(m *segment.Merge, f *os.File) (footer segment.Footer, size int64, done bool, err error) {
	c.write.Reset(f)
	r, out := &Run{next: m.Next}, ordered{c: c}
	err = c.recombine(r, out.add)
	if errors.Is(err, errOrder) {
		_, err = f.Seek(0, io.SeekStart)
		return footer, 0, false, errors.Join(err, f.Truncate(0))
	}
	if err == nil {
		footer, size, err = c.write.Close()
	}
	if err != nil {
		return footer, 0, false, fmt.Errorf("combine: %w", err)
	}
	c.stats.CombineIn += r.records
	c.stats.CombineOut += footer.Records
	return footer, size, true, nil
}

// ordered writes records whose keys come in order.
type ordered struct {
	c    *Collector
	last []byte // key,
	some bool   // where there is one
}

func (o *ordered) add(key, value []byte) error {
	if o.some && o.compare(key) < 0 {
		return errOrder
	}
	o.last, o.some = append(o.last[:0], key...), true
	return o.c.write.AppendRecord(key, value)
}

// compare compares with the key before.
func (o *ordered) compare(key []byte) int {
	if o.c.options.Compare == nil {
		return bytes.Compare(key, o.last)
	}
	return o.c.options.Compare(key, o.last)
}
