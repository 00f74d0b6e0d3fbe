package mapreduce

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// refusals is where a reduce puts the records that one of our operations refuses: one
// value, or all values of a key. An operation says which they are, so nothing has to be
// searched, and goes on with a group's other values.
type refusals struct {
	a       *attempt
	units   int // values, and keys with all of their values
	records int64
	file    *os.File
	out     *bufio.Writer
	buffer  []byte
}

// unit counts one more that is left out, unless these are too many.
func (r *refusals) unit(why error) error {
	if r.units == r.a.task.SkipBad {
		return fmt.Errorf("more than %d bad records, the last with: %w", r.a.task.SkipBad, why)
	}
	r.units++
	fmt.Fprintf(r.a.Log, "mapreduce: left out: %v\n", why)
	return nil
}

// put writes a record that is left out.
func (r *refusals) put(key, value []byte) error {
	if r.file == nil {
		var err error
		if r.file, err = r.a.createSkipped(); err != nil {
			return err
		}
		r.out = bufio.NewWriter(r.file)
	}
	r.records++
	r.buffer = streaming.AppendPair(r.buffer[:0], key, r.a.config.ReduceSeparator, value)
	_, err := r.out.Write(r.buffer)
	return err
}

// Close writes what is left, and counts it.
func (r *refusals) Close() error {
	r.a.facts.count(mapreduce.ReduceSkippedRecords, r.records)
	if r.file == nil {
		return nil
	}
	return errors.Join(r.out.Flush(), r.file.Close())
}

// createSkipped makes the task's file of skipped records.
func (a *attempt) createSkipped() (*os.File, error) {
	if err := os.MkdirAll(a.path(mapreduce.SkippedDir), 0o755); err != nil {
		return nil, err
	}
	return os.Create(a.path(mapreduce.SkippedName(a.task.Kind, a.task.Number)))
}
