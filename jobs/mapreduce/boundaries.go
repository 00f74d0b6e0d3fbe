package mapreduce

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// MaxBoundaries bounds BoundariesFile in bytes.
const MaxBoundaries = 64 << 20

// EncodeBoundaries is the content of BoundariesFile: the first key of each
// partition but the first, in the order of the partitions; each is its length
// (uint32, big-endian) and its bytes.
func EncodeBoundaries(keys [][]byte) []byte {
	var b bytes.Buffer
	for _, key := range keys {
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(key))))
		b.Write(key)
	}
	return b.Bytes()
}

// DecodeBoundaries reads BoundariesFile; the keys share its memory. There are at
// most MaxReducers - 1. The error is ErrTask.
func DecodeBoundaries(data []byte) ([][]byte, error) {
	if len(data) > MaxBoundaries {
		return nil, fmt.Errorf("%w: boundaries of %d bytes, at most %d", ErrTask, len(data), MaxBoundaries)
	}
	var keys [][]byte
	for len(data) > 0 {
		if len(keys) == MaxReducers-1 {
			return nil, fmt.Errorf("%w: more than %d boundaries", ErrTask, len(keys))
		}
		if len(data) < 4 {
			return nil, fmt.Errorf("%w: boundary %d ends early", ErrTask, len(keys))
		}
		n := uint64(binary.BigEndian.Uint32(data))
		data = data[4:]
		if n > uint64(len(data)) {
			return nil, fmt.Errorf("%w: boundary %d of %d bytes ends after %d", ErrTask, len(keys), n, len(data))
		}
		keys = append(keys, data[:n:n])
		data = data[n:]
	}
	return keys, nil
}
