package record

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

const (
	// startBuffer is what a Reader holds until a record needs more.
	startBuffer = 64 << 10
	// idleReads is how many empty reads in a row are no progress.
	idleReads = 100
)

// Reader hands out the records of a stream.
type Reader struct {
	src   io.Reader
	delim []byte
	max   int

	buf      []byte
	pos, end int   // buf[pos:end] is read and not handed out
	base     int64 // the stream's offset of buf[0]
	err      error // what src ended with

	cr      int   // index of the first CR in buf[pos:end], or end: lines only
	afterCR bool  // a CR was the last byte read: an LF after it belongs to it
	start   int64 // offset of the record handed out last
}

// NewReader reads records that end at delimiter, or at LF, CRLF and a lone CR
// where it is empty. A record of more than max bytes is ErrTooLong; max 0 means
// Hadoop's own bound, 2 GiB. The reader holds 64 KiB, or up to three times the
// longest record so far, but not more than max.
func NewReader(src io.Reader, delimiter []byte, max int) *Reader {
	if max <= 0 || max > math.MaxInt32 {
		max = math.MaxInt32
	}
	return &Reader{src: src, delim: delimiter, max: max, buf: make([]byte, startBuffer)}
}

// Next is the next record, without its end; it is valid until the next call. The
// error is io.EOF after the last, ErrTooLong, or the stream's own.
func (r *Reader) Next() ([]byte, error) {
	if len(r.delim) == 0 && !r.afterCR { // most records, without more calls
		if i := bytes.IndexByte(r.buf[r.pos:r.cr], '\n'); i >= 0 && i <= r.max {
			from := r.pos
			r.start = r.base + int64(from)
			r.pos += i + 1
			return r.buf[from : from+i], nil
		}
	}
	line, err := r.next()
	if err == nil && len(line) > r.max {
		err = r.tooLong()
	}
	if err != nil {
		return nil, err
	}
	return line, nil
}

// Offset is where the record that Next returned last begins in the stream.
func (r *Reader) Offset() int64 { return r.start }

func (r *Reader) next() ([]byte, error) {
	if len(r.delim) > 0 {
		return r.nextDelimited()
	}
	return r.nextLine()
}

func (r *Reader) nextLine() ([]byte, error) {
	if r.afterCR {
		if err := r.skipLF(); err != nil {
			return nil, err
		}
	}
	r.start = r.base + int64(r.pos)
	for from := 0; ; { // from pos: what holds no end
		rest := r.buf[r.pos+from : r.cr]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line := r.buf[r.pos : r.pos+from+i]
			r.pos += from + i + 1
			return line, nil
		}
		if r.cr < r.end {
			line := r.buf[r.pos:r.cr]
			r.pos = r.cr + 1
			if r.afterCR = r.pos == r.end; !r.afterCR && r.buf[r.pos] == '\n' {
				r.pos++
			}
			r.findCR(r.pos)
			return line, nil
		}
		from = r.end - r.pos
		if err := r.fill(); err != nil {
			return r.last(err)
		}
	}
}

// skipLF drops an LF that follows a CR, which ended the record before.
func (r *Reader) skipLF() error {
	if r.pos == r.end {
		if err := r.fill(); err != nil {
			return err
		}
	}
	r.afterCR = false
	if r.buf[r.pos] == '\n' {
		r.pos++
	}
	return nil
}

func (r *Reader) nextDelimited() ([]byte, error) {
	r.start = r.base + int64(r.pos)
	for from := 0; ; {
		if i := bytes.Index(r.buf[r.pos+from:r.end], r.delim); i >= 0 {
			line := r.buf[r.pos : r.pos+from+i]
			r.pos += from + i + len(r.delim)
			return line, nil
		}
		from = max(r.end-r.pos-len(r.delim)+1, 0) // a delimiter may have begun
		if err := r.fill(); err != nil {
			return r.last(err)
		}
	}
}

// last is what the stream's end leaves: a record without an end, or none.
func (r *Reader) last(err error) ([]byte, error) {
	if err != io.EOF || r.pos == r.end {
		return nil, err
	}
	line := r.buf[r.pos:r.end]
	r.pos = r.end
	r.cr = r.end
	return line, nil
}

// fill reads more behind buf[pos:end], which moves to the front or into a bigger
// buffer where there is no room. It returns once there is at least one more byte.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if r.end == len(r.buf) {
		if err := r.makeRoom(); err != nil {
			return err
		}
	}
	for range idleReads {
		n, err := r.src.Read(r.buf[r.end:])
		if n < 0 || n > len(r.buf)-r.end {
			return fmt.Errorf("reader returned %d bytes of %d", n, len(r.buf)-r.end)
		}
		old := r.end
		r.end += n
		r.err = err
		if n > 0 {
			if r.cr == old {
				r.findCR(old)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// makeRoom frees the front of a full buffer, or doubles it.
func (r *Reader) makeRoom() error {
	held, limit := r.end-r.pos, r.max+max(len(r.delim), 2)
	if held >= limit {
		return r.tooLong()
	}
	into := r.buf
	if r.pos < len(r.buf)/4 { // mostly one record: to move it again and again would cost more
		into = make([]byte, max(min(2*len(r.buf), limit), startBuffer))
	}
	copy(into, r.buf[r.pos:r.end])
	r.base += int64(r.pos)
	r.cr -= r.pos
	r.buf, r.pos, r.end = into, 0, held
	return nil
}

func (r *Reader) tooLong() error {
	return fmt.Errorf("%w: the one at byte %d has more than %d bytes", ErrTooLong, r.start, r.max)
}

// findCR sets cr, knowing that buf[pos:from] holds none.
func (r *Reader) findCR(from int) {
	r.cr = r.end
	if len(r.delim) > 0 {
		return
	}
	if i := bytes.IndexByte(r.buf[from:r.end], '\r'); i >= 0 {
		r.cr = from + i
	}
}
