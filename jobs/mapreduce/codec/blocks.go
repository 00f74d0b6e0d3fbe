package codec

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// streamHeader is the length of "BZh9", where the digit is the level.
const streamHeader = 4

// errBehind says that the next block is not the split's own.
var errBehind = errors.New("the next block begins behind the split")

// blocks decodes a bzip2 file block by block.
type blocks struct {
	bits    bitReader
	end     int64 // in bits: a block that begins there or later is not the split's own
	started bool
	err     error

	magic uint64 // the magic that was read last; 0 = none, the file has ended
	at    int64  // where it begins, in bits
	level int    // of the stream
	whole bool   // the stream was read from its header on, so its sum can be checked
	sum   uint32 // of the stream's blocks so far

	block  block
	inside bool // block is being read
}

// Blocks reads the blocks of a bzip2 file that begin at its bytes from offset to
// offset+length, decoded; r reads the file from offset. own ends before the first
// block that begins behind; after, to be read when own has ended, goes on there to
// the file's end. Concatenated streams are one. As in Hadoop, a file's first block
// belongs to who begins at 0, however short that split is.
//
// Both readers share the memory of one (Codec.Memory). A wrong checksum of a block
// or stream, or an end in the midst of a stream, is an error.
func Blocks(r io.Reader, offset, length int64) (own, after io.Reader) {
	end := offset + length
	if end < offset || end > math.MaxInt64/8 {
		end = math.MaxInt64 / 8
	}
	b := &blocks{end: 8 * max(end, streamHeader+1), level: maxLevel}
	b.bits.src, b.bits.read = newSource(r), offset
	return blockReader{b, true}, blockReader{b, false}
}

func openBzip2(r io.Reader) (io.ReadCloser, error) {
	own, _ := Blocks(r, 0, math.MaxInt64)
	return io.NopCloser(own), nil
}

// blockReader is one side of a split's end.
type blockReader struct {
	*blocks
	own bool
}

func (r blockReader) Read(p []byte) (int, error) {
	for r.err == nil && len(p) > 0 {
		if r.inside {
			if n := r.block.read(p); n > 0 {
				return n, nil
			}
			r.fail(r.endBlock())
			continue
		}
		err := r.next(r.own)
		if err == errBehind {
			return 0, io.EOF
		}
		r.fail(err)
	}
	return 0, r.err
}

// fail keeps the first error; io.EOF is the file's end.
func (b *blocks) fail(err error) {
	switch {
	case err == nil:
	case err == io.EOF && b.bits.src.err == nil:
		b.err = err
	default:
		b.err = sentence("bzip2", b.bits.src, err)
	}
}

// next opens the next block. io.EOF is the end of the file, and errBehind of the
// split.
func (b *blocks) next(own bool) error {
	if !b.started {
		b.started = true
		if err := b.start(); err != nil {
			return err
		}
	}
	for b.magic == endMagic {
		if err := b.endStream(); err != nil {
			return err
		}
	}
	if b.magic == 0 {
		return io.EOF
	}
	if own && b.at >= b.end {
		return errBehind
	}
	b.inside = true
	return tooSoon(b.block.open(&b.bits, b.level))
}

// start finds the first magic: the file's, or that of the first block behind
// offset.
func (b *blocks) start() error {
	if b.bits.read == 0 {
		if b.bits.ended() {
			return io.EOF // as in Hadoop, nothing is an empty file
		}
		return b.startStream()
	}
	for b.bits.read < streamHeader+1 {
		if _, err := b.bits.take(8); err != nil {
			return err
		}
	}
	if err := b.bits.seekBlock(); err != nil { // no block begins in the rest of the file
		return err
	}
	b.magic, b.at = blockMagic, b.bits.at()-magicBits
	return nil
}

// startStream reads a stream's header and first magic.
func (b *blocks) startStream() error {
	head, err := b.bits.take(8 * streamHeader)
	if err != nil {
		return tooSoon(err)
	}
	b.level, b.whole, b.sum = int(head&0xff)-'0', true, 0
	if head>>8 != 'B'<<16|'Z'<<8|'h' || b.level < 1 || b.level > maxLevel {
		return fmt.Errorf("no stream begins at byte %d", b.bits.at()/8-streamHeader)
	}
	return b.readMagic()
}

// endStream checks a stream's sum and goes on to the next stream, if there is one.
func (b *blocks) endStream() error {
	sum, err := b.bits.take(32)
	if err != nil {
		return tooSoon(err)
	}
	if b.whole && uint32(sum) != b.sum {
		return fmt.Errorf("the stream before byte %d has sum %08x, not %08x", b.bits.at()/8, b.sum, sum)
	}
	b.bits.align()
	if b.bits.ended() {
		b.magic = 0
		return nil
	}
	return b.startStream()
}

// endBlock checks a block's sum and reads what follows it.
func (b *blocks) endBlock() error {
	b.inside = false
	if err := b.block.check(); err != nil {
		return err
	}
	b.sum = (b.sum<<1 | b.sum>>31) ^ b.block.want
	return b.readMagic()
}

// readMagic reads what must be a magic.
func (b *blocks) readMagic() error {
	magic, err := b.bits.take(magicBits)
	if err != nil {
		return tooSoon(err)
	}
	b.magic, b.at = magic, b.bits.at()-magicBits
	if magic != blockMagic && magic != endMagic {
		return fmt.Errorf("neither a block nor a stream's end at byte %d", b.at/8)
	}
	return nil
}

// tooSoon is err in a place where the file may not end.
func tooSoon(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
