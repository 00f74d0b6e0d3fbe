package codec

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// bitWriter writes bits, the highest first.
type bitWriter struct {
	out  []byte
	free int
}

func (w *bitWriter) put(value uint64, n int) {
	for n--; n >= 0; n-- {
		if w.free == 0 {
			w.out, w.free = append(w.out, 0), 8
		}
		w.free--
		w.out[len(w.out)-1] |= byte(value>>n&1) << w.free
	}
}

// bzip2Sum is the format's checksum: CRC-32 with the highest bit first.
func bzip2Sum(data []byte) uint32 {
	sum := ^uint32(0)
	for _, c := range data {
		sum ^= uint32(c) << 24
		for range 8 {
			if sum&(1<<31) != 0 {
				sum = sum<<1 ^ 0x04c11db7
			} else {
				sum <<= 1
			}
		}
	}
	return ^sum
}

// streamOf is a stream of one block whose code is the symbols as they are: all 256
// bytes are used, and the first 254 symbols have codes of 8 bits, in order.
func streamOf(symbols []byte, sum uint32) []byte {
	w := &bitWriter{}
	w.put('B'<<24|'Z'<<16|'h'<<8|'9', 32)
	w.put(blockMagic, 48)
	w.put(uint64(sum), 32)
	w.put(0, 1+24) // not randomised; the first row is the text
	for range 17 {
		w.put(0xffff, 16)
	}
	w.put(2, 3) // two tables, the least; only the first is used
	w.put(uint64(len(symbols)/50+1), 15)
	w.put(0, len(symbols)/50+1)
	for range 2 {
		w.put(8, 5)
		w.put(0, 254)
		w.put(0b100, 3) // the next is longer by one
		w.put(0, 3)
	}
	for _, s := range symbols {
		w.put(uint64(s), 8)
	}
	w.put(511, 9) // the block's end
	w.put(endMagic, 48)
	w.put(uint64(sum), 32)
	return w.out
}

// TestMagicWithinABlock: a pattern of a block's own bits that looks like a magic
// ends no block.
func TestMagicWithinABlock(t *testing.T) {
	var symbols []byte
	rng := rand.New(rand.NewPCG(7, 8))
	for _, magic := range []string{"\x31\x41\x59\x26\x53\x59", "\x17\x72\x45\x38\x50\x90", ""} {
		for range 100 {
			symbols = append(symbols, byte(rng.IntN(254)))
		}
		symbols = append(symbols, magic...)
	}
	data, err := io.ReadAll(stdbzip2.NewReader(bytes.NewReader(streamOf(symbols, 0))))
	if len(data) == 0 {
		t.Fatal(err)
	}
	packed := streamOf(symbols, bzip2Sum(data))
	packed = append(packed, bzipped(t, 1, []byte("next"))...)
	data = append(data, "next"...)
	if got, err := io.ReadAll(stdbzip2.NewReader(bytes.NewReader(packed))); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("the test's file: %d bytes of %d, error %v", len(got), len(data), err)
	}
	if len(starts(packed)) != 3 {
		t.Fatalf("the test's file has %d patterns", len(starts(packed)))
	}
	own, _ := split(packed, 0, int64(len(packed)))
	if got, err := io.ReadAll(own); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes of %d, error %v", len(got), len(data), err)
	}
	// Who begins to read within the block cannot know, but says that it is wrong.
	own, _ = split(packed, starts(packed)[1], int64(len(packed)))
	if got, err := io.ReadAll(own); len(got) > 0 || !errors.Is(err, ErrCorrupt) {
		t.Errorf("from the pattern on: %d bytes, error %v", len(got), err)
	}
}

func codecOf(t testing.TB, name string) Codec {
	t.Helper()
	c, ok := ByName(name)
	if !ok {
		t.Fatalf("no codec %s", name)
	}
	return c
}
