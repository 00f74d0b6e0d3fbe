package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// shelf is a container's blob store.
type shelf struct {
	mu    sync.Mutex
	blobs map[types.Hash][]byte
	put   int                 // blobs that came
	fail  func(put int) error // of a batch, when so many came before
}

func (s *shelf) store(_ context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(s.put); err != nil {
			return err
		}
	}
	for _, h := range hashes {
		if s.blobs[h] != nil {
			continue
		}
		data, err := get(h)
		if err != nil || blob.HashOf(data) != h {
			return errors.Join(err, blob.ErrDamaged)
		}
		s.blobs[h] = bytes.Clone(data)
		s.put++
	}
	return nil
}

func (s *shelf) get(h types.Hash) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs[h]
}

// taker is a worker that takes chunks by name, and hangs up where stop says so.
type taker struct {
	shelf *shelf
	got   []byte
	sent  int // bytes that came as Data
	named int // chunks that were taken by name
	lacks int // times that one was not there
	end   *protocol.FeedEnd
	stop  func() bool
}

func (w *taker) take(conn net.Conn) {
	going := false
	for {
		m, n, err := protocol.ReadFeed(conn)
		if err != nil {
			return
		}
		var data []byte
		switch m := m.(type) {
		case *protocol.Feed:
			fed := protocol.Fed{Offset: uint64(len(w.got))}
			if going = m.From == fed.Offset; !going {
				fed.End = protocol.FedElsewhere
			}
			tell(conn, fed)
			continue
		case *protocol.FeedEnd:
			if going {
				going, w.end = false, m
				tell(conn, protocol.Fed{Offset: uint64(len(w.got)), End: protocol.FedWhole})
			}
			continue
		case *protocol.FeedBlob:
			if !going {
				continue
			}
			had := len(w.got) % protocol.ChunkSize
			data = w.shelf.get(m.Hash)
			if len(data) != int(m.Size) || had >= len(data) {
				going = false
				w.lacks++
				tell(conn, protocol.Fed{Offset: uint64(len(w.got)), End: protocol.FedLacking})
				continue
			}
			data = data[had:]
			w.named++
		case nil:
			data = make([]byte, n)
			if _, err := io.ReadFull(conn, data); err != nil {
				return
			}
			if !going {
				continue
			}
			w.sent += n
		}
		if w.stop != nil && w.stop() {
			w.got = append(w.got, data[:len(data)/3]...)
			return
		}
		w.got = append(w.got, data...)
	}
}

func newTaker(t *testing.T) (*taker, *Feeder) {
	w := &taker{shelf: &shelf{blobs: map[types.Hash][]byte{}}}
	f := NewFeeder(fake(t, func(_ string, conn net.Conn) { w.take(conn) }))
	t.Cleanup(f.Close)
	return w, f
}

// right checks that all of data came, and what the worker was told of it.
func (w *taker) right(t *testing.T, data []byte, fed protocol.Fed, err error) {
	t.Helper()
	if err != nil || fed.End != protocol.FedWhole {
		t.Fatalf("%+v, %v", fed, err)
	}
	if !bytes.Equal(w.got, data) || w.end.Size != uint64(len(data)) || w.end.Hash != protocol.FeedHash(data) {
		t.Fatalf("%d bytes of %d came, or others; end %+v", len(w.got), len(data), w.end)
	}
}

func random(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(data)
	return data
}

// counted is a source that counts how often it is opened.
func counted(data []byte, opens *int) Source {
	return func(context.Context) (io.ReadCloser, error) {
		*opens++
		return io.NopCloser(bytes.NewReader(data)), nil
	}
}

const chunk = protocol.ChunkSize

// TestSplitIsKept: the first feed puts every chunk into the store and sends nothing
// else; the second one reads and sends nothing.
func TestSplitIsKept(t *testing.T) {
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 21*chunk + 17} {
		data := random(size)
		w, f := newTaker(t)
		opens := 0
		fed, learnt, err := f.FeedSplit(within(t), "a", true, Split{Source: counted(data, &opens), Store: w.shelf.store})
		w.right(t, data, fed, err)
		chunks := (size + chunk - 1) / chunk
		if w.sent != 0 || w.shelf.put != chunks || opens != 1 || learnt.Chunks == nil || !learnt.Kept || !learnt.Read || !learnt.Chunks.valid() {
			t.Fatalf("%d bytes: %d sent, %d chunks put, opened %d times, learnt %+v", size, w.sent, w.shelf.put, opens, learnt)
		}
		*w = taker{shelf: w.shelf}
		fed, again, err := f.FeedSplit(within(t), "b", true, Split{Source: counted(data, &opens), Store: w.shelf.store, Known: learnt.Chunks})
		w.right(t, data, fed, err)
		if opens != 1 || w.named != chunks || again.Read || again.Lacked {
			t.Errorf("%d bytes again: opened %d times, %d chunks by name, learnt %+v", size, opens, w.named, again)
		}
	}
}

// TestSplitGoesOn: feeds whose connections break in the middle of chunks go on from
// there, with what is in the store and with what is not.
func TestSplitGoesOn(t *testing.T) {
	data := random(9*chunk + 1000)
	for name, known := range map[string]bool{"first": false, "known": true} {
		t.Run(name, func(t *testing.T) {
			w, f := newTaker(t)
			in := Split{Source: bytesOf(data), Store: w.shelf.store}
			if known {
				fed, learnt, err := f.FeedSplit(within(t), "a", true, in)
				w.right(t, data, fed, err)
				in.Known = learnt.Chunks
			}
			breaks := 0
			*w = taker{shelf: w.shelf, stop: func() bool { breaks++; return breaks%3 == 0 && breaks < 12 }}
			fed, learnt, err := f.FeedSplit(within(t), "b", true, in)
			w.right(t, data, fed, err)
			if w.sent != 0 || learnt.Read == known || breaks < 12 {
				t.Errorf("%d bytes sent, learnt %+v, %d breaks", w.sent, learnt, breaks)
			}
		})
	}
	// A publisher that restarted knows only what the worker tells.
	for _, at := range []int{1, chunk, 2*chunk + 5, len(data) - 1, len(data)} {
		w, f := newTaker(t)
		w.got = slices.Clone(data[:at])
		fed, learnt, err := f.FeedSplit(within(t), "a", false, Split{Source: bytesOf(data), Store: w.shelf.store})
		w.right(t, data, fed, err)
		if w.sent != 0 || learnt.Chunks == nil || learnt.Kept != (at < chunk) {
			t.Errorf("from %d: %d bytes sent, learnt %+v", at, w.sent, learnt)
		}
	}
}

// TestSplitStoreFails: what the store does not take is sent, to the last byte.
func TestSplitStoreFails(t *testing.T) {
	data := random(9*chunk + 1000)
	for _, most := range []int{0, 1, 5} {
		for _, breaks := range []int{0, 2} {
			w, f := newTaker(t)
			refused := 0
			w.shelf.fail = func(put int) error {
				if put < most {
					return nil
				}
				refused++
				return blob.ErrRefused
			}
			left := breaks
			w.stop = func() bool { left--; return left >= 0 }
			fed, learnt, err := f.FeedSplit(within(t), "a", true, Split{Source: bytesOf(data), Store: w.shelf.store})
			w.right(t, data, fed, err)
			if w.sent == 0 || learnt.Kept || refused != 1 {
				t.Errorf("at %d, %d breaks: %d bytes sent, refused %d times, learnt %+v", most, breaks, w.sent, refused, learnt)
			}
		}
	}
}

// TestSplitRoom: a feed that finds no room for chunks keeps nothing; others leave it
// as they found it, however they end.
func TestSplitRoom(t *testing.T) {
	data := random(3*chunk + 1000)
	room := make(chan struct{}, 1)
	w, f := newTaker(t)
	in := Split{Source: bytesOf(data), Store: w.shelf.store, Room: room}
	room <- struct{}{}
	fed, learnt, err := f.FeedSplit(within(t), "a", true, in)
	if w.right(t, data, fed, err); w.sent != len(data) || w.shelf.put != 0 || learnt.Kept || len(room) != 1 {
		t.Errorf("without room: %d bytes sent, %d chunks kept, learnt %+v", w.sent, w.shelf.put, learnt)
	}
	<-room
	breaks := 0
	*w = taker{shelf: w.shelf, stop: func() bool { breaks++; return breaks == 2 }}
	fed, learnt, err = f.FeedSplit(within(t), "b", true, in)
	if w.right(t, data, fed, err); !learnt.Kept || len(room) != 0 {
		t.Errorf("with room: learnt %+v, %d tokens taken", learnt, len(room))
	}
}

// TestSplitIsGone: a worker that does not find what the store is said to have gets it
// anew; one that does not see the store at all gets every byte.
func TestSplitIsGone(t *testing.T) {
	data := random(5*chunk + 1000)
	w, f := newTaker(t)
	in := Split{Source: bytesOf(data), Store: w.shelf.store}
	fed, learnt, err := f.FeedSplit(within(t), "a", true, in)
	w.right(t, data, fed, err)
	whole := learnt.Chunks
	in.Known = whole
	delete(w.shelf.blobs, learnt.Chunks.Hashes[2])
	*w = taker{shelf: w.shelf}
	fed, learnt, err = f.FeedSplit(within(t), "b", true, in)
	w.right(t, data, fed, err)
	if w.lacks != 1 || w.sent != 0 || !learnt.Lacked || !learnt.Read || learnt.Chunks == nil {
		t.Errorf("lacked %d times, %d bytes sent, learnt %+v", w.lacks, w.sent, learnt)
	}
	for _, known := range []*Chunks{nil, whole} {
		*w = taker{shelf: &shelf{blobs: map[types.Hash][]byte{}}}
		in.Known = known
		in.Store = func(context.Context, []types.Hash, func(types.Hash) ([]byte, error)) error { return nil }
		fed, learnt, err = f.FeedSplit(within(t), "c", true, in)
		w.right(t, data, fed, err)
		if w.sent != len(data) || w.lacks > 2 || learnt.Kept {
			t.Errorf("%d bytes sent, lacked %d times, learnt %+v", w.sent, w.lacks, learnt)
		}
	}
	// Names that do not fit the length are not used.
	*w = taker{shelf: w.shelf}
	in.Known = &Chunks{Size: 3, Hashes: whole.Hashes}
	fed, _, err = f.FeedSplit(within(t), "d", true, in)
	w.right(t, data, fed, err)
}

// TestSplitEnds: a source that breaks, a worker that wants no more and a publisher
// that stops end the feed, whatever is under way.
func TestSplitEnds(t *testing.T) {
	data := random(30 * chunk)
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		source Source
		answer protocol.Fed
		store  bool // hangs
		want   error
	}{
		"source breaks": {func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(data[:3*chunk+5]), failing{lost})), nil
		}, protocol.Fed{End: protocol.FedFailed, Error: "lost"}, false, ErrSource},
		"no source":      {func(context.Context) (io.ReadCloser, error) { return nil, lost }, protocol.Fed{End: protocol.FedFailed, Error: "lost"}, false, ErrSource},
		"early":          {bytesOf(data), protocol.Fed{Offset: 5, End: protocol.FedEarly}, false, nil},
		"store hangs":    {bytesOf(data), protocol.Fed{}, true, context.DeadlineExceeded},
		"nothing is fed": {func(ctx context.Context) (io.ReadCloser, error) { return io.NopCloser(waiting{ctx}), nil }, protocol.Fed{}, false, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{blobs: map[types.Hash][]byte{}}
			f := NewFeeder(fake(t, func(_ string, conn net.Conn) {
				for {
					m, n, err := protocol.ReadFeed(conn)
					if err != nil {
						return
					}
					_, blob := m.(*protocol.FeedBlob)
					end, over := m.(*protocol.FeedEnd)
					switch {
					case m == nil:
						io.CopyN(io.Discard, conn, int64(n))
					case blob && c.answer.End == protocol.FedEarly, over && end.Error != "":
						tell(conn, c.answer)
						drain(conn)
					}
				}
			}))
			defer f.Close()
			ctx := within(t)
			if c.want == context.DeadlineExceeded {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			store := s.store
			if c.store {
				store = func(ctx context.Context, _ []types.Hash, _ func(types.Hash) ([]byte, error)) error {
					<-ctx.Done()
					return ctx.Err()
				}
			}
			fed, learnt, err := f.FeedSplit(ctx, "a", true, Split{Source: c.source, Store: store})
			if !errors.Is(err, c.want) || fed.End != c.answer.End || learnt.Kept {
				t.Errorf("%+v, %+v, %v", fed, learnt, err)
			}
		})
	}
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
