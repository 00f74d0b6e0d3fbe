package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// window is how many pieces are asked for ahead of what has come, so that a long
// link is kept busy.
const window = 4

// fetcher is one fetch connection, used by one Fetch at a time.
type fetcher struct {
	conn io.ReadWriteCloser
	in   *bufio.Reader
	buf  []byte // of requests
	data []byte // of an answer
}

// Fetch copies size bytes of something of an ended task to w and verifies them.
// For a file (protocol.FetchFile) chunks are the SHA-256 of every
// protocol.ChunkSize bytes, and no byte is written before it is verified. For the
// others path is "" and chunks is the one hash of the whole: an output stream is
// verified as it is written, so that on ErrHash w holds rubbish; a manifest, whose
// size may be 0 for unknown, is written once it is verified.
//
// ErrHash where bytes are not what their hash says, ErrWorker where the worker
// cannot give them.
func (c *Client) Fetch(ctx context.Context, id string, what uint8, path string, size uint64, chunks []types.Hash, w io.Writer) error {
	if err := c.fetch(ctx, protocol.Fetch{ID: id, What: what, Path: path}, size, chunks, w); err != nil {
		return fmt.Errorf("fetch of %q: %w", id, err)
	}
	return nil
}

func (c *Client) fetch(ctx context.Context, m protocol.Fetch, size uint64, chunks []types.Hash, w io.Writer) error {
	wanted := 1
	if m.What == protocol.FetchFile {
		wanted = int((size + protocol.ChunkSize - 1) / protocol.ChunkSize)
	}
	if len(chunks) != wanted {
		return fmt.Errorf("%w: %d hashes for %d bytes", protocol.ErrInvalid, len(chunks), size)
	}
	if size == 0 && m.What == protocol.FetchFile {
		return nil
	}
	f, err := c.fetcher(ctx)
	if err != nil {
		return err
	}
	switch m.What {
	case protocol.FetchFile:
		err = f.file(ctx, m.ID, protocol.File{Path: m.Path, Size: size, Chunks: chunks}, func(_ types.Hash, data []byte) error {
			_, err := w.Write(data)
			return err
		})
	case protocol.FetchManifest:
		var all bytes.Buffer
		if size == 0 {
			err = f.unknown(ctx, m, protocol.MaxManifest, &all)
		} else {
			err = f.pieces(ctx, m, size, func(_ int, data []byte) error { all.Write(data); return nil })
		}
		if err == nil && types.Hash(sha256.Sum256(all.Bytes())) != chunks[0] {
			err = fmt.Errorf("%w: manifest", ErrHash)
		}
		if err == nil {
			_, err = w.Write(all.Bytes())
		}
	default:
		sum := sha256.New()
		err = f.pieces(ctx, m, size, func(_ int, data []byte) error {
			sum.Write(data)
			_, err := w.Write(data)
			return err
		})
		if err == nil && types.Hash(sum.Sum(nil)) != chunks[0] {
			err = fmt.Errorf("%w: output of %d bytes", ErrHash, size)
		}
	}
	c.giveBack(f, err)
	return err
}

// File is a file that an ended task left.
type File struct {
	Task string // the task's id in the worker
	protocol.File
}

// FetchChunks copies a file of an ended task and gives each chunk to take, once it
// is verified; take may not keep it. Errors are those of Fetch.
func (c *Client) FetchChunks(ctx context.Context, id string, file protocol.File, take func(h types.Hash, data []byte) error) error {
	if file.Size == 0 {
		return nil
	}
	f, err := c.fetcher(ctx)
	if err == nil {
		err = f.file(ctx, id, file, take)
		c.giveBack(f, err)
	}
	if err != nil {
		return fmt.Errorf("fetch of %q: %w", id, err)
	}
	return nil
}

// FetchFiles copies files over a connection of its own and gives each chunk to
// take, once it is verified; take may not keep it. Errors are those of Fetch.
func FetchFiles(ctx context.Context, dial Dial, files []File, take func(h types.Hash, data []byte) error) error {
	conn, in, err := open(ctx, dial, protocol.PurposeFetch)
	if err != nil {
		return err
	}
	defer conn.Close()
	f := &fetcher{conn: conn, in: in}
	for _, file := range files {
		if err := f.file(ctx, file.Task, file.File, take); err != nil {
			return fmt.Errorf("fetch of %q: %w", file.Task, err)
		}
	}
	return nil
}

// file fetches a file's chunks and verifies each.
func (f *fetcher) file(ctx context.Context, id string, file protocol.File, take func(h types.Hash, data []byte) error) error {
	if want := (file.Size + protocol.ChunkSize - 1) / protocol.ChunkSize; uint64(len(file.Chunks)) != want {
		return fmt.Errorf("%w: %q: %d hashes for %d bytes", protocol.ErrInvalid, file.Path, len(file.Chunks), file.Size)
	}
	return f.pieces(ctx, protocol.Fetch{ID: id, What: protocol.FetchFile, Path: file.Path}, file.Size, func(i int, data []byte) error {
		if types.Hash(sha256.Sum256(data)) != file.Chunks[i] {
			return fmt.Errorf("%w: %q, chunk %d", ErrHash, file.Path, i)
		}
		return take(file.Chunks[i], data)
	})
}

// fetcher takes an idle fetch connection or makes one.
func (c *Client) fetcher(ctx context.Context) (*fetcher, error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.reason()
	}
	if n := len(c.idle); n > 0 {
		f := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return f, nil
	}
	c.mu.Unlock()
	conn, in, err := open(ctx, c.dial, protocol.PurposeFetch)
	if err != nil {
		return nil, err
	}
	return &fetcher{conn: conn, in: in}, nil
}

// giveBack keeps a connection that is between two answers.
func (c *Client) giveBack(f *fetcher, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || c.err != nil || len(c.idle) >= maxIdle {
		f.conn.Close()
		return
	}
	c.idle = append(c.idle, f)
}

// pieces fetches size bytes in pieces of a chunk each and gives each to take, in order.
func (f *fetcher) pieces(ctx context.Context, m protocol.Fetch, size uint64, take func(i int, data []byte) error) error {
	count := int((size + protocol.ChunkSize - 1) / protocol.ChunkSize)
	length := func(i int) uint32 { return uint32(min(size-uint64(i)*protocol.ChunkSize, protocol.ChunkSize)) }
	watch := guard(ctx, f.conn)
	defer watch.stop()
	asked := 0
	for i := range count {
		if asked < count && asked-i <= window/2 {
			// Several requests go out in one write.
			f.buf = f.buf[:0]
			for ; asked < min(count, i+window); asked++ {
				m.Offset, m.Length = uint64(asked)*protocol.ChunkSize, length(asked)
				var err error
				if f.buf, err = protocol.AppendFrame(f.buf, &m); err != nil {
					return err
				}
			}
			if _, err := f.conn.Write(f.buf); err != nil {
				return watch.cause(err)
			}
		}
		data, err := protocol.ReadData(f.in, f.data)
		if err != nil {
			return watch.cause(err)
		}
		if data.Error != "" {
			return fmt.Errorf("%w: %s", ErrWorker, data.Error)
		}
		f.data = data.Bytes
		if len(data.Bytes) != int(length(i)) {
			return fmt.Errorf("%w: %d bytes came, not %d", ErrHash, len(data.Bytes), length(i))
		}
		watch.alive()
		if err := take(i, data.Bytes); err != nil {
			return err
		}
		watch.alive()
	}
	return nil
}

// unknown fetches until a piece is short.
func (f *fetcher) unknown(ctx context.Context, m protocol.Fetch, most int, to *bytes.Buffer) error {
	watch := guard(ctx, f.conn)
	defer watch.stop()
	for to.Len() <= most {
		m.Offset, m.Length = uint64(to.Len()), protocol.ChunkSize
		if err := protocol.WriteMessage(f.conn, &m); err != nil {
			return watch.cause(err)
		}
		data, err := protocol.Read[protocol.Data](f.in)
		if err != nil {
			return watch.cause(err)
		}
		if data.Error != "" {
			return fmt.Errorf("%w: %s", ErrWorker, data.Error)
		}
		watch.alive()
		to.Write(data.Bytes)
		if len(data.Bytes) < protocol.ChunkSize {
			return nil
		}
	}
	return fmt.Errorf("%w: more than %d bytes", protocol.ErrTooLarge, most)
}

// Logs streams a task's output over a connection of its own, which the returned
// reader owns. It ends with io.EOF.
func (c *Client) Logs(ctx context.Context, l protocol.Logs) (io.ReadCloser, error) {
	conn, in, err := open(ctx, c.dial, protocol.PurposeLogs)
	if err != nil {
		return nil, err
	}
	watch := guard(ctx, conn)
	err = protocol.WriteMessage(conn, &l)
	if err = watch.cause(err); err != nil {
		watch.stop()
		conn.Close()
		return nil, fmt.Errorf("logs of %q: %w", l.ID, err)
	}
	watch.stop()
	// A stream that is followed may be silent for as long as its task is.
	stream := &logs{in: in, conn: conn}
	stream.stop = context.AfterFunc(ctx, func() { conn.Close() })
	stream.ctx = ctx
	return stream, nil
}

type logs struct {
	in   *bufio.Reader
	conn io.ReadWriteCloser
	ctx  context.Context
	stop func() bool
}

func (l *logs) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	if err != nil && l.ctx.Err() != nil {
		err = l.ctx.Err()
	}
	return n, err
}

func (l *logs) Close() error {
	l.stop()
	return l.conn.Close()
}

// guarded closes a connection when its context ends, or when nothing has moved
// for too long.
type guarded struct {
	ctx     context.Context
	release func() bool
	timer   *time.Timer
	mu      sync.Mutex
	stalled bool
}

func guard(ctx context.Context, conn io.Closer) *guarded {
	g := &guarded{ctx: ctx, release: context.AfterFunc(ctx, func() { conn.Close() })}
	g.timer = time.AfterFunc(stall, func() {
		g.mu.Lock()
		g.stalled = true
		g.mu.Unlock()
		conn.Close()
	})
	return g
}

func (g *guarded) alive() { g.timer.Reset(stall) }

func (g *guarded) stop() {
	g.release()
	g.timer.Stop()
}

// cause tells why the connection was closed, where that was done here.
func (g *guarded) cause(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case g.ctx.Err() != nil:
		return g.ctx.Err()
	case g.stalled:
		return ErrStalled
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}
