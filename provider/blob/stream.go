package blob

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// frameBuffer joins small chunks into larger writes, in bytes.
const frameBuffer = 256 << 10

// Send makes sure that the other end of a blob stream holds all of hashes, in
// windows of protocol.MaxHave: it asks which are missing and sends those, taking
// them from get. It returns how many bytes of blobs it sent. It keeps one blob in
// memory at a time. After a broken stream, Send again on a new one sends only what
// did not arrive. What the other end could not keep is ErrRefused, with its words.
// ctx ends it early by a deadline in the past (SetDeadline) or by Close, whichever
// rw has. After an error the stream is of no use, and may be closed.
func Send(ctx context.Context, rw io.ReadWriter, hashes []types.Hash, get func(types.Hash) ([]byte, error)) (uint64, error) {
	return send(ctx, rw, hashes, get, false)
}

// SendCache is Send for blobs that the other end may drop again whenever it needs
// their room (protocol.Have.Cache).
func SendCache(ctx context.Context, rw io.ReadWriter, hashes []types.Hash, get func(types.Hash) ([]byte, error)) (uint64, error) {
	return send(ctx, rw, hashes, get, true)
}

func send(ctx context.Context, rw io.ReadWriter, hashes []types.Hash, get func(types.Hash) ([]byte, error), cache bool) (uint64, error) {
	defer interrupt(ctx, rw)()
	s := sender{r: rw, w: bufio.NewWriterSize(rw, frameBuffer), get: get, cache: cache}
	for _, window := range windows(hashes) {
		if err := s.window(window); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return s.sent, err
		}
	}
	return s.sent, ctx.Err()
}

// windows cuts hashes, without repetitions, into parts of at most MaxHave.
func windows(hashes []types.Hash) [][]types.Hash {
	seen := make(map[types.Hash]bool, len(hashes))
	distinct := make([]types.Hash, 0, len(hashes))
	for _, h := range hashes {
		if !seen[h] {
			seen[h] = true
			distinct = append(distinct, h)
		}
	}
	return slices.Collect(slices.Chunk(distinct, protocol.MaxHave))
}

// interrupt makes reads and writes of rw fail once ctx is done; the returned
// function ends that.
func interrupt(ctx context.Context, rw io.ReadWriter) func() {
	stop := context.AfterFunc(ctx, func() {
		if d, ok := rw.(interface{ SetDeadline(time.Time) error }); ok {
			d.SetDeadline(time.Unix(1, 0))
		} else if c, ok := rw.(io.Closer); ok {
			c.Close()
		}
	})
	return func() { stop() }
}

// sender is Send under way.
type sender struct {
	r     io.Reader
	w     *bufio.Writer
	get   func(types.Hash) ([]byte, error)
	cache bool
	buf   []byte
	sent  uint64
}

func (s *sender) write(m protocol.Message) (err error) {
	if s.buf, err = protocol.AppendFrame(s.buf[:0], m); err != nil {
		return err
	}
	_, err = s.w.Write(s.buf)
	return err
}

// window sends what the other end lacks of hashes. The answer is awaited
// meanwhile, so that a refusal is heard while there is more to send.
func (s *sender) window(hashes []types.Hash) error {
	if err := errors.Join(s.write(&protocol.Have{Chunks: hashes, Cache: s.cache}), s.w.Flush()); err != nil {
		return err
	}
	missing, err := protocol.Read[protocol.Missing](s.r)
	if err != nil {
		return ended(err)
	}
	for i, index := range missing.Indexes {
		if int(index) >= len(hashes) || i > 0 && index <= missing.Indexes[i-1] {
			return fmt.Errorf("%w: index %d of %d is missing", ErrStream, index, len(hashes))
		}
	}
	answer, heard := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(heard)
		answer <- s.answer()
	}()
	err = s.chunks(hashes, missing.Indexes, heard)
	if err != nil && !isClosed(heard) {
		// The answer will not come: its reader ends with the stream.
		if c, ok := s.r.(io.Closer); ok {
			c.Close()
		}
	}
	told := <-answer
	if errors.Is(told, ErrRefused) || err == nil {
		return told
	}
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// chunks sends the blobs at indexes until all are sent or an answer was heard.
func (s *sender) chunks(hashes []types.Hash, indexes []uint32, heard <-chan struct{}) error {
	for _, index := range indexes {
		if isClosed(heard) {
			return nil
		}
		data, err := s.get(hashes[index])
		if err != nil {
			return err
		}
		if err := protocol.WriteChunk(s.w, data); err != nil {
			return err
		}
		s.sent += uint64(len(data))
	}
	return s.w.Flush()
}

// answer waits for Stored.
func (s *sender) answer() error {
	stored, err := protocol.Read[protocol.Stored](s.r)
	if err != nil {
		return ended(err)
	}
	if stored.Error != "" {
		return fmt.Errorf("%w: %s", ErrRefused, stored.Error)
	}
	return nil
}

// ended is err, where the stream may not end.
func ended(err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: %w", ErrStream, io.ErrUnexpectedEOF)
	}
	return err
}

// Intake says for whom Receive stores.
type Intake struct {
	Owner string // pins what comes, and what was there already; "" pins nothing
	Limit uint64 // the most bytes of blobs taken; 0 is no limit
	// Share is how many of Limit may be taken when blobs for a cache come, which are
	// never pinned: so that the rest is there for those that must be kept.
	Share uint64
}

// limit is the most bytes that may have come after a window.
func (in Intake) limit(cache bool) uint64 {
	if cache && in.Limit > 0 {
		return in.Share
	}
	return in.Limit
}

// putters is how many blobs are hashed and written at once, while the next is read.
const putters = 2

// buffers are for blobs on their way; most are one chunk.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, protocol.ChunkSize); return &b }}

// drainTime bounds how long a refused sender may take to stop.
const drainTime = 10 * time.Second

// Receive is the other end of Send: it stores what comes in s until the sender
// ends the stream, and returns how many bytes of blobs came. Every blob must have
// the hash that was announced. Stored is answered once blobs would survive kill -9;
// Sync is the caller's. What cannot be kept is told to the sender, and returned.
// ctx ends it as it ends Send.
func Receive(ctx context.Context, rw io.ReadWriter, s *Store, in Intake) (uint64, error) {
	defer interrupt(ctx, rw)()
	r := receiver{r: bufio.NewReaderSize(rw, frameBuffer), w: rw, store: s, intake: in}
	for {
		have, err := protocol.Read[protocol.Have](r.r)
		if err == io.EOF {
			return r.came, nil
		}
		if err == nil {
			err = r.window(have.Chunks, have.Cache)
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return r.came, err
		}
	}
}

// receiver is Receive under way.
type receiver struct {
	r      io.Reader
	w      io.Writer
	store  *Store
	intake Intake
	came   uint64
}

// window takes what is missing of hashes.
func (r *receiver) window(hashes []types.Hash, cache bool) error {
	if len(hashes) == 0 || len(hashes) > protocol.MaxHave {
		return fmt.Errorf("%w: %d blobs are announced at once", ErrStream, len(hashes))
	}
	if r.intake.Owner != "" && !cache {
		r.store.Pin(r.intake.Owner, hashes...)
		defer r.store.unpinAbsent(r.intake.Owner, hashes)
	}
	var missing protocol.Missing
	announced := make(map[types.Hash]bool, len(hashes))
	for i, h := range hashes {
		if announced[h] {
			return fmt.Errorf("%w: %s is announced twice", ErrStream, h.Short())
		}
		announced[h] = true
		if !r.store.Has(h) {
			missing.Indexes = append(missing.Indexes, uint32(i))
		}
	}
	if err := protocol.WriteMessage(r.w, &missing); err != nil {
		return err
	}
	refused, err := r.chunks(hashes, missing.Indexes, r.intake.limit(cache))
	if err != nil {
		return err
	}
	if refused == nil {
		return protocol.WriteMessage(r.w, &protocol.Stored{})
	}
	if err := protocol.WriteMessage(r.w, &protocol.Stored{Error: clip(refused.Error(), 1000)}); err != nil {
		return err
	}
	r.drain()
	return refused
}

// chunks stores the blobs at indexes, until limit bytes came; 0 is no limit. refused
// is why one was not kept.
func (r *receiver) chunks(hashes []types.Hash, indexes []uint32, limit uint64) (refused, broken error) {
	g, failed := errgroup.WithContext(context.Background())
	g.SetLimit(putters)
	spare := make(chan *[]byte, putters+1)
	for range putters + 1 {
		spare <- buffers.Get().(*[]byte)
	}
	defer func() {
		for range putters + 1 {
			buffers.Put(<-spare)
		}
	}()
	for _, index := range indexes {
		if failed.Err() != nil {
			break
		}
		buf := <-spare
		data, err := protocol.ReadChunk(r.r, *buf)
		if err != nil {
			spare <- buf
			g.Wait() // what came before the end is kept, whatever the end was
			return nil, ended(err)
		}
		r.came += uint64(len(data))
		if *buf = data; r.intake.Limit > 0 && r.came > limit {
			spare <- buf
			g.Wait()
			return fmt.Errorf("%w: %d bytes", ErrLimit, limit), nil
		}
		g.Go(func() error {
			defer func() { spare <- buf }()
			want := hashes[index]
			if got := HashOf(data); got != want {
				return fmt.Errorf("%w: announced as %s", ErrDamaged, want)
			}
			return r.store.put(want, data)
		})
	}
	return g.Wait(), nil
}

// drain reads what the sender had under way when it was refused, until it stops.
func (r *receiver) drain() {
	if d, ok := r.w.(interface{ SetReadDeadline(time.Time) error }); ok {
		d.SetReadDeadline(time.Now().Add(drainTime))
	}
	io.Copy(io.Discard, io.LimitReader(r.r, 64<<20)) // the refusal is what is reported
}

// clip is s cut to at most n bytes, as text.
func clip(s string, n int) string {
	return strings.ToValidUTF8(s[:min(n, len(s))], "")
}
