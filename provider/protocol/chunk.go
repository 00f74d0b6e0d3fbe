package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Chunks are most of the bytes that travel. WriteChunk and ReadChunk are
// WriteMessage and ReadMessage for them: the same frames, without copies.

// chunkKind is Chunk's number on the wire.
const chunkKind = 50

// chunkHead is the frame of a Chunk of n bytes up to its data: the frame's head,
// then a CBOR map of one entry whose key is 1 and whose value is a byte string.
func chunkHead(buf []byte, n int) []byte {
	at := len(buf)
	buf = append(buf, 0, 0, 0, 0, chunkKind, 0xa1, 0x01)
	switch {
	case n < 24:
		buf = append(buf, 0x40|byte(n))
	case n < 1<<8:
		buf = append(buf, 0x58, byte(n))
	case n < 1<<16:
		buf = binary.BigEndian.AppendUint16(append(buf, 0x59), uint16(n))
	default:
		buf = binary.BigEndian.AppendUint32(append(buf, 0x5a), uint32(n))
	}
	binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4+n))
	return buf
}

// maxChunkHead is the longest chunkHead.
const maxChunkHead = 4 + 1 + 2 + 5

// WriteChunk writes the frame of a Chunk of data, in two Writes.
func WriteChunk(w io.Writer, data []byte) error {
	if len(data) > MaxManifest {
		return fmt.Errorf("%w: Chunk of %d bytes, at most %d", ErrTooLarge, len(data), MaxManifest)
	}
	var head [maxChunkHead]byte
	if _, err := w.Write(chunkHead(head[:0], len(data))); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// ReadChunk reads a frame that must hold a Chunk and returns its data, in buf
// where that is large enough. A frame that ReadMessage would refuse is refused.
func ReadChunk(r io.Reader, buf []byte) ([]byte, error) {
	var head [maxChunkHead]byte
	if _, err := io.ReadFull(r, head[:8]); err != nil {
		return nil, err
	}
	if head[4] != chunkKind {
		return nil, fmt.Errorf("%w: number %d, want a Chunk", ErrKind, head[4])
	}
	more := 0 // bytes of the length that are still to be read
	if head[7] >= 0x58 && head[7] <= 0x5a {
		more = 1 << (head[7] - 0x58)
	}
	if _, err := io.ReadFull(r, head[8:8+more]); err != nil {
		return nil, cut(err)
	}
	n := 0
	switch more {
	case 0:
		n = int(head[7] & 0x1f)
	case 1:
		n = int(head[8])
	case 2:
		n = int(binary.BigEndian.Uint16(head[8:]))
	case 4:
		n = int(binary.BigEndian.Uint32(head[8:]))
	}
	if n > MaxManifest {
		return nil, fmt.Errorf("%w: Chunk of %d bytes, at most %d", ErrTooLarge, n, MaxManifest)
	}
	if string(chunkHead(nil, n)) != string(head[:8+more]) {
		return nil, fmt.Errorf("%w: Chunk of %d bytes has another encoding", ErrInvalid, n)
	}
	buf = slices.Grow(buf[:0], n)[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, cut(err)
	}
	return buf, nil
}

// cut is err, where a frame has begun.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
