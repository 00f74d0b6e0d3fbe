package segment

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Source is a run of entries in order.
type Source interface {
	// Next goes to the next entry, if there is one.
	Next() (bool, error)
	// Key is the entry's key, until the next call of Next.
	Key() []byte
	// Same says that the entry's key is that of the entry before.
	Same() bool
	// Payload gives the entry's values. It may use big, which belongs to several
	// sources, for what does not lie in memory in one piece; it holds until big is
	// used again or Next is called.
	Payload(big *[]byte) ([]byte, error)
}

// Reader reads a segment. It is a Source.
type Reader struct {
	in     io.ReaderAt
	at     int64 // of the next block
	end    int64 // of the last
	footer Footer
	number uint32 // of the next block
	bytes  uint64 // of the blocks so far

	block   []byte // as written
	pos     int    // in block
	raw     []byte // buffers
	stored  []byte
	key     []byte
	inBlock bool // key lies in block
	keep    []byte
	same    bool
	any     bool
	pending uint64 // bytes of the payload that are still before pos
}

// Open reads a segment of size bytes that begins at offset.
func Open(in io.ReaderAt, offset, size int64) (*Reader, error) {
	r := &Reader{in: in, at: offset, end: offset}
	if size == 0 {
		return r, nil
	}
	if size < footerSize {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrCorrupt, size)
	}
	r.end = offset + size - footerSize
	var tail [footerSize]byte
	if _, err := in.ReadAt(tail[:], r.end); err != nil {
		return nil, fmt.Errorf("read the footer: %w", err)
	}
	var err error
	if r.footer, err = decodeFooter(tail[:]); err != nil {
		return nil, err
	}
	// A block's header and at least one byte, or what compression leaves of it.
	if least := int64(r.footer.Blocks) * (headerSize + 1); size-footerSize < least {
		return nil, fmt.Errorf("%w: %d bytes cannot hold its %d blocks", ErrCorrupt, size, r.footer.Blocks)
	}
	return r, nil
}

// Footer is what the segment says of itself.
func (r *Reader) Footer() Footer { return r.footer }

// Cost is the memory that reading takes, in bytes, without large values.
func (f Footer) Cost() int64 {
	return int64(f.MaxRaw) + int64(f.MaxStored) + int64(f.MaxKey) + 1024
}

// Next implements Source.
func (r *Reader) Next() (bool, error) {
	for r.pending > 0 {
		if err := r.fill(); err != nil {
			return false, err
		}
		n := min(r.pending, uint64(len(r.block)-r.pos))
		r.pos += int(n)
		r.pending -= n
	}
	if r.pos == len(r.block) {
		if r.number == r.footer.Blocks {
			if r.bytes != r.footer.Bytes || r.at != r.end {
				return false, fmt.Errorf("%w: %d bytes up to %d, and its footer at %d tells of %d", ErrCorrupt, r.bytes, r.at, r.end, r.footer.Bytes)
			}
			return false, nil
		}
		if err := r.load(); err != nil {
			return false, err
		}
	}
	size, err := r.uvarint()
	if err != nil {
		return false, err
	}
	r.same = size == 0
	switch {
	case r.same && !r.any:
		return false, fmt.Errorf("%w: its first entry has no key", ErrCorrupt)
	case size > r.footer.MaxKey+1:
		return false, fmt.Errorf("%w: a key of %d bytes, and its footer tells of %d at most", ErrCorrupt, size-1, r.footer.MaxKey)
	case !r.same:
		if err := r.readKey(int(size - 1)); err != nil {
			return false, err
		}
		r.any = true
	}
	if r.pending, err = r.uvarint(); err != nil {
		return false, err
	}
	if left := r.footer.Bytes - r.bytes + uint64(len(r.block)-r.pos); r.pending > left {
		return false, fmt.Errorf("%w: values of %d bytes where %d are left", ErrCorrupt, r.pending, left)
	}
	return true, nil
}

// Key implements Source.
func (r *Reader) Key() []byte { return r.key }

// Same implements Source.
func (r *Reader) Same() bool { return r.same }

// Payload implements Source.
func (r *Reader) Payload(big *[]byte) ([]byte, error) {
	n := r.pending
	if n <= uint64(len(r.block)-r.pos) {
		start := r.pos
		r.pos += int(n)
		r.pending = 0
		return r.block[start:r.pos:r.pos], nil
	}
	var err error
	*big, err = r.gather((*big)[:0], int(n))
	r.pending = 0
	return *big, err
}

func (r *Reader) readKey(n int) error {
	if n <= len(r.block)-r.pos {
		r.key, r.inBlock = r.block[r.pos:r.pos+n:r.pos+n], true
		r.pos += n
		return nil
	}
	r.inBlock = false
	var err error
	r.keep, err = r.gather(r.keep[:0], n)
	r.key = r.keep
	return err
}

// promised is how much memory is taken for what has only been promised: enough for
// a large record not to be copied as it grows, and little where nothing comes,
// for pages that are not used cost nothing.
const promised = 256 << 20

// gather appends n bytes. Beyond what is promised it takes memory as they come.
func (r *Reader) gather(dst []byte, n int) ([]byte, error) {
	dst = slices.Grow(dst, min(n, promised))
	for n > 0 {
		if err := r.fill(); err != nil {
			return dst, err
		}
		part := r.block[r.pos:min(len(r.block), r.pos+n)]
		dst = append(dst, part...)
		r.pos += len(part)
		n -= len(part)
	}
	return dst, nil
}

// uvarint reads a number, which may lie across the ends of blocks.
func (r *Reader) uvarint() (uint64, error) {
	if r.pos < len(r.block) && r.block[r.pos] < 0x80 {
		r.pos++
		return uint64(r.block[r.pos-1]), nil
	}
	if v, n := binary.Uvarint(r.block[r.pos:]); n > 0 {
		r.pos += n
		return v, nil
	}
	var digits [binary.MaxVarintLen64]byte
	for i := range digits {
		if err := r.fill(); err != nil {
			return 0, err
		}
		digits[i] = r.block[r.pos]
		r.pos++
		if digits[i] < 0x80 {
			if v, n := binary.Uvarint(digits[:i+1]); n > 0 {
				return v, nil
			}
			break
		}
	}
	return 0, fmt.Errorf("%w: a number has too many digits", ErrCorrupt)
}

// fill sees to it that there is at least one byte.
func (r *Reader) fill() error {
	if r.pos < len(r.block) {
		return nil
	}
	return r.load()
}

// load reads the next block.
func (r *Reader) load() error {
	if r.number == r.footer.Blocks {
		return fmt.Errorf("%w: it ends within an entry", ErrCorrupt)
	}
	if r.inBlock {
		r.keep = append(r.keep[:0], r.key...)
		r.key, r.inBlock = r.keep, false
	}
	var head [headerSize]byte
	if _, err := r.in.ReadAt(head[:], r.at); err != nil {
		return fmt.Errorf("read block %d at %d: %w", r.number, r.at, err)
	}
	h := decodeHeader(head[:])
	if h.raw == 0 || h.raw > r.footer.MaxRaw || h.stored > r.footer.MaxStored {
		return fmt.Errorf("%w: block %d at %d has sizes %d and %d", ErrCorrupt, r.number, r.at, h.stored, h.raw)
	}
	if r.stored == nil {
		r.stored = make([]byte, r.footer.MaxStored)
	}
	stored := r.stored[:h.stored]
	if r.at+headerSize+int64(h.stored) > r.end {
		return fmt.Errorf("%w: block %d at %d goes beyond its end", ErrCorrupt, r.number, r.at)
	}
	if _, err := r.in.ReadAt(stored, r.at+headerSize); err != nil {
		return fmt.Errorf("read block %d at %d: %w", r.number, r.at, err)
	}
	if sum := checksum(r.number, h, stored); sum != h.sum {
		return fmt.Errorf("%w: block %d at %d has checksum %08x, not %08x", ErrCorrupt, r.number, r.at, sum, h.sum)
	}
	if r.block, r.pos = stored, 0; h.compressed {
		size, err := s2.DecodedLen(stored)
		if err != nil || size != int(h.raw) {
			return fmt.Errorf("%w: block %d at %d does not hold %d bytes", ErrCorrupt, r.number, r.at, h.raw)
		}
		if r.raw == nil {
			r.raw = make([]byte, r.footer.MaxRaw)
		}
		if r.block, err = s2.Decode(r.raw[:size], stored); err != nil {
			return fmt.Errorf("%w: block %d at %d: %w", ErrCorrupt, r.number, r.at, err)
		}
	} else if h.raw != h.stored {
		return fmt.Errorf("%w: block %d at %d has sizes %d and %d", ErrCorrupt, r.number, r.at, h.stored, h.raw)
	}
	r.number++
	r.at += headerSize + int64(h.stored)
	r.bytes += uint64(h.raw)
	return nil
}
