package segment

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A file in pieces reads as the whole.
func TestPieces(t *testing.T) {
	data := write(t, sample(1, 500, 40, 3000))
	dir := t.TempDir()
	cut := func(name string, each int) string {
		t.Helper()
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		rest := data
		for i := 0; len(rest) > 0; i++ {
			n := min(each, len(rest))
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%08d", i)), rest[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		return folder
	}
	for _, each := range []int{1000, len(data) / 2, len(data) - 1, len(data), len(data) + 1} {
		folder := cut(fmt.Sprint(each), each)
		f, size, err := openFile(folder)
		if err != nil || size != int64(len(data)) {
			t.Fatalf("%d bytes a piece: %d in all, %v", each, size, err)
		}
		got := make([]byte, len(data)+10)
		if n, err := f.ReadAt(got, 0); n != len(data) || err != io.EOF || string(got[:n]) != string(data) {
			t.Errorf("%d bytes a piece: read %d, %v", each, n, err)
		}
		if n, err := f.ReadAt(got[:10], int64(len(data))-10); n != 10 || err != nil || string(got[:10]) != string(data[len(data)-10:]) {
			t.Errorf("%d bytes a piece: the end: %d, %v", each, n, err)
		}
		f.Close()
		m, err := Options{Dir: dir, Memory: 1 << 20, Files: 8}.Open([]Input{{Path: folder, Size: size}})
		if err != nil {
			t.Fatal(err)
		}
		for payload := []byte{1}; payload != nil && err == nil; {
			_, payload, err = m.Next()
		}
		if err != nil || m.Records != 500 {
			t.Errorf("%d bytes a piece: %d records, %v", each, m.Records, err)
		}
		m.Close()
	}
	if size, err := Size(cut("size", 5000)); err != nil || size != int64(len(data)) {
		t.Errorf("size: %d, %v", size, err)
	}
	short := cut("short", 1000)
	if err := os.Truncate(filepath.Join(short, "00000001"), 999); err != nil {
		t.Fatal(err)
	}
	f, _, err := openFile(short)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 2500), 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a short piece: %v", err)
	}
	if size, err := Size(t.TempDir()); err != nil || size != 0 {
		t.Errorf("of nothing: %d, %v", size, err)
	}
}
