package protocol

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// The fast way and the common one write and read the same frames.
func TestChunkFrames(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, ChunkSize, MaxManifest} {
		data := bytes.Repeat([]byte{7}, n)
		common, err := AppendFrame(nil, &Chunk{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		var fast bytes.Buffer
		if err := WriteChunk(&fast, data); err != nil || !bytes.Equal(fast.Bytes(), common) {
			t.Fatalf("%d bytes: another frame (%v)", n, err)
		}
		if back, err := ReadChunk(&fast, nil); err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%d bytes: %d came back (%v)", n, len(back), err)
		}
	}
	if err := WriteChunk(io.Discard, make([]byte, MaxManifest+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	buf := make([]byte, 0, 100)
	var w bytes.Buffer
	WriteChunk(&w, []byte("abc"))
	if back, err := ReadChunk(&w, buf); err != nil || &back[0] != &buf[:1][0] {
		t.Errorf("the buffer is not used (%v)", err)
	}
}

// FuzzReadChunk: what ReadChunk accepts, ReadMessage accepts as the same.
func FuzzReadChunk(f *testing.F) {
	for _, n := range []int{0, 30, 300} {
		frame, err := AppendFrame(nil, &Chunk{Data: make([]byte, n)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte{0, 0, 0, 5, chunkKind, 0xa1, 1, 0x58, 1, 7})
	f.Fuzz(func(t *testing.T, frame []byte) {
		r := bytes.NewReader(frame)
		data, err := ReadChunk(r, nil)
		s := bytes.NewReader(frame)
		m, other := ReadMessage(s)
		c, isChunk := m.(*Chunk)
		if err != nil {
			if other == nil && isChunk && c.Data != nil && len(c.Data) <= MaxManifest {
				t.Fatalf("refused (%v), ReadMessage takes it", err)
			}
			return
		}
		if other != nil || !isChunk || !bytes.Equal(c.Data, data) || r.Len() != s.Len() {
			t.Fatalf("taken, ReadMessage says %T, %v", m, other)
		}
	})
}
