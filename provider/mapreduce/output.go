package mapreduce

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// output is the task's part of the job's output.
type output struct {
	path      string // "": nothing is written
	codec     string
	separator []byte
	lazy      bool
	records   int64

	file   *os.File
	packed io.WriteCloser
	writer *bufio.Writer
}

// newOutput opens the task's output.
func (a *attempt) newOutput() (*output, error) {
	o := &output{codec: a.config.OutputCodec, separator: a.config.OutputSeparator, lazy: a.config.Lazy}
	if a.task.Output != "" {
		o.path = a.path(mapreduce.OutDir + "/" + a.task.Output)
	}
	if o.lazy {
		return o, nil
	}
	return o, o.open()
}

func (o *output) open() (err error) {
	var to io.Writer = io.Discard
	if o.path != "" {
		if o.file, err = os.Create(o.path); err != nil {
			return err
		}
		to = o.file
	}
	if o.codec != "" && o.path != "" {
		c, ok := codec.ByName(o.codec)
		if !ok {
			return fmt.Errorf("no codec %q", o.codec)
		}
		if o.packed, err = c.NewWriter(to); err != nil {
			return err
		}
		to = o.packed
	}
	o.writer = bufio.NewWriterSize(to, bufferSize)
	return nil
}

// Put writes a record.
func (o *output) Put(key, value []byte) error {
	if o.writer == nil {
		if err := o.open(); err != nil {
			return err
		}
	}
	o.records++
	if len(key)+len(value)+len(o.separator)+1 <= o.writer.Available() {
		_, err := o.writer.Write(streaming.AppendPair(o.writer.AvailableBuffer(), key, o.separator, value))
		return err
	}
	for _, part := range [][]byte{key, o.separator, value, lf} {
		if _, err := o.writer.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the file and tells its size.
func (o *output) Close() (size int64, err error) {
	if o.writer != nil {
		err = o.writer.Flush()
	}
	if o.packed != nil {
		err = errors.Join(err, o.packed.Close())
	}
	if o.file != nil {
		info, statErr := o.file.Stat()
		if statErr == nil {
			size = info.Size()
		}
		err = errors.Join(err, statErr, o.file.Close())
	}
	return size, err
}

// finishOutput closes the output and counts it.
func (a *attempt) finishOutput(o *output, counter string) error {
	watch := startWatch()
	size, err := o.Close()
	a.facts.took(mapreduce.PartWrite, watch.usage())
	a.facts.count(counter, o.records)
	a.facts.add(mapreduce.GroupOutput, mapreduce.BytesWritten, size)
	if err != nil {
		return fmt.Errorf("write %s: %w", a.task.Output, err)
	}
	return nil
}
