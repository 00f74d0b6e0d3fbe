package mapreduce

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/provider/mapreduce/collect"
	"github.com/zennet/zennet/provider/mapreduce/segment"
)

// summed counts words as word count does, in pieces of a text as read gives them.
func summed(t testing.TB, read io.Reader) (counts map[string]string, lines int64) {
	t.Helper()
	dir := t.TempDir()
	c, err := collect.New(collect.Options{Reducers: 1, Sum: true, Memory: megabyte, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if lines, err = newWords(collected{c}).lines(&split{bytes: read, large: newLarge(0, io.Discard)}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out")
	if err := c.Finish(func(int) string { return path }); err != nil {
		t.Fatal(err)
	}
	m, err := segment.Options{Files: 3, Memory: megabyte}.Open([]segment.Input{{Path: path, Size: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	counts = map[string]string{}
	for {
		key, payload, err := m.Next()
		if err != nil {
			t.Fatal(err)
		}
		if payload == nil {
			return counts, lines
		}
		value, rest, err := segment.Value(payload)
		if err != nil || len(rest) > 0 || counts[string(key)] != "" {
			t.Fatalf("%q has more than one count: %v", key, err)
		}
		counts[string(key)] = string(value)
	}
}

// FuzzWords: words and lines are found as the slow way finds them.
func FuzzWords(f *testing.F) {
	f.Add([]byte("a b\x00c \x01 \xe9\xe0\fword 12345678 123456789\r\n"))
	f.Add([]byte("0123456789abcdef 0123456789abcdefg 0123456789abcde 0123456789abcdef\x01 \r\r\n\n x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		want := map[string]string{}
		count := map[string]int{}
		for _, w := range bytes.FieldsFunc(data, func(r rune) bool { return r < 128 && space[byte(r)] }) {
			count[string(w)]++
			want[string(w)] = fmt.Sprint(count[string(w)])
		}
		text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		lines := int64(strings.Count(text, "\n"))
		if text != "" && !strings.HasSuffix(text, "\n") {
			lines++
		}
		for _, read := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data))} {
			got, n := summed(t, read)
			if diff := cmp.Diff(want, got); diff != "" || n != lines {
				t.Fatalf("%d lines of %d, %s", n, lines, diff)
			}
		}
	})
}

// FuzzLines: lines are copied with LF as their end, in whatever pieces they come.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\r\r\nd\n\n\r"))
	f.Fuzz(func(t *testing.T, data []byte) {
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		for _, read := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data)), iotest.HalfReader(bytes.NewReader(data))} {
			var out bytes.Buffer
			n, err := (&split{bytes: read, large: newLarge(0, io.Discard)}).copyLines(&out)
			if err != nil || out.String() != want || n != int64(strings.Count(want, "\n")) {
				t.Fatalf("%d lines, %q, want %q: %v", n, out.String(), want, err)
			}
		}
	})
}
