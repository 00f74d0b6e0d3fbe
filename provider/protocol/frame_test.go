package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/zennet/zennet/ledger/types"
)

// Every kind of message travels and comes back as it was.
func TestEveryMessageTravels(t *testing.T) {
	samples := valid(t)
	var stream bytes.Buffer
	for _, k := range kinds {
		m := samples[k.number]
		if m == nil {
			t.Fatalf("no sample of message %d", k.number)
		}
		if err := WriteMessage(&stream, m); err != nil {
			t.Fatalf("message %d: %v", k.number, err)
		}
	}
	in := iotest.OneByteReader(&stream)
	for _, k := range kinds {
		got, err := ReadMessage(in)
		if err != nil {
			t.Fatalf("message %d: %v", k.number, err)
		}
		if diff := cmp.Diff(samples[k.number], got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Ready{})); diff != "" {
			t.Errorf("message %d came back changed (-sent +got):\n%s", k.number, diff)
		}
	}
	if _, err := ReadMessage(in); err != io.EOF {
		t.Errorf("after the last one: %v, want EOF", err)
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	good, err := AppendFrame(nil, &Bye{Reason: "done"})
	if err != nil {
		t.Fatal(err)
	}
	frame := func(number uint8, length uint32, body ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, length)
		return append(append(b, number), body...)
	}
	trailing := append(bytes.Clone(good), 0)
	trailing[3]++
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"unknown number":  {frame(200, 1), ErrKind},
		"length zero":     {frame(12, 0), ErrTooLarge},
		"beyond its kind": {frame(12, 4<<10+2), ErrTooLarge},
		"4 GiB announced": {frame(33, 1<<32-1), ErrTooLarge},
		"cut in the head": {good[:3], io.ErrUnexpectedEOF},
		"cut in the body": {good[:len(good)-1], io.ErrUnexpectedEOF},
		"head alone":      {good[:5], io.ErrUnexpectedEOF},
		"trailing byte":   {trailing, types.ErrEncoding},
		"not canonical":   {frame(12, 6, 0xa1, 0x01, 0x78, 0x01, 'x'), types.ErrEncoding}, // length 1 in two bytes
		"out of bounds":   {must(AppendFrame(nil, &Bye{Reason: string(make([]byte, MaxText+1))})), ErrInvalid},
	} {
		if _, err := ReadMessage(bytes.NewReader(c.data)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := Read[Drop](bytes.NewReader(good)); !errors.Is(err, ErrKind) {
		t.Errorf("another message than expected: %v", err)
	}
	if _, err := AppendFrame(nil, &Bye{Reason: string(make([]byte, 8<<10))}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("sending too much: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A frame of largest size is refused before its body is held where there is no
// body: memory follows what arrived.
func TestHugeLengthHoldsLittle(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, 16<<20)
	head = append(head, 33)
	if got := testing.AllocsPerRun(1, func() {
		if _, err := ReadMessage(bytes.NewReader(head)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	}); got > 50 {
		t.Errorf("%v allocations", got)
	}
	var before, after = measure(), 0
	for range 8 {
		_, _ = ReadMessage(bytes.NewReader(head))
	}
	if after = measure(); after-before > 16<<20 {
		t.Errorf("%d bytes allocated for eight empty frames of 16 MiB each", after-before)
	}
}

// FuzzReadMessage: no panic, and what is accepted encodes to the same frame.
func FuzzReadMessage(f *testing.F) {
	for _, m := range valid(f) {
		f.Add(must(AppendFrame(nil, m)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bytes.NewReader(data)
		m, err := ReadMessage(in)
		if err != nil {
			return
		}
		again, err := AppendFrame(nil, m)
		if err != nil {
			t.Fatalf("accepted %T does not encode: %v", m, err)
		}
		if read := data[:len(data)-in.Len()]; !bytes.Equal(again, read) {
			t.Fatalf("accepted %x, encodes to %x", read, again)
		}
	})
}

// FuzzDecodeAnn: the same for the body of an announcement.
func FuzzDecodeAnn(f *testing.F) {
	f.Add(types.Encode(ann()))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := DecodeAnn(data); err == nil && !bytes.Equal(types.Encode(a), data) {
			t.Fatalf("accepted %x, encodes to %x", data, types.Encode(a))
		}
	})
}
