package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// maxPieces is how many chunks of an input are in memory: half of them on their way,
// half read ahead.
const maxPieces = 8

// piece is a chunk of an input, with room before it for a frame's head.
type piece struct {
	index int
	from  uint64 // where it begins
	n     int    // bytes
	buf   []byte
	hash  types.Hash
}

var pieces = sync.Pool{New: func() any { return &piece{buf: make([]byte, protocol.DataRoom+protocol.ChunkSize)} }}

// cutter reads a source from its start, in chunks, ahead of who takes them.
type cutter struct {
	source Source
	from   uint64      // what ends at or before it is hashed only
	out    chan *piece // closed after the last one
	free   chan *piece // nil: another one may be made
	all    Chunks      // what was read; to be looked at once out is closed
	err    error       // why there is no more, likewise
}

func newCutter(source Source, from uint64) *cutter {
	r := &cutter{source: source, from: from, out: make(chan *piece, maxPieces), free: make(chan *piece, maxPieces)}
	for range maxPieces {
		r.free <- nil
	}
	return r
}

// cut reads until the source ends, or ctx.
func (r *cutter) cut(ctx context.Context) {
	defer close(r.out)
	in, err := r.source(ctx)
	if err != nil {
		r.err = err
		return
	}
	defer in.Close()
	for {
		var p *piece
		select {
		case p = <-r.free:
		case <-ctx.Done():
			r.err = ctx.Err()
			return
		}
		if p == nil {
			p = pieces.Get().(*piece)
		}
		p.index, p.from = len(r.all.Hashes), r.all.Size
		p.n, err = readFull(in, p.buf[protocol.DataRoom:])
		if p.n == 0 || err != nil && !errors.Is(err, io.EOF) {
			r.free <- p
			break
		}
		p.hash = blob.HashOf(p.buf[protocol.DataRoom : protocol.DataRoom+p.n])
		r.all.Hashes, r.all.Size = append(r.all.Hashes, p.hash), r.all.Size+uint64(p.n)
		if r.all.Size <= r.from {
			r.free <- p
		} else {
			r.out <- p // it has room for all that there are
		}
		if err != nil {
			break
		}
	}
	switch {
	case !errors.Is(err, io.EOF):
		r.err = err
	case r.all.Size < r.from:
		r.err = fmt.Errorf("it has %d bytes, of which %d were sent before", r.all.Size, r.from)
	}
}

// readFull fills p, or reads all there is: then the error is io.EOF.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = r.Read(p[n:])
		n += k
	}
	return n, err
}

// next waits for a chunk and takes what else is ready, at most so many. No chunk:
// there are no more, or the connection or ctx has ended.
func (r *cutter) next(ctx context.Context, c *feedConn, most int) (batch []*piece) {
	select {
	case p, ok := <-r.out:
		if !ok {
			return nil
		}
		batch = append(batch, p)
	case <-c.gone:
		return nil
	case <-ctx.Done():
		return nil
	}
	for len(batch) < most {
		select {
		case p, ok := <-r.out:
			if !ok {
				return batch
			}
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// recycle lets chunks be overwritten.
func (r *cutter) recycle(batch []*piece) {
	for _, p := range batch {
		r.free <- p
	}
}

// release gives all buffers back, once cut has returned.
func (r *cutter) release() {
	for {
		select {
		case p := <-r.free:
			if p != nil {
				pieces.Put(p)
			}
		case p, ok := <-r.out:
			if !ok {
				r.out = nil
				continue
			}
			pieces.Put(p)
		default:
			return
		}
	}
}
