package mapreduce

import (
	"io"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/collect"
)

// combine is a combiner: a program of the user's, started for every run, or one of
// our operations.
func (a *attempt) combine(cmd streaming.Command) func(*collect.Run, func(key, value []byte) error) error {
	return func(run *collect.Run, emit func(key, value []byte) error) error {
		if cmd.Builtin != "" {
			g, err := a.newGroups(cmd, true, emit)
			if err != nil {
				return err
			}
			for {
				key, value, ok, err := run.Next()
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
		fields := a.config.ReduceOutput
		return a.pipe("combiner", cmd, func(w io.Writer) error {
			p := pairs{to: w, separator: a.config.ReduceSeparator}
			for {
				key, value, ok, err := run.Next()
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
		}, func(line []byte) error { return emit(fields.Split(line)) })
	}
}

// pairs writes what a combiner or reducer reads.
type pairs struct {
	to        io.Writer
	separator []byte
	buffer    []byte
}

func (p *pairs) put(key, value []byte) error {
	if len(p.buffer)+len(key)+len(value)+len(p.separator) >= bufferSize && len(p.buffer) > 0 {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.buffer = streaming.AppendPair(p.buffer, key, p.separator, value)
	return nil
}

func (p *pairs) flush() error {
	if len(p.buffer) == 0 {
		return nil
	}
	_, err := p.to.Write(p.buffer)
	if p.buffer = p.buffer[:0]; cap(p.buffer) > 4*bufferSize || cap(p.buffer) < bufferSize {
		p.buffer = make([]byte, 0, bufferSize)
	}
	return err
}
