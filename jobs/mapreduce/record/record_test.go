package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// naive is the rules of the records of a whole file, byte by byte.
func naive(data []byte, delim string) (records []string, starts []int) {
	start := 0
	cut := func(end, next int) {
		records, starts = append(records, string(data[start:end])), append(starts, start)
		start = next
	}
	for i := 0; i < len(data); i++ {
		switch {
		case delim != "":
			if strings.HasPrefix(string(data[i:]), delim) {
				cut(i, i+len(delim))
				i = start - 1
			}
		case data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n':
			cut(i, i+2)
			i++
		case data[i] == '\r' || data[i] == '\n':
			cut(i, i+1)
		}
	}
	if start < len(data) {
		cut(len(data), len(data))
	}
	return records, starts
}

func readAll(t interface{ Fatal(...any) }, r *Reader) (records []string, starts []int) {
	for {
		line, err := r.Next()
		if err == io.EOF {
			return records, starts
		}
		if err != nil {
			t.Fatal(err)
		}
		records, starts = append(records, string(line)), append(starts, int(r.Offset()))
	}
}

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name, data, delim string
		want              []string
	}{
		{"nothing", "", "", nil},
		{"one without an end", "a", "", []string{"a"}},
		{"LF", "a\nb\n", "", []string{"a", "b"}},
		{"CRLF", "a\r\nb\r\n", "", []string{"a", "b"}},
		{"lone CR", "a\rb\r", "", []string{"a", "b"}},
		{"CR CR LF is two ends", "a\r\r\nb", "", []string{"a", "", "b"}},
		{"LF CR is two ends", "a\n\rb", "", []string{"a", "", "b"}},
		{"empty lines", "\n\n\r\n", "", []string{"", "", ""}},
		{"NULs and invalid UTF-8", "\x00\xff\n\xfe", "", []string{"\x00\xff", "\xfe"}},
		{"delimiter", "a||b||", "||", []string{"a", "b"}},
		{"half a delimiter at the end", "a||b|", "||", []string{"a", "b|"}},
		{"delimiter that overlaps itself", "a|||b", "||", []string{"a", "|b"}},
		{"delimiter of one byte leaves LF alone", "a\nb;c\n", ";", []string{"a\nb", "c\n"}},
		{"delimiter LF leaves CR alone", "a\r\nb", "\n", []string{"a\r", "b"}},
		{"false start of a delimiter", "aaab", "aab", []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(c.data), iotest.OneByteReader(strings.NewReader(c.data)), iotest.DataErrReader(strings.NewReader(c.data))} {
				got, starts := readAll(t, NewReader(src, []byte(c.delim), 0))
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				if _, want := naive([]byte(c.data), c.delim); !cmp.Equal(want, starts) {
					t.Errorf("offsets %v, want %v", starts, want)
				}
			}
		})
	}
}

// anyFile draws bytes that are full of ends, and a delimiter of the same bytes.
func anyFile(t *rapid.T) (data []byte, delim string) {
	alphabet := rapid.SampledFrom([]byte("ab\r\n"))
	delim = string(rapid.SliceOfN(alphabet, 0, 5).Draw(t, "delimiter"))
	return rapid.SliceOfN(alphabet, 0, 60).Draw(t, "data"), delim
}

// inPieces returns a reader of data in pieces of drawn sizes.
func inPieces(t *rapid.T, data []byte) io.Reader {
	var parts []io.Reader
	for len(data) > 0 {
		n := rapid.IntRange(1, len(data)).Draw(t, "piece")
		parts = append(parts, bytes.NewReader(data[:n]))
		data = data[n:]
	}
	return io.MultiReader(parts...)
}

func TestReaderIsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data, delim := anyFile(t)
		got, starts := readAll(t, NewReader(inPieces(t, data), []byte(delim), 0))
		want, wantStarts := naive(data, delim)
		if !cmp.Equal(got, want) || !cmp.Equal(starts, wantStarts) {
			t.Fatalf("%q by %q: %q at %v, want %q at %v", data, delim, got, starts, want, wantStarts)
		}
	})
}

// cuts reads data in the splits that end at ends, each by its own Cut.
func cuts(t interface{ Fatal(...any) }, data []byte, delim string, ends []int, open func([]byte) io.Reader) (parts []string, skipped []int) {
	start := 0
	for _, end := range ends {
		c := Cut(open(data[start:end]), open(data[end:]), start == 0, []byte(delim))
		part, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		parts, skipped = append(parts, string(part)), append(skipped, int(c.Skipped()))
		start = end
	}
	return parts, skipped
}

// TestAnySplittingGivesEachRecordOnce: the parts joined are the file, and each
// part's records are records of the file, whole.
func TestAnySplittingGivesEachRecordOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data, delim := anyFile(t)
		var ends []int
		for at := 0; at < len(data); {
			at = rapid.IntRange(at+1, len(data)).Draw(t, "end")
			ends = append(ends, at)
		}
		parts, skipped := cuts(t, data, delim, ends, func(b []byte) io.Reader { return inPieces(t, b) })
		if joined := strings.Join(parts, ""); joined != string(data) {
			t.Fatalf("%q by %q at %v: parts %q", data, delim, ends, parts)
		}
		var got []string
		start := 0
		for i, part := range parts {
			records, _ := naive([]byte(part), delim)
			got = append(got, records...)
			if part != "" && !strings.HasPrefix(string(data[start+skipped[i]:]), part) {
				t.Fatalf("part %q does not begin at %d+%d in %q", part, start, skipped[i], data)
			}
			start = ends[i]
		}
		if want, _ := naive(data, delim); !cmp.Equal(got, want) {
			t.Fatalf("%q by %q at %v: %q, want %q", data, delim, ends, got, want)
		}
	})
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		max  int
		long bool
	}{
		{"at the limit", 100, 100, false},
		{"one more", 101, 100, true},
		{"big, at the limit", 200_000, 200_000, false},
		{"big, one more", 200_001, 200_000, true},
		{"far beyond", 10_000_000, 200_000, true},
	} {
		for _, end := range []string{"\n", "\r\n", "", "||"} {
			t.Run(c.name+" "+end, func(t *testing.T) {
				var delim []byte
				if end == "||" {
					delim = []byte(end)
				}
				r := NewReader(strings.NewReader("x"+end+strings.Repeat("a", c.size)+end), delim, c.max)
				if end != "" {
					if _, err := r.Next(); err != nil {
						t.Fatal(err)
					}
				}
				_, err := r.Next()
				if errors.Is(err, ErrTooLong) != (c.long || end == "" && c.size == c.max) {
					t.Errorf("error %v", err)
				}
				if err != nil && !errors.Is(err, ErrTooLong) {
					t.Error(err)
				}
				if len(r.buf) > 3*max(c.max, startBuffer) {
					t.Errorf("buffer of %d bytes for records of %d", len(r.buf), c.max)
				}
			})
		}
	}
}
