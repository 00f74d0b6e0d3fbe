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
			return &partsReader{ctx: ctx, feeding: f, source: s.run.source, rest: parts}, nil
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

// partsReader streams parts of files one after another.
type partsReader struct {
	ctx     context.Context
	feeding *feeding
	source  Source
	rest    []plan.Part
	in      io.ReadCloser // the first of rest, once it is open
}

func (p *partsReader) Read(b []byte) (int, error) {
	for len(p.rest) > 0 {
		if p.in == nil {
			in, err := p.source.Open(p.ctx, p.rest[0])
			if err != nil {
				return 0, p.fail(err)
			}
			p.in = in
		}
		n, err := p.in.Read(b)
		if errors.Is(err, io.EOF) {
			if err = p.Close(); err == nil {
				p.rest = p.rest[1:]
			}
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

// fail notes why the input cannot be read before the worker is told: its Exited
// may be here sooner than the feed's end.
func (p *partsReader) fail(err error) error {
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	p.feeding.bad.Store(&err)
	return err
}

func (p *partsReader) Close() error {
	if p.in == nil {
		return nil
	}
	in := p.in
	p.in = nil
	if err := in.Close(); err != nil {
		return fmt.Errorf("input %s: %w", p.rest[0].File, err)
	}
	return nil
}
