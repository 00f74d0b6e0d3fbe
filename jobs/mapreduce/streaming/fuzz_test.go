package streaming

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzSplitCommand: words hold the line's bytes in order; only quotes and spaces go.
func FuzzSplitCommand(f *testing.F) {
	for _, seed := range []string{"", "cat", `a "b c" 'd "e'`, `''`, `a"b`, "sh -c 'x | y'"} {
		f.Add(seed)
	}
	bare := strings.NewReplacer(" ", "", "'", "", `"`, "")
	f.Fuzz(func(t *testing.T, line string) {
		args := SplitCommand(line)
		if slices.Contains(args, "") {
			t.Errorf("%q: an empty word", line)
		}
		if got := strings.Join(args, ""); bare.Replace(got) != bare.Replace(line) {
			t.Errorf("%q became %q", line, args)
		}
		if c, err := ParseCommand(line); err == nil && c.None() != (line == "") {
			t.Errorf("%q is %v", line, c)
		}
	})
}

// FuzzReport: a line without the prefix is log; what is counted says so in full.
func FuzzReport(f *testing.F) {
	for _, seed := range []string{"", "reporter:counter:g,n,1", "reporter:status:x", "reporter:counter:a,b,c,d", "reporter:\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		said := Report(line, "reporter:")
		if reports := bytes.HasPrefix(line, []byte("reporter:")); reports != (said.Kind != ReportLog) {
			t.Errorf("%q: %v", line, said)
		}
		if said.Kind != ReportCounter {
			return
		}
		if strings.Contains(said.Group+said.Name, ",") || !bytes.HasPrefix(line, []byte("reporter:counter:")) {
			t.Errorf("%q: %v", line, said)
		}
	})
}

// FuzzComparator: the order is antisymmetric and transitive, ties too.
func FuzzComparator(f *testing.F) {
	f.Add("-k1,1n -k2,2r", "\t", []byte("5\ta"), []byte("05\tb"), []byte("5.0\tc"))
	f.Add("-nr", "\t", []byte("-0"), []byte("-x"), []byte(""))
	f.Add("-k1.2,1.3n", "ab", []byte("1abb"), []byte("-.5"), []byte("\xff"))
	f.Add("-k2nr -k1", ".", []byte("a..b"), []byte("."), []byte("1.2.3"))
	f.Add("", "\t", []byte("a"), []byte("b"), []byte("c"))
	f.Fuzz(func(t *testing.T, options, separator string, a, b, c []byte) {
		specs, _, err := ParseKeyOptions(options)
		if err != nil {
			if !errors.Is(err, ErrSetting) {
				t.Errorf("%q: %v", options, err)
			}
			return
		}
		for _, cmp := range []Comparator{{Specs: specs, Separator: []byte(separator)}, {Offsets: true}} {
			check(t, cmp, a, b, c)
		}
		p := Partitioner{Kind: PartitionKeyField, Specs: specs, Separator: []byte(separator)}
		if n := p.Partition(a, 7); n < 0 || n > 6 {
			t.Errorf("%q: reducer %d of 7", a, n)
		}
	})
}

func check(t *testing.T, cmp Comparator, keys ...[]byte) {
	t.Helper()
	for _, a := range keys {
		if cmp.Compare(a, a) != 0 {
			t.Errorf("%v: %q is not itself", cmp, a)
		}
		for _, b := range keys {
			ab := sign(cmp.Compare(a, b))
			if ab != -sign(cmp.Compare(b, a)) {
				t.Errorf("%v: %q and %q", cmp, a, b)
			}
			for _, c := range keys {
				bc, ac := sign(cmp.Compare(b, c)), sign(cmp.Compare(a, c))
				if ab <= 0 && bc <= 0 && (ac > 0 || ac == 0 && ab+bc < 0) {
					t.Errorf("%v: %q, %q, %q: %d, %d, %d", cmp, a, b, c, ab, bc, ac)
				}
			}
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// FuzzKeyOptions: what is accepted is within its bounds, and written out again it is
// the same.
func FuzzKeyOptions(f *testing.F) {
	for _, seed := range []string{"", "-n", "-k1,1", "-k 2.3nr,4.5r -nr", "-k1.0", "-k", "-kx", "-k1,2,3", "-k99999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		specs, _, err := ParseKeyOptions(text)
		if err != nil {
			return
		}
		for _, s := range specs {
			if s.Byte < 1 || s.Field < 0 || s.EndField < 0 || s.EndByte < 0 {
				t.Errorf("%q: %+v", text, s)
			}
			again, ignored, err := ParseKeyOptions(s.String())
			if err != nil || len(ignored) > 0 || !slices.Equal(again, []KeySpec{s}) {
				t.Errorf("%q: %s is %+v again, %v", text, s, again, err)
			}
		}
	})
}
