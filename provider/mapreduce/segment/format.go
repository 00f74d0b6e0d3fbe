package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	// BlockSize is the size of a full block before compression, in bytes.
	BlockSize = 256 << 10

	headerSize = 12
	footerSize = headerSize + 40
	compressed = 1 << 31
	magic      = 0x5a534731 // "ZSG1", least significant byte first
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Footer is what the end of a segment says of it.
type Footer struct {
	Records   uint64 // values
	Bytes     uint64 // of the blocks before compression
	Blocks    uint32
	MaxKey    uint64 // bytes of the longest key
	MaxRaw    uint32 // bytes of the largest block before compression
	MaxStored uint32 // and as it is stored
}

// header is what stands before each block.
type header struct {
	stored, raw, sum uint32
	compressed       bool
}

// sizes are the header without its checksum.
func (h header) sizes(dst []byte) []byte {
	size := h.stored
	if h.compressed {
		size |= compressed
	}
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(dst, size), h.raw)
}

func (h header) encode(dst []byte) []byte {
	return binary.LittleEndian.AppendUint32(h.sizes(dst), h.sum)
}

func decodeHeader(b []byte) header {
	size := binary.LittleEndian.Uint32(b)
	return header{stored: size &^ compressed, compressed: size&compressed != 0,
		raw: binary.LittleEndian.Uint32(b[4:]), sum: binary.LittleEndian.Uint32(b[8:])}
}

// checksum of the block with that number.
func checksum(number uint32, h header, stored []byte) uint32 {
	var fixed [12]byte
	binary.LittleEndian.PutUint32(fixed[:], number)
	h.sizes(fixed[4:4])
	return crc32.Update(crc32.Update(0, castagnoli, fixed[:]), castagnoli, stored)
}

func (f Footer) encode() []byte {
	body := binary.LittleEndian.AppendUint32(nil, magic)
	body = binary.LittleEndian.AppendUint64(body, f.Records)
	body = binary.LittleEndian.AppendUint64(body, f.Bytes)
	body = binary.LittleEndian.AppendUint64(body, f.MaxKey)
	body = binary.LittleEndian.AppendUint32(body, f.Blocks)
	body = binary.LittleEndian.AppendUint32(body, f.MaxRaw)
	body = binary.LittleEndian.AppendUint32(body, f.MaxStored)
	h := header{stored: uint32(len(body))}
	h.sum = checksum(f.Blocks, h, body)
	return append(h.encode(nil), body...)
}

func decodeFooter(b []byte) (Footer, error) {
	h, body := decodeHeader(b), b[headerSize:footerSize]
	f := Footer{Records: binary.LittleEndian.Uint64(body[4:]), Bytes: binary.LittleEndian.Uint64(body[12:]),
		MaxKey: binary.LittleEndian.Uint64(body[20:]), Blocks: binary.LittleEndian.Uint32(body[28:]),
		MaxRaw: binary.LittleEndian.Uint32(body[32:]), MaxStored: binary.LittleEndian.Uint32(body[36:])}
	switch {
	case binary.LittleEndian.Uint32(body) != magic, h.raw != 0, int(h.stored) != len(body), h.compressed:
		return f, fmt.Errorf("%w: it does not end in a footer", ErrCorrupt)
	case checksum(f.Blocks, h, body) != h.sum:
		return f, fmt.Errorf("%w: its footer has checksum %08x, not %08x", ErrCorrupt, checksum(f.Blocks, h, body), h.sum)
	case f.Bytes > uint64(f.Blocks)*BlockSize:
		return f, fmt.Errorf("%w: its footer tells of %d bytes in %d blocks", ErrCorrupt, f.Bytes, f.Blocks)
	case f.MaxRaw > BlockSize || f.MaxStored > BlockSize || f.MaxKey > f.Bytes:
		return f, fmt.Errorf("%w: its footer tells of blocks of %d and %d bytes and keys of %d", ErrCorrupt, f.MaxRaw, f.MaxStored, f.MaxKey)
	}
	return f, nil
}

// Value cuts the first value off a payload.
func Value(payload []byte) (value, rest []byte, err error) {
	if len(payload) > 0 && payload[0] < 0x80 {
		if n := 1 + int(payload[0]); n <= len(payload) {
			return payload[1:n:n], payload[n:], nil
		}
	}
	size, n := binary.Uvarint(payload)
	if n <= 0 || size > uint64(len(payload)-n) {
		return nil, nil, fmt.Errorf("%w: a value goes beyond its %d bytes", ErrCorrupt, len(payload))
	}
	end := n + int(size)
	return payload[n:end:end], payload[end:], nil
}

// AppendValue adds a value to a payload.
func AppendValue(payload, value []byte) []byte {
	return append(binary.AppendUvarint(payload, uint64(len(value))), value...)
}
