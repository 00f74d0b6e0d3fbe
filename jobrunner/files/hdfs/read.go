package hdfs

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/zennet/zennet/jobrunner/files"
)

// Open reads a file from offset on.
func (s *System) Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if err := files.CheckPath(path); err != nil {
		return nil, fmt.Errorf("open hdfs://%s: %w", s.name, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{s: s, ctx: ctx, cancel: cancel, path: path, at: offset, retry: retry{s: s, ctx: ctx}}
	if err := r.begin(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// reader reads one file through one stream after another: each begins where the
// one before failed.
type reader struct {
	s     *System
	ctx   context.Context
	path  string
	info  files.Info
	known bool
	at    int64 // of the next byte that is handed out
	retry retry
	bad   int // streams that found no right replica at this offset
	ahead []byte

	failed error

	cancel context.CancelFunc
	mu     sync.Mutex // of what Close needs
	stream stream
	busy   bool // a Read uses the stream, or opens it
	closed bool
}

// stream is one connection's worth of a file.
type stream interface {
	io.Reader
	// close gives the connections back, or ends them where err is not nil.
	close(err error)
}

// begin opens the file and reads its first bytes, so that one that must not be
// read is refused by Open.
func (r *reader) begin() error {
	first := make([]byte, chunk)
	n, err := r.Read(first)
	if err == io.EOF {
		return nil
	}
	r.ahead = first[:n]
	return err
}

// Read hands out checked bytes.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		if err := r.ctx.Err(); err != nil {
			return 0, r.fail(err)
		}
		n := copy(p, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	if r.failed != nil {
		return 0, r.failed
	}
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, r.fail(err)
		}
		if r.known && r.at == r.info.Size {
			r.finish()
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		n, err := r.try(p)
		if n > 0 {
			r.at += int64(n)
			r.bad, r.retry = 0, retry{s: r.s, ctx: r.ctx}
			return n, nil
		}
		if err == nil {
			continue
		}
		if err := r.retry.again(err); err != nil {
			return 0, r.fail(err)
		}
	}
}

func (r *reader) fail(err error) error {
	r.mu.Lock()
	if r.closed {
		err = files.ErrClosed
	}
	r.mu.Unlock()
	op := "open"
	if r.known {
		op = "read"
	}
	at := ""
	if r.at > 0 || r.known {
		at = fmt.Sprintf(" at %d", r.at-int64(len(r.ahead)))
	}
	r.failed = fmt.Errorf("%s %s%s: %w", op, r.s.url(r.path), at, err)
	return r.failed
}

// try reads from the stream, for which it opens one where there is none.
func (r *reader) try(p []byte) (n int, err error) {
	st, err := r.enter()
	if err != nil {
		return 0, err
	}
	if st == nil {
		if st, err = r.connect(); err != nil || st == nil {
			r.leave(nil)
			return 0, err
		}
	}
	p = p[:min(int64(len(p)), r.info.Size-r.at)]
	err = safely(func() error {
		n, err = st.Read(p)
		return err
	})
	if n > 0 || err == nil {
		r.leave(st)
		return n, nil // a failure shows again in the next read
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	err = r.judge(st, err)
	r.leave(nil)
	st.close(err)
	return 0, err
}

// enter marks the reader as busy and returns its stream.
func (r *reader) enter() (stream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, files.ErrClosed
	}
	r.busy = true
	return r.stream, nil
}

// leave keeps the stream for the next read, or ends it where the reader was
// closed meanwhile.
func (r *reader) leave(st stream) {
	r.mu.Lock()
	r.busy, r.stream = false, st
	if r.closed {
		r.stream = nil
	}
	closed := r.closed
	r.mu.Unlock()
	if closed && st != nil {
		st.close(files.ErrClosed)
	}
}

// judge says what an error of a stream means.
func (r *reader) judge(st stream, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "cannot parse") && strings.Contains(text, "wire-format") && r.s.kerberos != nil:
		return fmt.Errorf("the DataNodes protect transfers (%s) in a way that cannot be read from here; they must offer authentication, or privacy with %s=AES/CTR/NoPadding: %w (%v)",
			protectionKey, cipherKey, files.ErrUnsupported, err)
	case strings.Contains(text, "invalid checksum"):
		native, ok := st.(*nativeStream)
		if r.bad++; ok && native.l.failures() == 0 && r.bad > 1 {
			return fmt.Errorf("%w: every replica that could be read fails its checksum", files.ErrCorrupt)
		}
	}
	return err
}

// connect opens a stream, or returns nil where the file has no more bytes.
func (r *reader) connect() (stream, error) {
	l, err := r.s.acquire(r.ctx)
	if err != nil {
		return nil, err
	}
	st := &nativeStream{s: r.s, l: l}
	st.stop = context.AfterFunc(r.ctx, l.abort)
	var info files.Info
	err = safely(func() error {
		if st.f, err = l.client.Open(r.path); err != nil {
			return err
		}
		info = describe(r.path, st.f.Stat())
		if err := r.check(info); err != nil {
			return err
		}
		_, err = st.f.Seek(r.at, io.SeekStart)
		return err
	})
	if err != nil {
		err = l.explain(err)
		st.close(err)
		return nil, err
	}
	r.info, r.known = info, true
	switch {
	case r.at == info.Size:
		st.close(nil)
		return nil, nil
	case info.ErasureCoded:
		// The library knows no stripes; the DataNode that answers WebHDFS does.
		st.close(nil)
		return r.s.web.open(r.ctx, r.path, r.at)
	}
	return st, nil
}

// check refuses what cannot be read rightly, and a file that is not the one
// that was opened.
func (r *reader) check(info files.Info) error {
	switch {
	case info.Folder:
		return files.ErrFolder
	case info.Other:
		return fmt.Errorf("is a link: %w", files.ErrUnsupported)
	case info.Encrypted:
		return fmt.Errorf("lies in an encryption zone, of which only ciphertext can be read from here: %w", files.ErrUnsupported)
	case r.known && (info.ID != r.info.ID || info.Size != r.info.Size || info.ModTime != r.info.ModTime):
		return fmt.Errorf("%w: had %d bytes, number %d; has %d bytes, number %d", files.ErrChanged, r.info.Size, r.info.ID, info.Size, info.ID)
	case r.at < 0 || r.at > info.Size:
		return fmt.Errorf("offset %d outside its %d bytes: %w", r.at, info.Size, fs.ErrInvalid)
	}
	return nil
}

// finish gives the connection back as soon as the last byte was handed out.
func (r *reader) finish() {
	r.mu.Lock()
	st := r.stream
	r.stream = nil
	r.mu.Unlock()
	if st != nil {
		st.close(nil)
	}
}

// Close ends the reader. It may be called while a Read waits, which then fails.
func (r *reader) Close() error {
	r.mu.Lock()
	r.closed = true
	busy := r.busy
	r.mu.Unlock()
	if !busy {
		r.finish()
	}
	r.cancel()
	return nil
}
