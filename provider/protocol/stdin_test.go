package protocol

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A Data that is framed in place is the frame that AppendFrame makes, and its
// content comes back.
func TestDataFrames(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, ChunkSize} {
		data := bytes.Repeat([]byte{7}, n)
		common, err := AppendFrame(nil, &Data{Bytes: data})
		if err != nil {
			t.Fatal(err)
		}
		buf := append(bytes.Repeat([]byte{9}, DataRoom+3), data...)
		start := SealData(buf, DataRoom+3)
		if !bytes.Equal(buf[start:], common) {
			t.Fatalf("%d bytes: another frame", n)
		}
		if !bytes.Equal(buf[:start], bytes.Repeat([]byte{9}, start)) {
			t.Errorf("%d bytes: what is before the frame was overwritten", n)
		}
		r := bytes.NewReader(buf[start:])
		if m, size, err := ReadFeed(r); m != nil || size != n || err != nil || r.Len() != n {
			t.Errorf("%d bytes: read %v, %d, %v, %d left", n, m, size, err, r.Len())
		}
	}
}

func TestReadFeed(t *testing.T) {
	big := append(make([]byte, DataRoom), make([]byte, ChunkSize+1)...)
	for name, c := range map[string]struct {
		frame []byte
		want  error
	}{
		"more than a chunk":  {big[SealData(big, DataRoom):], ErrTooLarge},
		"data with an error": {must(AppendFrame(nil, &Data{Error: "no"})), ErrInvalid},
		"cut in the head":    {[]byte{0, 0, 0, 5, dataKind, 0xa1}, io.ErrUnexpectedEOF},
		"cut in the length":  {[]byte{0, 0, 1, 5, dataKind, 0xa1, 1, 0x59, 1}, io.ErrUnexpectedEOF},
		"length in two":      {[]byte{0, 0, 0, 5, dataKind, 0xa1, 1, 0x58, 1, 7}, ErrInvalid},
		"another length":     {[]byte{0, 0, 0, 9, dataKind, 0xa1, 1, 0x41, 7}, ErrInvalid},
		"unknown":            {[]byte{0, 0, 0, 1, 99}, ErrKind},
		"no more":            {nil, io.EOF},
	} {
		if m, _, err := ReadFeed(bytes.NewReader(c.frame)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v, want %v", name, m, err, c.want)
		}
	}
}

// FuzzReadFeed: what ReadFeed accepts, ReadMessage accepts as the same.
func FuzzReadFeed(f *testing.F) {
	for _, m := range []Message{&Data{Bytes: []byte{}}, &Data{Bytes: make([]byte, 300)}, &Feed{ID: "a", From: 1}, &FeedEnd{Size: 3}, &FeedBlob{Hash: hash(1), Size: 3}, &Fed{End: FedWhole}} {
		f.Add(must(AppendFrame(nil, m)))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, s := bytes.NewReader(frame), bytes.NewReader(frame)
		m, n, err := ReadFeed(r)
		want, other := ReadMessage(s)
		data, isData := want.(*Data)
		switch {
		case err != nil:
			if other == nil && !(isData && data.Error != "") {
				t.Fatalf("refused (%v), ReadMessage takes it", err)
			}
		case m == nil:
			content := make([]byte, n)
			if _, err := io.ReadFull(r, content); err != nil {
				return // cut in the content: ReadMessage refuses it
			}
			if !isData || !bytes.Equal(data.Bytes, content) || r.Len() != s.Len() {
				t.Fatalf("taken as Data of %d bytes, ReadMessage says %T, %v", n, want, other)
			}
		default:
			if diff := cmp.Diff(want, m); diff != "" || isData {
				t.Fatal(diff)
			}
		}
	})
}
