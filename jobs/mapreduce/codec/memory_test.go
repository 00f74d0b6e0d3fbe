package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// allocated is how many bytes reading all of packed allocates, held or not.
func allocated(t *testing.T, c Codec, packed []byte) (size, held int64, err error) {
	t.Helper()
	var before, after runtime.MemStats
	buf := make([]byte, 64<<10)
	runtime.ReadMemStats(&before)
	r, err := c.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		var n int
		n, err = r.Read(buf)
		size += int64(n)
	}
	runtime.ReadMemStats(&after)
	if more := r.Close(); more != nil {
		t.Error(more)
	}
	if err == io.EOF {
		err = nil
	}
	return size, int64(after.TotalAlloc - before.TotalAlloc), err
}

// most is how many bytes the reader of a format may hold.
var most = map[string]int64{
	"gzip":    256 << 10, // a window of 32 KiB, tables and buffers
	"deflate": 256 << 10,
	"bzip2":   4 << 20, // 4 bytes for each of the 900,000 of a block, and tables
	"zstd":    zstdWindow + 8<<20,
	"snappy":  2*maxChunk + 64<<10,
	"lz4":     2*maxChunk + 64<<10,
}

// TestBombIsReadInBoundedMemory: what grows a thousandfold is handed out in pieces.
func TestBombIsReadInBoundedMemory(t *testing.T) {
	const size = 40_000_000
	for _, c := range codecs {
		packed := compress(t, c, make([]byte, size))
		got, bytes, err := allocated(t, c, packed)
		if err != nil || got != size {
			t.Errorf("%s: %d bytes, error %v", c.Name(), got, err)
		}
		if bytes > most[c.name] {
			t.Errorf("%s: reading allocates %d bytes, at most %d are promised", c.Name(), bytes, most[c.name])
		}
	}
}

// TestHostileLengths: lengths that nothing stands behind cost no more than promised.
func TestHostileLengths(t *testing.T) {
	words := func(ns ...uint32) (b []byte) {
		for _, n := range ns {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	window := func(size int) []byte {
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out, zstd.WithWindowSize(size), zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 300_000)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil { // so that the frame does not say how long it is
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	tooLong := append(words(1<<31), words(uint32(len(snappy.Encode(nil, make([]byte, maxChunk+1)))))...)
	tooLong = append(tooLong, snappy.Encode(nil, make([]byte, maxChunk+1))...)
	for _, c := range []struct {
		name, codec string
		data        []byte
		want        error
	}{
		{"a chunk of 4 GiB", "snappy", words(0xffffffff, 0xffffffff), ErrCorrupt},
		{"a chunk of 4 GiB", "lz4", words(0xffffffff, 0xffffffff), ErrCorrupt},
		{"the largest chunk, and nothing", "snappy", words(0xffffffff, maxChunk), io.ErrUnexpectedEOF},
		{"the largest chunk, and nothing", "lz4", words(0xffffffff, maxChunk), io.ErrUnexpectedEOF},
		{"a chunk that says it holds 4 GiB", "snappy", append(words(0xffffffff, 5), "\xff\xff\xff\xff\x0f"...), ErrCorrupt},
		{"a chunk that holds more than can be read", "snappy", tooLong, ErrCorrupt},
		{"a chunk that holds more than its block", "snappy", append(words(1, 5), "\x03\x08abc"...), ErrCorrupt},
		{"a chunk that holds nothing", "snappy", append(words(1, 1), 0), ErrCorrupt},
		{"a chunk of nothing", "lz4", words(1, 0), ErrCorrupt},
		{"the largest window", "zstd", window(zstdWindow), nil},
		{"a larger window", "zstd", window(2 * zstdWindow), ErrCorrupt},
	} {
		codec := codecOf(t, c.codec)
		_, bytes, err := allocated(t, codec, c.data)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s, %s: error %v, want %v", c.codec, c.name, err, c.want)
		}
		if bytes > most[c.codec] {
			t.Errorf("%s, %s: reading allocates %d bytes, at most %d are promised", c.codec, c.name, bytes, most[c.codec])
		}
	}
}
