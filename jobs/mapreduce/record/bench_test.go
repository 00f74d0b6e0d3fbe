package record

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// BenchmarkReader: bytes a second, by the length of lines.
func BenchmarkReader(b *testing.B) {
	for _, c := range []struct{ name, line, delim string }{
		{"word a line", "word\n", ""},
		{"LF", strings.Repeat("word ", 14) + "\n", ""},
		{"CRLF", strings.Repeat("word ", 14) + "\r\n", ""},
		{"CR", strings.Repeat("word ", 14) + "\r", ""},
		{"delimiter", strings.Repeat("word ", 14) + "\n--\n", "\n--\n"},
		{"1 MB a line", strings.Repeat("word ", 200_000) + "\n", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			data := []byte(strings.Repeat(c.line, 32<<20/len(c.line)))
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r := NewReader(bytes.NewReader(data), []byte(c.delim), 0)
				for err := error(nil); err == nil; {
					_, err = r.Next()
				}
			}
		})
	}
}

// BenchmarkCut is a split of which its first record is the former's.
func BenchmarkCut(b *testing.B) {
	data := bytes.Repeat([]byte(strings.Repeat("word ", 14)+"\n"), 32<<20/71)
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		c := Cut(bytes.NewReader(data), bytes.NewReader(data), false, nil)
		for err := error(nil); err != io.EOF; {
			_, err = c.Read(buf)
		}
	}
}
