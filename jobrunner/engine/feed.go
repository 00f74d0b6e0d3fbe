package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/provider/protocol"
)

// maxFeeds is how many tasks are fed at once; each costs up to a few MiB here.
const maxFeeds = 256

// feeding is the feed of one attempt's standard input. It goes on over broken
// connections, to the worker and to the publisher's former process alike: the
// worker knows how much it has, and the parts give the same bytes again.
type feeding struct {
	cancel context.CancelFunc
	bad    atomic.Pointer[error] // why the input cannot be read
}

// feed begins to stream an attempt's standard input, if it has any. fresh says
// that nothing of it was sent before.
func (s *slot) feed(w *work, fresh bool) {
	parts := s.run.graph.Tasks[w.at.Task].Stdin
	if len(parts) == 0 {
		return
	}
	w.unfeed()
	ctx, cancel := context.WithCancel(s.ctx)
	f := &feeding{cancel: cancel}
	w.feeding = f
	s.busy.Go(func() {
		defer cancel()
		select {
		case s.run.e.feeds <- struct{}{}:
			defer func() { <-s.run.e.feeds }()
		case <-ctx.Done():
			return
		}
		fed, err := s.feedSplit(ctx, w, fresh, func(ctx context.Context) (io.ReadCloser, error) {
			f.bad.Store(nil)
			return newPartsReader(ctx, f, s.run.source, parts), nil
		})
		switch {
		case err == nil:
			s.log.Debug("fed", "task", w.id, "bytes", fed.Offset, "whole", fed.End == protocol.FedWhole)
		case ctx.Err() == nil: // the worker ends the task
			s.log.Info("not fed", "task", w.id, "err", err)
		}
	})
}

// unfeed ends an attempt's feed.
func (w *work) unfeed() {
	if w.feeding != nil {
		w.feeding.cancel()
	}
}

// unfed says why an attempt ended that could not be fed, in the source's own words,
// and whether that is for good: another attempt would get no other file.
func (w *work) unfed(x *protocol.Exited) {
	if w.feeding == nil || x.Class != protocol.ClassStage {
		return
	}
	if bad := w.feeding.bad.Load(); bad != nil {
		x.Message = protocol.Sentence((*bad).Error())
		w.final = hopeless(*bad)
	}
}

// hopeless is an error of the source that another attempt would meet again.
func hopeless(err error) bool {
	return errors.Is(err, data.ErrChanged) || errors.Is(err, codec.ErrCorrupt) || errors.Is(err, files.ErrCorrupt) || lasts(err)
}

// Small parts are opened while others are read, for a file system takes longer to open
// one than to give it: so many, as long as no more bytes come before one.
const (
	partsAhead = 4
	bytesAhead = 4 << 20
)

// partsReader streams parts of files one after another.
type partsReader struct {
	ctx     context.Context
	cancel  context.CancelFunc
	feeding *feeding
	source  Source
	rest    []plan.Part
	ahead   []chan opened // of the first ones of rest
	file    string        // in's
	in      io.ReadCloser // the part that is read; nil before the first and between two
}

// opened is a part that is open, or why it is not.
type opened struct {
	in  io.ReadCloser
	err error
}

func newPartsReader(ctx context.Context, f *feeding, source Source, parts []plan.Part) *partsReader {
	p := &partsReader{feeding: f, source: source, rest: parts}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

func (p *partsReader) Read(b []byte) (int, error) {
	for p.in != nil || len(p.rest) > 0 {
		if p.in == nil {
			if err := p.next(); err != nil {
				return 0, p.fail(err)
			}
		}
		n, err := p.in.Read(b)
		if errors.Is(err, io.EOF) {
			err = p.end()
		}
		if err != nil {
			return n, p.fail(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// next takes the next part, and has those after it opened.
func (p *partsReader) next() error {
	before := int64(0)
	for i, part := range p.rest[:min(len(p.rest), partsAhead+1)] {
		if before > bytesAhead {
			break
		}
		before += part.Length
		if i < len(p.ahead) {
			continue
		}
		c := make(chan opened, 1)
		p.ahead = append(p.ahead, c)
		go func() {
			in, err := p.source.Open(p.ctx, part)
			c <- opened{in, err}
		}()
	}
	first := <-p.ahead[0] // Open heeds the context
	p.ahead = p.ahead[1:]
	if first.err != nil {
		return first.err
	}
	p.in, p.file, p.rest = first.in, p.rest[0].File, p.rest[1:]
	return nil
}

// end closes the part that is read.
func (p *partsReader) end() error {
	in := p.in
	p.in = nil
	if err := in.Close(); err != nil {
		return fmt.Errorf("input %s: %w", p.file, err)
	}
	return nil
}

// fail notes why the input cannot be read before the worker is told: its Exited
// may be here sooner than the feed's end.
func (p *partsReader) fail(err error) error {
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	p.feeding.bad.Store(&err)
	return err
}

// Close ends what is open or being opened.
func (p *partsReader) Close() (err error) {
	if p.in != nil {
		err = p.end()
	}
	p.cancel()
	for _, c := range p.ahead {
		if o := <-c; o.in != nil {
			err = errors.Join(err, o.in.Close())
		}
	}
	p.ahead, p.rest = nil, nil
	return err
}
