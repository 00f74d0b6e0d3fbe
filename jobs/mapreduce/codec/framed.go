package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/pierrec/lz4/v4"
)

const (
	// writeChunk is how many bytes are compressed at a time. Hadoop's readers hold
	// 256 KiB of either side, and its writer leaves room for what snappy may add
	// (n/6 + 32), as this does.
	writeChunk = 256<<10 - 256<<10/6 - 32
	// maxChunk bounds either side of a chunk that is read. Hadoop's are 256 KiB
	// unless its buffer sizes were set.
	maxChunk = 16 << 20
	// lz4Ratio is the most that LZ4 can compress.
	lz4Ratio = 255
)

// framed reads what Hadoop's BlockCompressorStream writes: for each block its raw
// length, then chunks of compressed length and data until the raw length is
// filled. The lengths are 32 bits, big-endian.
type framed struct {
	src    *source
	decode func(dst, chunk []byte, left int) ([]byte, error)
	left   int // raw bytes of the block that are not decoded yet
	chunk  []byte
	raw    []byte
	unread []byte // the end of raw
}

func (f *framed) Close() error { return nil }

func (f *framed) Read(p []byte) (int, error) {
	for len(f.unread) == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.unread)
	f.unread = f.unread[n:]
	return n, nil
}

// next decodes a chunk. Between blocks the data may end.
func (f *framed) next() error {
	if f.left == 0 {
		size, err := f.length()
		if err != nil {
			return err
		}
		f.left = size // an empty file is one block of no bytes
		return nil
	}
	size, err := f.length()
	if err == nil && size > maxChunk {
		err = fmt.Errorf("a chunk of %d bytes, at most %d can be read", size, maxChunk)
	}
	if err == nil {
		f.chunk = grow(f.chunk, size)
		_, err = io.ReadFull(f.src, f.chunk)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if f.raw, err = f.decode(f.raw, f.chunk, f.left); err != nil {
		return err
	}
	if len(f.raw) == 0 || len(f.raw) > f.left {
		return fmt.Errorf("a chunk holds %d bytes where its block has %d left", len(f.raw), f.left)
	}
	f.left -= len(f.raw)
	f.unread = f.raw
	return nil
}

func (f *framed) length() (int, error) {
	var b [4]byte
	if _, err := io.ReadFull(f.src, b[:]); err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint32(b[:])), nil
}

// grow is a slice of n bytes, buf's where it has room.
func grow(buf []byte, n int) []byte {
	if n <= cap(buf) {
		return buf[:n]
	}
	return make([]byte, n)
}

func openSnappy(r io.Reader) (io.ReadCloser, error) {
	return openFramed("snappy", r, func(dst, chunk []byte, left int) ([]byte, error) {
		n, err := snappy.DecodedLen(chunk)
		if err != nil {
			return nil, err
		}
		if n > min(left, maxChunk) {
			return nil, fmt.Errorf("a chunk holds %d bytes where its block has %d left, at most %d can be read", n, left, maxChunk)
		}
		return snappy.Decode(grow(dst, n), chunk)
	})
}

func openLz4(r io.Reader) (io.ReadCloser, error) {
	return openFramed("lz4", r, func(dst, chunk []byte, left int) ([]byte, error) {
		dst = grow(dst, min(left, lz4Ratio*len(chunk), maxChunk))
		n, err := lz4.UncompressBlock(chunk, dst)
		if err != nil {
			return nil, err
		}
		return dst[:n], nil
	})
}

func openFramed(format string, r io.Reader, decode func(dst, chunk []byte, left int) ([]byte, error)) (io.ReadCloser, error) {
	return newStream(format, r, func(src *source) (io.ReadCloser, error) {
		return &framed{src: src, decode: decode}, nil
	})
}

// framer writes blocks of one chunk each.
type framer struct {
	w      io.Writer
	encode func(dst, raw []byte) ([]byte, error) // dst has room for what raw may become
	raw    []byte
	out    []byte
	wrote  bool
	err    error
}

func newFramer(w io.Writer, bound int, encode func(dst, raw []byte) ([]byte, error)) *framer {
	return &framer{w: w, encode: encode, raw: make([]byte, 0, writeChunk), out: make([]byte, 8+bound)}
}

func (f *framer) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) && f.err == nil {
		n := min(len(p)-done, writeChunk-len(f.raw))
		f.raw = append(f.raw, p[done:done+n]...)
		done += n
		if len(f.raw) == writeChunk {
			f.err = f.flush()
		}
	}
	return done, f.err
}

func (f *framer) flush() error {
	chunk, err := f.encode(f.out[8:], f.raw)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(f.out, uint32(len(f.raw)))
	binary.BigEndian.PutUint32(f.out[4:], uint32(len(chunk)))
	f.raw, f.wrote = f.raw[:0], true
	_, err = f.w.Write(f.out[:8+len(chunk)])
	return err
}

// Close writes what is left. No bytes at all are one empty block, as Hadoop's.
func (f *framer) Close() error {
	switch {
	case f.err != nil:
		return f.err
	case len(f.raw) > 0:
		f.err = f.flush()
	case !f.wrote:
		_, f.err = f.w.Write(make([]byte, 4))
	}
	if f.err != nil {
		return f.err
	}
	f.err = errors.New("writer is closed")
	return nil
}

func createSnappy(w io.Writer) (io.WriteCloser, error) {
	return newFramer(w, snappy.MaxEncodedLen(writeChunk), func(dst, raw []byte) ([]byte, error) {
		return snappy.Encode(dst, raw), nil
	}), nil
}

func createLz4(w io.Writer) (io.WriteCloser, error) {
	var c lz4.Compressor
	return newFramer(w, lz4.CompressBlockBound(writeChunk), func(dst, raw []byte) ([]byte, error) {
		n, err := c.CompressBlock(raw, dst)
		return dst[:n], err
	}), nil
}
