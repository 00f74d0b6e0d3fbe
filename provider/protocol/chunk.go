package protocol

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Chunks and Data are most of the bytes that travel. WriteChunk, ReadChunk, SealData and
// ReadData are WriteMessage and ReadMessage for them: the same frames, without copies.

// chunkKind is Chunk's number on the wire.
const chunkKind = 50

// bytesHead is the frame of a message that is n bytes and nothing else, up to
// these: the frame's head, then a CBOR map of one entry whose key is 1 and whose
// value is a byte string.
func bytesHead(buf []byte, kind uint8, n int) []byte {
	at := len(buf)
	buf = append(buf, 0, 0, 0, 0, kind, 0xa1, 0x01)
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

// maxBytesHead is the longest bytesHead.
const maxBytesHead = frameHead + 2 + 5

// readBytesHead reads the rest of a bytesHead into head, which holds a frame's
// head already, and returns n.
func readBytesHead(r io.Reader, head []byte) (n int, err error) {
	const first = frameHead + 2 // where the byte string begins
	if _, err := io.ReadFull(r, head[frameHead:first+1]); err != nil {
		return 0, cut(err)
	}
	more := 0 // bytes of the length that are still to be read
	if head[first] >= 0x58 && head[first] <= 0x5a {
		more = 1 << (head[first] - 0x58)
	}
	rest := head[first+1 : first+1+more]
	if _, err := io.ReadFull(r, rest); err != nil {
		return 0, cut(err)
	}
	switch more {
	case 0:
		n = int(head[first] & 0x1f)
	case 1:
		n = int(rest[0])
	case 2:
		n = int(binary.BigEndian.Uint16(rest))
	case 4:
		n = int(binary.BigEndian.Uint32(rest))
	}
	var want [maxBytesHead]byte
	if string(bytesHead(want[:0], head[4], n)) != string(head[:first+1+more]) {
		return 0, fmt.Errorf("%w: message %d of %d bytes has another encoding", ErrInvalid, head[4], n)
	}
	return n, nil
}

// WriteChunk writes the frame of a Chunk of data, in two Writes.
func WriteChunk(w io.Writer, data []byte) error {
	if len(data) > MaxManifest {
		return fmt.Errorf("%w: Chunk of %d bytes, at most %d", ErrTooLarge, len(data), MaxManifest)
	}
	var head [maxBytesHead]byte
	if _, err := w.Write(bytesHead(head[:0], chunkKind, len(data))); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// ReadChunk reads a frame that must hold a Chunk and returns its data, in buf
// where that is large enough. A frame that ReadMessage would refuse is refused.
func ReadChunk(r io.Reader, buf []byte) ([]byte, error) {
	var head [maxBytesHead]byte
	if _, err := io.ReadFull(r, head[:frameHead]); err != nil {
		return nil, err
	}
	if head[4] != chunkKind {
		return nil, fmt.Errorf("%w: number %d, want a Chunk", ErrKind, head[4])
	}
	n, err := readBytesHead(r, head[:])
	if err != nil {
		return nil, err
	}
	if n > MaxManifest {
		return nil, fmt.Errorf("%w: Chunk of %d bytes, at most %d", ErrTooLarge, n, MaxManifest)
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

// ReadData reads a frame that must hold a Data, whose content is in buf where that is
// large enough. A frame that ReadMessage would refuse is refused.
func ReadData(r *bufio.Reader, buf []byte) (Data, error) {
	head, err := r.Peek(frameHead + 1)
	if err != nil && len(head) > 0 {
		return Data{}, cut(err)
	}
	if err != nil || head[4] != dataKind || head[frameHead] != 0xa1 { // with an Error it is no mere content
		d, err := Read[Data](r)
		if err != nil {
			return Data{}, err
		}
		return *d, nil
	}
	_, n, err := ReadFeed(r)
	if err != nil {
		return Data{}, err
	}
	buf = slices.Grow(buf[:0], n)[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return Data{}, cut(err)
	}
	return Data{Bytes: buf}, nil
}
