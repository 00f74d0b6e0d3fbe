package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/dsnet/compress/bzip2"

	"github.com/zennet/zennet/jobs/mapreduce/record"
)

// bzipped compresses with blocks of level·100,000 bytes.
func bzipped(t testing.TB, level int, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := bzip2.NewWriter(&out, &bzip2.WriterConfig{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// manyBlocks is a file of several streams, each of several blocks or none.
func manyBlocks(t testing.TB) (packed, data []byte) {
	var text bytes.Buffer
	rng := rand.New(rand.NewPCG(3, 4))
	for text.Len() < 500_000 {
		fmt.Fprintf(&text, "%d %s%s", rng.Uint64(), strings.Repeat("xy", rng.IntN(45)), []string{"\n", "\r\n", "\r"}[rng.IntN(3)])
	}
	half := text.Len() / 2
	for _, part := range [][]byte{text.Bytes()[:half], nil, text.Bytes()[half:], []byte("the last stream")} {
		packed = append(packed, bzipped(t, 1, part)...)
		data = append(data, part...)
	}
	return packed, data
}

// starts finds the bytes in which a block's magic begins.
func starts(packed []byte) (at []int64) {
	window := uint64(0)
	for i := range 8 * len(packed) {
		window = window<<1 | uint64(packed[i/8]>>(7-i%8)&1)
		if window&(1<<magicBits-1) == blockMagic {
			at = append(at, int64(i-magicBits+1)/8)
		}
	}
	return at
}

// split reads both sides of a split.
func split(packed []byte, offset, end int64) (own, after io.Reader) {
	return Blocks(bytes.NewReader(packed[offset:]), offset, end-offset)
}

func TestBlocksBelongToOneSplit(t *testing.T) {
	packed, data := manyBlocks(t)
	size := int64(len(packed))
	at := starts(packed)
	if len(at) < 5 {
		t.Fatalf("only %d blocks", len(at))
	}
	rng := rand.New(rand.NewPCG(5, 6))
	splittings := [][]int64{{size}, {1, 2, 3, 4, 5, 6, size}, at[1:], {size - 1, size}}
	for _, off := range []int64{-5, -1, 1, 2, 6} {
		var ends []int64
		for _, a := range at[1:] {
			ends = append(ends, a+off)
		}
		splittings = append(splittings, append(ends, size))
	}
	for range 4 {
		ends := []int64{size}
		for range rng.IntN(12) {
			ends = append(ends, 1+rng.Int64N(size-1))
		}
		slices.Sort(ends)
		splittings = append(splittings, slices.Compact(ends))
	}
	for _, ends := range splittings {
		if ends[len(ends)-1] != size {
			ends = append(ends, size)
		}
		var got, cut []byte
		start := int64(0)
		for _, end := range ends {
			own, after := split(packed, start, end)
			part, err := io.ReadAll(own)
			if err != nil {
				t.Fatalf("split %d to %d: %v", start, end, err)
			}
			got = append(got, part...)
			if rest, err := io.ReadAll(io.LimitReader(after, 1000)); err != nil || !bytes.HasPrefix(data[len(got):], rest) || len(part) > 0 && len(rest) < min(1000, len(data)-len(got)) {
				t.Fatalf("split %d to %d: %d bytes after %d of %d, error %v", start, end, len(rest), len(got), len(data), err)
			}
			own, after = split(packed, start, end)
			records, err := io.ReadAll(record.Cut(own, after, start == 0, nil))
			if err != nil {
				t.Fatalf("records of %d to %d: %v", start, end, err)
			}
			if n := len(records); n > 0 && len(cut)+n < len(data) && !bytes.ContainsAny(records[n-1:], "\r\n") {
				t.Fatalf("records of %d to %d end with %q", start, end, records[max(n-20, 0):])
			}
			cut = append(cut, records...)
			start = end
		}
		if !bytes.Equal(got, data) || !bytes.Equal(cut, data) {
			t.Errorf("ends %v: %d bytes of blocks, %d of records, want %d", ends, len(got), len(cut), len(data))
		}
	}
}

// TestFirstBlockIsTheFirstSplits: and a block belongs to the split that holds the
// byte in which it begins.
func TestFirstBlockIsTheFirstSplits(t *testing.T) {
	packed, data := manyBlocks(t)
	at := starts(packed)
	for _, c := range []struct {
		name        string
		offset, end int64
		whole       bool // own is everything; otherwise it is nothing
	}{
		{"a split of one byte", 0, 1, false},
		{"from within the header", 2, at[1], false},
		{"from the first block's first byte", 4, at[1], false},
		{"up to the second block's first byte", at[0], at[1], false},
		{"from the second block's first byte", at[1], int64(len(packed)), true},
		{"from behind the last block's first byte", at[len(at)-1] + 1, int64(len(packed)), false},
	} {
		own, _ := split(packed, c.offset, c.end)
		part, err := io.ReadAll(own)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.offset == 0 && (len(part) == 0 || !bytes.HasPrefix(data, part)):
			t.Errorf("%s: %d bytes", c.name, len(part))
		case c.whole && (len(part) == 0 || !bytes.HasSuffix(data, part)):
			t.Errorf("%s: %d bytes", c.name, len(part))
		case c.offset > 0 && !c.whole && len(part) > 0:
			t.Errorf("%s: %d bytes, want none", c.name, len(part))
		}
	}
}

func TestBlocksTruncatedOrCorrupt(t *testing.T) {
	packed, data := manyBlocks(t)
	at := starts(packed)
	whole := func(packed []byte) ([]byte, error) {
		own, _ := split(packed, 0, int64(len(packed)))
		return io.ReadAll(own)
	}
	for _, n := range []int{1, 4, 5, 10, 14, 20, int(at[1]), int(at[1]) + 7, len(packed) / 2, len(packed) - 1} {
		got, err := whole(packed[:n])
		if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(data, got) {
			t.Errorf("truncated to %d of %d: %d bytes, error %v", n, len(packed), len(got), err)
		}
	}
	for _, n := range []int{0, 3, 4, 9, 11, 13, 30, int(at[1]) + 8, len(packed) / 2, len(packed) - 2} {
		bad := bytes.Clone(packed)
		bad[n] ^= 0x10
		if _, err := whole(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("byte %d flipped: error %v", n, err)
		}
	}
	if _, err := whole(append(bytes.Clone(packed), "garbage"...)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("garbage behind the last stream: error %v", err)
	}
	broken := errors.New("connection lost")
	own, _ := Blocks(io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(broken)), 0, int64(len(packed)))
	if _, err := io.ReadAll(own); !errors.Is(err, broken) {
		t.Errorf("broken reader: error %v", err)
	}
	if got, err := whole(nil); len(got) > 0 || err != nil {
		t.Errorf("an empty file: %d bytes, error %v", len(got), err)
	}
}

// TestRandomisedBlock: Hadoop wrote the file, with one randomised block; bzip2 -d
// agrees about what is in it.
func TestRandomisedBlock(t *testing.T) {
	packed, err := os.ReadFile("testdata/randomised.bz2")
	if err != nil {
		t.Fatal(err)
	}
	got, err := decompress(codecOf(t, "bzip2"), bytes.NewReader(packed))
	if err != nil || !bytes.Equal(got, make([]byte, 1_500_000)) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
}
