package protocol

import (
	"bufio"
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

// Data is read in a buffer, and as ReadMessage reads it.
func TestReadData(t *testing.T) {
	buf := make([]byte, 0, 100)
	for _, d := range []Data{{Bytes: []byte{}}, {Bytes: []byte("abc")}, {Bytes: []byte{}, Error: "gone"}, {Bytes: bytes.Repeat([]byte{7}, ChunkSize)}} {
		frame, err := AppendFrame(nil, &d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadData(bufio.NewReader(bytes.NewReader(frame)), buf)
		if err != nil || !bytes.Equal(got.Bytes, d.Bytes) || got.Error != d.Error {
			t.Errorf("%d bytes, %q: %d came, %q (%v)", len(d.Bytes), d.Error, len(got.Bytes), got.Error, err)
		}
		if len(got.Bytes) == 3 && &got.Bytes[0] != &buf[:1][0] {
			t.Error("the buffer is not used")
		}
	}
}

// FuzzReadData: what ReadData accepts, ReadMessage accepts as the same, and the other
// way round.
func FuzzReadData(f *testing.F) {
	for _, d := range []Data{{Bytes: []byte("abc")}, {Bytes: make([]byte, 300)}, {Bytes: []byte{}, Error: "gone"}} {
		frame, err := AppendFrame(nil, &d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte{0, 0, 0, 5, dataKind, 0xa1, 1, 0x58, 1, 7})
	f.Add([]byte{0, 0, 0, 1, dataKind})
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, s := bufio.NewReader(bytes.NewReader(frame)), bufio.NewReader(bytes.NewReader(frame))
		got, err := ReadData(r, nil)
		m, other := ReadMessage(s)
		want, is := m.(*Data)
		if other != nil || !is {
			if err == nil {
				t.Fatalf("taken, ReadMessage says %T, %v", m, other)
			}
			return
		}
		if err != nil && want.Bytes != nil && len(want.Bytes) <= ChunkSize {
			t.Fatalf("refused (%v), ReadMessage takes it", err)
		}
		if err == nil && (!bytes.Equal(got.Bytes, want.Bytes) || got.Error != want.Error || r.Buffered() != s.Buffered()) {
			t.Fatalf("%+v, ReadMessage says %+v", got, want)
		}
	})
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
