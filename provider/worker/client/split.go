package client

import (
	"context"
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// A Split is an input that is worth keeping where it was fed: the next task that
// wants it there needs none of its bytes sent.
type Split struct {
	Source Source
	// Known are the input's chunks, where the container's blob store has all of them:
	// then Source is opened only if that turns out to be wrong.
	Known *Chunks
	// Store puts chunks into the container's blob store while they are fed. Where it
	// fails, the rest is fed as it would be without. nil: nothing is kept.
	Store StoreFunc
	// Room has a token for each feed that holds chunks in memory. One that finds no
	// room keeps nothing. nil: there is always room.
	Room chan struct{}
}

// StoreFunc makes sure that a store has blobs, whose bytes get gives, until it
// returns. It may be called from one goroutine at a time.
type StoreFunc = func(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error

// Chunks name the content of an input: every ChunkSize bytes, and what is left.
type Chunks struct {
	Size   uint64
	Hashes []types.Hash
}

// valid reports whether there is a name for every chunk.
func (c *Chunks) valid() bool {
	return uint64(len(c.Hashes)) == c.Size/protocol.ChunkSize+min(c.Size%protocol.ChunkSize, 1)
}

// Learnt is what a feed found out about a Split.
type Learnt struct {
	Chunks *Chunks // the input's, where all of it was read and Store was used; else nil
	Kept   bool    // the store has all of Chunks
	Read   bool    // the source was opened; otherwise no byte of it was read or sent
	Lacked bool    // the store did not have what was said of it
}

const (
	maxBatch   = maxPieces / 2    // chunks given to the store at once
	storeWait  = 15 * time.Second // for a batch; a store that takes longer is in the way
	slowBatch  = 2 * time.Second  // after one that took longer, single chunks are given, so that the task has something to do
	knownBatch = 256              // FeedBlobs in one write
)

// lacks goes on without what the worker did not find in its store.
func (a *feeding) lacks() {
	if a.known == nil || a.learnt.Lacked { // what was just put there is gone, or never seen: a store of no use
		a.store = nil
	}
	a.learnt.Lacked, a.learnt.Kept = true, false
	a.known = nil
	clear(a.kept)
}

// sendKnown names the chunks from at on.
func (a *feeding) sendKnown(c *feedConn, frames []byte) (protocol.Fed, error) {
	inFrames := 0
	for i, h := range a.known.Hashes {
		size := min(a.known.Size-uint64(i)*protocol.ChunkSize, protocol.ChunkSize)
		if uint64(i)*protocol.ChunkSize+size <= a.at {
			continue
		}
		var err error
		if frames, err = protocol.AppendFrame(frames, &protocol.FeedBlob{Hash: h, Size: uint32(size)}); err != nil {
			return protocol.Fed{}, err
		}
		if inFrames++; inFrames < knownBatch {
			continue
		}
		if _, err := c.conn.Write(frames); err != nil {
			return protocol.Fed{}, err
		}
		frames, inFrames = frames[:0], 0
		if fed, over, err := c.ended(); over {
			return fed, err
		}
	}
	return a.end(c, frames, a.known)
}

// end tells what the whole input was, and waits for the end of the feed.
func (a *feeding) end(c *feedConn, frames []byte, all *Chunks) (protocol.Fed, error) {
	sum := protocol.NewFeedSum()
	for _, h := range all.Hashes {
		sum.Chunk(h)
	}
	frames, err := protocol.AppendFrame(frames, &protocol.FeedEnd{Size: all.Size, Hash: sum.Sum()})
	if err != nil {
		return protocol.Fed{}, err
	}
	if _, err := c.conn.Write(frames); err != nil {
		return protocol.Fed{}, err
	}
	return c.answer(nil)
}

// sendKept reads the input, puts its chunks into the store, and names those there;
// what the store does not take is sent.
func (a *feeding) sendKept(ctx context.Context, c *feedConn, before []byte) (protocol.Fed, error) {
	if a.room != nil {
		select {
		case a.room <- struct{}{}:
		default:
			a.store = nil
			return a.send(ctx, c, before)
		}
	}
	a.learnt.Read = true
	reading, stop := context.WithCancel(ctx)
	in := newCutter(a.source, a.at)
	var done sync.WaitGroup
	done.Go(func() { in.cut(reading) })
	letGo := sync.OnceFunc(func() {
		stop()
		done.Wait()
		in.release()
		if a.room != nil {
			<-a.room
		}
	})
	defer letGo()
	for {
		most := maxBatch
		if a.slow {
			most = 1
		}
		batch := in.next(ctx, c, most)
		if fed, over, err := c.ended(); over {
			return fed, err
		}
		if len(batch) == 0 {
			letGo() // the task may take its time
			break
		}
		var err error
		if before, err = a.give(ctx, c, before, batch); err != nil {
			return protocol.Fed{}, err
		}
		in.recycle(batch)
	}
	switch {
	case ctx.Err() != nil: // the publisher stops; the input is not at fault
		return protocol.Fed{}, ctx.Err()
	case in.err != nil:
		return a.fail(c, before, in.err)
	}
	a.learnt.Chunks = &in.all
	if a.learnt.Kept = a.keptAll(len(in.all.Hashes)); a.learnt.Kept {
		a.known = &in.all // should the connection break, nothing needs to be read again
	}
	return a.end(c, before, &in.all)
}

// give feeds a batch of chunks: by their names where the store has them. What before
// holds goes first.
func (a *feeding) give(ctx context.Context, c *feedConn, before []byte, batch []*piece) ([]byte, error) {
	named := a.keep(ctx, batch)
	if ctx.Err() != nil {
		return before, ctx.Err()
	}
	for _, p := range batch {
		if named {
			var err error
			if before, err = protocol.AppendFrame(before, &protocol.FeedBlob{Hash: p.hash, Size: uint32(p.n)}); err != nil {
				return before, err
			}
			continue
		}
		if len(before) > 0 {
			if _, err := c.conn.Write(before); err != nil {
				return before, err
			}
			before = before[:0]
		}
		// What the worker has of the chunk is left out; its head takes the room before it.
		at := protocol.DataRoom + int(max(a.at, p.from)-p.from)
		frame := p.buf[:protocol.DataRoom+p.n]
		if _, err := c.conn.Write(frame[protocol.SealData(frame, at):]); err != nil {
			return before, err
		}
	}
	if len(before) > 0 {
		if _, err := c.conn.Write(before); err != nil {
			return before, err
		}
	}
	last := batch[len(batch)-1]
	a.at = last.from + uint64(last.n)
	return before[:0], nil
}

// keep puts a batch into the store, and reports whether it is there.
func (a *feeding) keep(ctx context.Context, batch []*piece) bool {
	if a.store == nil {
		return false
	}
	hashes := make([]types.Hash, len(batch))
	for i, p := range batch {
		hashes[i] = p.hash
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	began := time.Now()
	err := a.store(ctx, hashes, func(h types.Hash) ([]byte, error) {
		for _, p := range batch {
			if p.hash == h {
				return p.buf[protocol.DataRoom : protocol.DataRoom+p.n], nil
			}
		}
		return nil, blob.ErrMissing
	})
	if err != nil {
		a.store = nil
		return false
	}
	a.slow = time.Since(began) > slowBatch
	for _, p := range batch {
		for p.index >= len(a.kept) {
			a.kept = append(a.kept, false)
		}
		a.kept[p.index] = true
	}
	return true
}

// keptAll reports whether the store has the first n chunks.
func (a *feeding) keptAll(n int) bool {
	if len(a.kept) < n {
		return false
	}
	for _, kept := range a.kept[:n] {
		if !kept {
			return false
		}
	}
	return true
}
