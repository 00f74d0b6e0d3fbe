package codec

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"errors"
	"io"
	"strings"
	"testing"
)

// fuzzSize is how far a fuzzed input may grow before the test stops to look.
const fuzzSize = 4 << 20

// FuzzReaders: whatever the input, a reader ends with one of the package's errors
// or none, and what it accepts goes through the writer and back.
func FuzzReaders(f *testing.F) {
	for i, c := range codecs {
		for _, text := range []string{"", "text\n", strings.Repeat("more text\n", 30)} {
			packed := compress(f, c, []byte(text))
			f.Add(uint8(i), packed)
			f.Add(uint8(i), append(packed, packed...))
			f.Add(uint8(i), packed[:len(packed)/2])
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, packed []byte) {
		c := codecs[int(which)%len(codecs)]
		data, err := decompressSome(c, packed)
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		if err != nil || len(data) == fuzzSize {
			return
		}
		back, err := decompressSome(c, compress(t, c, data))
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%s: %d bytes back of %d, error %v", c.Name(), len(back), len(data), err)
		}
	})
}

func decompressSome(c Codec, packed []byte) ([]byte, error) {
	r, err := c.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, fuzzSize))
}

// FuzzBlocks: what Go's own reader accepts, the splits give, each block once; what
// it does not, they refuse as well, but for randomised blocks and codes that leave
// bits unused.
func FuzzBlocks(f *testing.F) {
	for _, text := range []string{"", "text\n", strings.Repeat("more text\n", 30), strings.Repeat("\x00", 700)} {
		packed := bzipped(f, 9, []byte(text))
		f.Add(packed, uint16(3))
		f.Add(append(packed, packed...), uint16(len(packed)))
		f.Add(append(packed, packed...), uint16(len(packed)+4))
		f.Add(packed[:len(packed)/2], uint16(9))
	}
	f.Fuzz(func(t *testing.T, packed []byte, cut uint16) {
		want, wantErr := io.ReadAll(io.LimitReader(stdbzip2.NewReader(bytes.NewReader(packed)), fuzzSize))
		at := min(int64(cut), int64(len(packed)))
		read := func(offset, end int64) ([]byte, error) {
			own, _ := split(packed, offset, end)
			return io.ReadAll(io.LimitReader(own, fuzzSize))
		}
		got, err := read(0, at)
		if at > 0 && at < int64(len(packed)) && err == nil {
			var rest []byte
			rest, err = read(at, int64(len(packed)))
			got = append(got, rest...)
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		switch {
		case wantErr == nil && err != nil:
			t.Fatalf("cut at %d: %v", at, err)
		case wantErr == nil && len(want) < fuzzSize && !bytes.Equal(got, want):
			t.Fatalf("cut at %d: %d bytes of %d", at, len(got), len(want))
		}
	})
}
