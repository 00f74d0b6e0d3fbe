package mapreduce

import (
	"io"

	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/provider/mapreduce/collect"
)

// combine is a combiner: a program of the user's, started for every partition of
// every run, or one of our operations.
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
	if size := len(key) + len(p.separator) + len(value) + 1; len(p.buffer)+size > bufferSize {
		if err := p.flush(); err != nil {
			return err
		}
		if size > bufferSize {
			return p.pass(key, p.separator, value, lf)
		}
	}
	if p.buffer == nil {
		p.buffer = make([]byte, 0, bufferSize)
	}
	p.buffer = streaming.AppendPair(p.buffer, key, p.separator, value)
	return nil
}

// pass writes what is too large for the buffer.
func (p *pairs) pass(parts ...[]byte) error {
	for _, part := range parts {
		if _, err := p.to.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (p *pairs) flush() error {
	if len(p.buffer) == 0 {
		return nil
	}
	_, err := p.to.Write(p.buffer)
	p.buffer = p.buffer[:0]
	return err
}
