package record

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func whole(b []byte) io.Reader { return bytes.NewReader(b) }

// TestSplits: who gets which record, by Hadoop's rule; parts are joined by "·".
func TestSplits(t *testing.T) {
	for _, c := range []struct {
		name, data, delim string
		ends              []int
		want              string
	}{
		{"a record that begins at the end is the former's", "ab\ncd\nef\n", "", []int{3, 9}, "ab\ncd\n·ef\n"},
		{"one that begins behind is the latter's", "ab\ncd\n", "", []int{2, 6}, "ab\n·cd\n"},
		{"end between CR and LF", "ab\r\ncd\r\n", "", []int{3, 8}, "ab\r\n·cd\r\n"},
		{"end before CR LF", "ab\r\ncd\r\n", "", []int{2, 8}, "ab\r\n·cd\r\n"},
		{"end behind CR LF", "ab\r\ncd\r\nef", "", []int{4, 10}, "ab\r\ncd\r\n·ef"},
		{"end behind a lone CR", "ab\rcd\ref", "", []int{3, 8}, "ab\rcd\r·ef"},
		{"end within CR CR LF", "a\r\r\nb", "", []int{2, 5}, "a\r\r\n·b"},
		{"end within CR CR LF, later", "a\r\r\nb", "", []int{3, 5}, "a\r\r\n·b"},
		{"a record longer than splits", "abcdefgh\nij\n", "", []int{2, 4, 6, 8, 10, 12}, "abcdefgh\n····ij\n·"},
		{"no record begins in the first byte's split but one", "a\nb", "", []int{1, 3}, "a\n·b"},
		{"a BOM stays", "\xef\xbb\xbfa\nb\n", "", []int{4, 7}, "\xef\xbb\xbfa\n·b\n"},
		{"an empty file", "", "", []int{0}, ""},
		{"delimiter straddles the end", "ab##cd##ef", "##", []int{3, 10}, "ab##cd##·ef"},
		{"delimiter begins at the end", "ab#-cd#-ef", "#-", []int{2, 10}, "ab#-·cd#-ef"},
		{"delimiter ends at the end", "ab#-cd#-ef", "#-", []int{4, 10}, "ab#-cd#-·ef"},
		{"delimiter straddles, whole file behind it", "ab#-cd", "#-", []int{3, 6}, "ab#-cd·"},
		{"a run of LF LF at the end is in one piece", "a\n\n\nb\n\nc", "\n\n", []int{2, 8}, "a\n\n\nb\n\n·c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts, _ := cuts(t, []byte(c.data), c.delim, c.ends, whole)
			if diff := cmp.Diff(strings.Split(c.want, "·"), parts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHadoopsRule: lines go where s < p ≤ e, and so does what a delimiter ends that
// cannot overlap itself, p counted from where the delimiter began.
func TestHadoopsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data, delim := anyFile(t)
		if newMark([]byte(delim)).pass > 0 {
			t.Skip("overlaps itself")
		}
		e := rapid.IntRange(0, len(data)).Draw(t, "end")
		s := rapid.IntRange(0, e).Draw(t, "start")
		c := Cut(whole(data[s:e]), whole(data[e:]), s == 0, []byte(delim))
		got, starts := readAll(t, NewReader(c, []byte(delim), 0))
		var want []string
		var wantStarts []int
		records, begin := naive(data, delim)
		for i, p := range begin {
			if q := p - max(len(delim), 1) + 1; q > s && q <= e || p == 0 && s == 0 {
				want, wantStarts = append(want, records[i]), append(wantStarts, p)
			}
		}
		for i := range starts {
			starts[i] += s + int(c.Skipped())
		}
		if !cmp.Equal(got, want) || !cmp.Equal(starts, wantStarts) {
			t.Fatalf("%q by %q from %d to %d: %q at %v, want %q at %v", data, delim, s, e, got, starts, want, wantStarts)
		}
	})
}

// TestHugeRecord: 100 MB without an end pass Cut as they come, and are one record.
func TestHugeRecord(t *testing.T) {
	const size = 100_000_000
	file := func() io.Reader { return io.MultiReader(&fill{n: size, c: 'x'}, strings.NewReader("\nlast")) }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{Cut(strings.NewReader(""), file(), true, nil)}, make([]byte, 64<<10))
	runtime.ReadMemStats(&after)
	if n != size+1 || err != nil {
		t.Fatalf("%d bytes, error %v", n, err)
	}
	if held := after.TotalAlloc - before.TotalAlloc; held > 1<<20 {
		t.Errorf("cutting allocates %d bytes", held)
	}
	r := NewReader(file(), nil, size)
	if line, err := r.Next(); len(line) != size || err != nil {
		t.Fatalf("%d bytes, error %v", len(line), err)
	}
	if line, err := r.Next(); string(line) != "last" || err != nil {
		t.Fatalf("%q, error %v", line, err)
	}
	if len(r.buf) > 3*size {
		t.Errorf("a buffer of %d bytes", len(r.buf))
	}
}

// fill reads as n times c.
type fill struct {
	n int
	c byte
}

func (f *fill) Read(p []byte) (int, error) {
	if f.n == 0 {
		return 0, io.EOF
	}
	n := min(f.n, len(p))
	for i := range p[:n] {
		p[i] = f.c
	}
	f.n -= n
	return n, nil
}

// TestReadersErrors: they come through, and no half record before them.
func TestReadersErrors(t *testing.T) {
	broken := errors.New("connection lost")
	src := func() io.Reader { return io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)) }
	for _, delim := range []string{"", "\n"} {
		r := NewReader(src(), []byte(delim), 0)
		if line, err := r.Next(); string(line) != "a" || err != nil {
			t.Errorf("%q, error %v", line, err)
		}
		for range 2 {
			if line, err := r.Next(); line != nil || err != broken {
				t.Errorf("%q, error %v", line, err)
			}
		}
		if _, err := io.ReadAll(Cut(src(), strings.NewReader(""), false, []byte(delim))); err != broken {
			t.Errorf("own: error %v", err)
		}
		if _, err := io.ReadAll(Cut(strings.NewReader("x"), src(), true, []byte(delim))); err != nil {
			t.Errorf("behind the last record: error %v", err)
		}
		if _, err := io.ReadAll(Cut(strings.NewReader("a\n"), iotest.ErrReader(broken), true, []byte(delim))); err != broken {
			t.Errorf("after: error %v", err)
		}
	}
	if _, err := NewReader(idle{}, nil, 0).Next(); err != io.ErrNoProgress {
		t.Errorf("a reader that gives nothing: error %v", err)
	}
	if _, err := Cut(idle{}, idle{}, true, nil).Read(make([]byte, 9)); err != io.ErrNoProgress {
		t.Errorf("a reader that gives nothing: error %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// FuzzRecords: Reader is naive, and splits give each record once.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("a\r\nb\r\r\nc\n"), []byte(""), uint(3))
	f.Add([]byte("a\n\n\nb\n\nc"), []byte("\n\n"), uint(2))
	f.Add([]byte("ab##cd##ef"), []byte("##"), uint(3))
	f.Fuzz(func(t *testing.T, data, delim []byte, cut uint) {
		if len(delim) > 64 {
			return
		}
		want, wantStarts := naive(data, string(delim))
		got, starts := readAll(t, NewReader(iotest.HalfReader(bytes.NewReader(data)), delim, 0))
		if !cmp.Equal(got, want) || !cmp.Equal(starts, wantStarts) {
			t.Fatalf("%q at %v, want %q at %v", got, starts, want, wantStarts)
		}
		at := int(cut % uint(len(data)+1))
		if at == 0 {
			return
		}
		parts, _ := cuts(t, data, string(delim), []int{at, len(data)}, whole)
		first, _ := naive([]byte(parts[0]), string(delim))
		second, _ := naive([]byte(parts[1]), string(delim))
		if got := append(first, second...); strings.Join(parts, "") != string(data) || !cmp.Equal(got, want) {
			t.Fatalf("cut at %d: %q", at, parts)
		}
	})
}
