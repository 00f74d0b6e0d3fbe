package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zennet/zennet/provider/protocol"
)

// eater is a worker's end of a stdin connection: it takes what is fed.
type eater struct {
	got  []byte // over all connections
	end  *protocol.FeedEnd
	from []uint64 // of the Feeds
}

// eat answers Feeds as a worker does, and hangs up where stop says so after a Data.
func (e *eater) eat(conn net.Conn, stop func() bool) {
	going := false
	for {
		m, n, err := protocol.ReadFeed(conn)
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *protocol.Feed:
			e.from = append(e.from, m.From)
			fed := protocol.Fed{Offset: uint64(len(e.got))}
			if going = m.From == fed.Offset; !going {
				fed.End = protocol.FedElsewhere
			}
			tell(conn, fed)
		case *protocol.FeedEnd:
			if going {
				going, e.end = false, m
				tell(conn, protocol.Fed{Offset: uint64(len(e.got)), End: protocol.FedWhole})
			}
		case nil:
			data := make([]byte, n)
			if _, err := io.ReadFull(conn, data); err != nil {
				return
			}
			if !going {
				continue
			}
			e.got = append(e.got, data...)
			if stop() {
				return
			}
		}
	}
}

// tell does not hold up the reading of what is in the other direction of a pipe.
func tell(conn net.Conn, fed protocol.Fed) {
	frame, err := protocol.AppendFrame(nil, &fed)
	if err != nil {
		panic(err)
	}
	conn.Write(frame)
}

func bytesOf(data []byte) Source {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// TestFeedWhole: all bytes arrive in order, with their length and hash, also over
// connections that break; a connection is used again.
func TestFeedWhole(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "one": 1, "a piece": feedSize, "a piece and one": feedSize + 1, "many": 9*feedSize + 17} {
		for breaks := range 3 {
			data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			var dials atomic.Int32
			var e eater
			left := breaks
			f := NewFeeder(fake(t, func(purpose string, conn net.Conn) {
				if dials.Add(1); purpose != protocol.PurposeStdin {
					t.Errorf("purpose %q", purpose)
				}
				e.eat(conn, func() bool { left--; return left >= 0 })
			}))
			for _, fresh := range []bool{true, false} {
				e = eater{from: e.from}
				fed, err := f.Feed(within(t), "a", fresh, bytesOf(data))
				if err != nil || fed.End != protocol.FedWhole || fed.Offset != uint64(size) {
					t.Fatalf("%s, %d breaks: %+v, %v", name, breaks, fed, err)
				}
				if !bytes.Equal(e.got, data) || e.end.Size != uint64(size) || e.end.Hash != protocol.FeedHash(data) {
					t.Errorf("%s, %d breaks: %d bytes came, end %+v", name, breaks, len(e.got), e.end)
				}
			}
			if broke := min(breaks, (size+feedSize-1)/feedSize*2); dials.Load() > int32(broke)+1 {
				t.Errorf("%s, %d breaks: %d connections", name, breaks, dials.Load())
			}
			f.Close()
		}
	}
}

// TestFeedGoesOn: where some was taken before, only the rest is sent, and the hash
// is that of the whole.
func TestFeedGoesOn(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	for _, fresh := range []bool{true, false} {
		for _, at := range []int{1, feedSize, feedSize + 5, len(data) - 1, len(data)} {
			e := eater{got: slices.Clone(data[:at])}
			f := NewFeeder(fake(t, func(_ string, conn net.Conn) { e.eat(conn, func() bool { return false }) }))
			fed, err := f.Feed(within(t), "a", fresh, bytesOf(data))
			if err != nil || fed.End != protocol.FedWhole {
				t.Fatalf("from %d: %+v, %v", at, fed, err)
			}
			if !bytes.Equal(e.got, data) || e.end.Hash != protocol.FeedHash(data) || !slices.Equal(e.from, []uint64{0, uint64(at)}) {
				t.Errorf("from %d: %d bytes came, feeds from %d", at, len(e.got), e.from)
			}
			f.Close()
		}
	}
	// A source that is shorter than what was taken of it is another one.
	e := eater{got: data}
	f := NewFeeder(fake(t, func(_ string, conn net.Conn) {
		for {
			m, _, err := protocol.ReadFeed(conn)
			if err != nil {
				return
			}
			switch m := m.(type) {
			case *protocol.Feed:
				tell(conn, protocol.Fed{Offset: uint64(len(e.got)), End: map[bool]uint8{true: protocol.FedOn, false: protocol.FedElsewhere}[m.From > 0]})
			case *protocol.FeedEnd:
				tell(conn, protocol.Fed{End: protocol.FedFailed, Error: m.Error})
			}
		}
	}))
	defer f.Close()
	if _, err := f.Feed(within(t), "a", false, bytesOf(data[:9])); !errors.Is(err, ErrSource) {
		t.Errorf("shorter source: %v", err)
	}
}

// TestFeedEnds: how a feed ends where not all is taken, and that the next feed goes
// over the same connection.
func TestFeedEnds(t *testing.T) {
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		answers []protocol.Fed // to the first Feed
		source  Source
		want    error
		end     uint8
	}{
		"early at once":  {[]protocol.Fed{{End: protocol.FedEarly}}, bytesOf(make([]byte, 5*feedSize)), nil, protocol.FedEarly},
		"early":          {[]protocol.Fed{{}, {Offset: 5, End: protocol.FedEarly}}, bytesOf(make([]byte, 5*feedSize)), nil, protocol.FedEarly},
		"refused":        {[]protocol.Fed{{End: protocol.FedFailed, Error: "no such task"}}, bytesOf([]byte("x")), ErrWorker, protocol.FedFailed},
		"source is lost": {[]protocol.Fed{{}, {End: protocol.FedFailed, Error: "lost"}}, func(context.Context) (io.ReadCloser, error) { return nil, lost }, lost, protocol.FedFailed},
		"lost, unwanted": {[]protocol.Fed{{}, {End: protocol.FedEarly}}, func(context.Context) (io.ReadCloser, error) { return nil, lost }, nil, protocol.FedEarly},
	} {
		t.Run(name, func(t *testing.T) {
			var dials atomic.Int32
			f := NewFeeder(fake(t, func(_ string, conn net.Conn) {
				dials.Add(1)
				if _, _, err := protocol.ReadFeed(conn); err != nil {
					return
				}
				for _, fed := range c.answers {
					tell(conn, fed)
				}
				var second eater // what still comes of the first feed is dropped
				second.eat(conn, func() bool { return false })
			}))
			defer f.Close()
			fed, err := f.Feed(within(t), "a", true, c.source)
			if !errors.Is(err, c.want) || fed.End != c.end {
				t.Errorf("%+v, %v", fed, err)
			}
			if fed, err := f.Feed(within(t), "b", true, bytesOf([]byte("abc"))); err != nil || fed.Offset != 3 || dials.Load() != 1 {
				t.Errorf("then %+v, %v, %d connections", fed, err, dials.Load())
			}
		})
	}
}

// TestFeedGivesUp: a feed ends with its context, in whatever it waits; and after Close.
func TestFeedGivesUp(t *testing.T) {
	for name, answer := range map[string]func(conn net.Conn){
		"hangs up": func(net.Conn) {},
		"silence":  func(conn net.Conn) { drain(conn) },
		"nothing is read": func(conn net.Conn) {
			io.CopyN(io.Discard, conn, 10)
			for protocol.WriteMessage(conn, &protocol.Fed{}) == nil {
				time.Sleep(time.Millisecond)
			}
		},
		"nonsense": func(conn net.Conn) { protocol.WriteMessage(conn, &protocol.Bye{}); drain(conn) },
		"two ends": func(conn net.Conn) {
			tell(conn, protocol.Fed{Offset: 1, End: protocol.FedElsewhere})
			tell(conn, protocol.Fed{Offset: 1, End: protocol.FedElsewhere})
			tell(conn, protocol.Fed{Offset: 1, End: protocol.FedElsewhere})
		},
	} {
		for _, fresh := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				f := NewFeeder(fake(t, func(_ string, conn net.Conn) { answer(conn) }))
				defer f.Close()
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
				if _, err := f.Feed(ctx, "a", fresh, bytesOf(make([]byte, 3*feedSize))); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	f := NewFeeder(fake(t, func(string, net.Conn) {}))
	f.Close()
	if _, err := f.Feed(within(t), "a", true, bytesOf(nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestFeedStops: a publisher that stops while it waits for its source leaves the
// task alone: the input is not at fault.
func TestFeedStops(t *testing.T) {
	ended := make(chan *protocol.FeedEnd, 1)
	f := NewFeeder(fake(t, func(_ string, conn net.Conn) {
		var e eater
		e.eat(conn, func() bool { return false })
		ended <- e.end
	}))
	ctx, cancel := context.WithCancel(within(t))
	_, err := f.Feed(ctx, "a", true, func(ctx context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 2*feedSize)), stopping{ctx, cancel})), nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if end := <-ended; end != nil {
		t.Errorf("the worker was told %+v", end)
	}
}

// stopping is a reader whose context ends while it waits.
type stopping struct {
	ctx    context.Context
	cancel func()
}

func (s stopping) Read([]byte) (int, error) {
	s.cancel()
	return 0, s.ctx.Err()
}
