package codec

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	// streamHeader is the length of "BZh9", where the digit is the block size.
	streamHeader = 4
	// maxBlock bounds a compressed block: 900,001 symbols of at most 20 bits, and
	// its tables.
	maxBlock = 2_500_000
	// maxFalse bounds how many bit patterns inside of one block are taken for the
	// next magic before it is called corrupt. One pattern in 2^47 is.
	maxFalse = 3
)

// errBehind says that the next block is not the split's own.
var errBehind = errors.New("the next block begins behind the split")

// blocks decodes a bzip2 file block by block.
type blocks struct {
	bits    magicReader
	end     int64 // in bits: a block that begins there or later is not the split's own
	started bool
	err     error

	magic uint64 // the magic that was read last; 0 = none, the file has ended
	at    int64  // where it begins, in bits
	whole bool   // the stream was read from its header on, so its sum can be checked
	sum   uint32 // of the stream's blocks so far

	data    []byte // of the block, and what was read behind it
	size    int    // of the block in data, in bits
	crc     uint32
	decoder io.Reader // of the block; nil between blocks
	begun   bool      // decoder has given bytes
	tries   int
}

// Blocks reads the blocks of a bzip2 file that begin at its bytes from offset to
// offset+length, decoded; r reads the file from offset. own ends before the first
// block that begins behind; after, to be read when own has ended, goes on there to
// the file's end. Concatenated streams are one. As in Hadoop, a file's first block
// belongs to who begins at 0, however short that split is.
//
// Both readers share up to 16 MiB. A wrong checksum of a block or stream, or an end
// in the midst of a stream, is an error.
func Blocks(r io.Reader, offset, length int64) (own, after io.Reader) {
	end := offset + length
	if end < offset || end > math.MaxInt64/8 {
		end = math.MaxInt64 / 8
	}
	b := &blocks{end: 8 * max(end, streamHeader+1)}
	b.bits.src, b.bits.read = newSource(r), offset
	return blockReader{b, true}, blockReader{b, false}
}

// blockReader is one side of a split's end.
type blockReader struct {
	*blocks
	own bool
}

func (r blockReader) Read(p []byte) (int, error) {
	for r.err == nil && len(p) > 0 {
		if r.decoder == nil {
			err := r.next(r.own)
			if err == errBehind {
				return 0, io.EOF
			}
			r.fail(err)
			continue
		}
		n, err := r.decoder.Read(p)
		if n > 0 {
			r.begun = true
			return n, nil
		}
		if err == io.EOF {
			r.decoder = nil
			r.sum = (r.sum<<1 | r.sum>>31) ^ r.crc
		} else if err != nil {
			r.fail(r.retry(err))
		}
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

// next makes the next block's decoder. io.EOF is the end of the file, and
// errBehind of the split.
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
	crc, err := b.bits.take(32)
	if err != nil {
		return tooSoon(err)
	}
	b.crc = uint32(crc)
	b.data, b.tries, b.begun = b.data[:0], 0, false
	b.bits.restart()
	return b.gather()
}

// start finds the first magic: the file's, or that of the first block behind
// offset.
func (b *blocks) start() error {
	if b.bits.read == 0 {
		if b.bits.ended() {
			return io.EOF
		}
		return b.startStream()
	}
	for b.bits.read < streamHeader+1 {
		if _, err := b.bits.take(8); err != nil {
			return err
		}
	}
	b.bits.restart()
	for {
		_, magic, err := b.bits.next()
		if err != nil { // no block begins in the rest of the file
			return err
		}
		if magic == blockMagic {
			b.take(magic)
			return nil
		}
	}
}

// startStream reads a stream's header and first magic.
func (b *blocks) startStream() error {
	head, err := b.bits.take(8 * streamHeader)
	if err != nil {
		return tooSoon(err)
	}
	if level := head & 0xff; head>>8 != 'B'<<16|'Z'<<8|'h' || level < '1' || level > '9' {
		return fmt.Errorf("no stream begins at byte %d", b.bits.at()/8-streamHeader)
	}
	b.whole, b.sum = true, 0
	magic, err := b.bits.take(magicBits)
	if err != nil {
		return tooSoon(err)
	}
	if magic != blockMagic && magic != endMagic {
		return fmt.Errorf("neither a block nor a stream's end before byte %d", b.bits.at()/8)
	}
	b.take(magic)
	return nil
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

// take notes a magic that was just read.
func (b *blocks) take(magic uint64) {
	b.magic, b.at = magic, b.bits.at()-magicBits
}

// gather reads the block's bits up to the next magic, and decodes them.
func (b *blocks) gather() error {
	for len(b.data) < maxBlock {
		c, magic, err := b.bits.next()
		if err != nil {
			return tooSoon(err)
		}
		b.data = append(b.data, c)
		if magic != 0 {
			b.take(magic)
			b.size = 8*len(b.data) - magicBits - int(b.bits.behind)
			b.decode()
			return nil
		}
	}
	return fmt.Errorf("a block does not end within %d bytes before byte %d", maxBlock, b.bits.at()/8)
}

// retry goes on where a block could not be decoded at all: what seemed to end it may
// have been a pattern of its own bits.
func (b *blocks) retry(err error) error {
	if b.begun || b.tries == maxFalse {
		return err
	}
	b.tries++
	b.bits.resume()
	if b.gather() != nil {
		return err
	}
	return nil
}

// decode makes a stream of the one block, for a library that reads only streams.
func (b *blocks) decode() {
	head := binary.BigEndian.AppendUint64(nil, 'B'<<56|'Z'<<48|'h'<<40|'9'<<32|blockMagic>>16)
	head = binary.BigEndian.AppendUint16(head, blockMagic&0xffff)
	head = binary.BigEndian.AppendUint32(head, b.crc)
	// A stream of one block has the block's sum.
	tail := binary.BigEndian.AppendUint64(nil, endMagic<<16|uint64(b.crc>>16))
	tail = binary.BigEndian.AppendUint16(tail, uint16(b.crc))

	whole, rest := b.size/8, b.size%8
	shifted := make([]byte, len(tail)+1)
	shifted[0] = b.data[whole] &^ (0xff >> rest)
	for i, c := range tail {
		shifted[i] |= c >> rest
		shifted[i+1] = c << (8 - rest)
	}
	if rest == 0 {
		shifted = shifted[:len(tail)]
	}
	b.decoder = bzip2.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(b.data[:whole]), bytes.NewReader(shifted)))
}

// tooSoon is err in a place where the file may not end.
func tooSoon(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
