package streaming

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vectors calls check for every line of a file that Hadoop's own classes made
// (testdata/Vectors.java). VECTORS names another folder, with more of them.
func vectors(t *testing.T, name string, check func(t *testing.T, fields []string)) {
	t.Helper()
	dir := "testdata"
	if other := os.Getenv("VECTORS"); other != "" {
		dir = other
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<20)
	n := 0
	for scan.Scan() && !t.Failed() {
		n++
		check(t, strings.Split(scan.Text(), " "))
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	if n < 5 {
		t.Fatalf("%s has %d vectors", name, n)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	if text == "." {
		return []byte{}
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func number64(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCommandVectors(t *testing.T) {
	vectors(t, "command.txt", func(t *testing.T, f []string) {
		line, want := string(unhex(t, f[0])), []string{}
		for _, arg := range f[1:] {
			want = append(want, string(unhex(t, arg)))
		}
		if got := SplitCommand(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	})
}

func TestFieldsVectors(t *testing.T) {
	vectors(t, "fields.txt", func(t *testing.T, f []string) {
		fields := Fields{Separator: unhex(t, f[0]), Keys: int(number64(t, f[1]))}
		line := unhex(t, f[2])
		key, value := fields.Split(line)
		if !bytes.Equal(key, unhex(t, f[3])) || !bytes.Equal(value, unhex(t, f[4])) {
			t.Errorf("%v of %q: %q, %q; want %s, %s", fields, line, key, value, f[3], f[4])
		}
	})
}

func TestPartitionVectors(t *testing.T) {
	vectors(t, "partition.txt", func(t *testing.T, f []string) {
		specs, _, err := ParseKeyOptions(string(unhex(t, f[1])))
		if err != nil {
			t.Fatal(err)
		}
		p := Partitioner{Kind: f[0], Specs: specs, Separator: unhex(t, f[2])}
		key := unhex(t, f[3])
		if got := p.Partition(key, int(number64(t, f[4]))); got != int(number64(t, f[5])) {
			t.Errorf("%q %q of %q among %s: %d, want %s", f[0], unhex(t, f[1]), key, f[4], got, f[5])
		}
	})
}

// TestComparatorVectors: what Hadoop orders, Comparator orders alike. Hadoop says
// that a comes first where both lack the field, and sometimes ties keys that it
// parts through a third; there Comparator is free.
func TestComparatorVectors(t *testing.T) {
	free := 0
	all := 0
	vectors(t, "compare.txt", func(t *testing.T, f []string) {
		all++
		if f[4] == "!" {
			return // Hadoop's comparator breaks
		}
		specs, _, err := ParseKeyOptions(string(unhex(t, f[0])))
		if err != nil {
			t.Fatal(err)
		}
		c := Comparator{Specs: specs, Separator: unhex(t, f[1])}
		a, b := unhex(t, f[2]), unhex(t, f[3])
		want := int(number64(t, f[4]))
		got := c.Compare(a, b)
		if got == want || unordered(c, a, b) {
			return
		}
		if want == 0 {
			free++
			return
		}
		t.Errorf("%q parted by %q: %q and %q: %d, want %d", unhex(t, f[0]), c.Separator, a, b, got, want)
	})
	if free*50 > all {
		t.Errorf("%d of %d ties are parted", free, all)
	}
	t.Logf("%d of %d ties are parted", free, all)
}

// unordered are the pairs that Hadoop orders against all sense: both lack a field
// (the first is less, whichever it is), both are zeros with a minus, or one is empty
// and Hadoop takes the separator behind it for a point.
func unordered(c Comparator, a, b []byte) bool {
	for _, s := range c.Specs {
		startA, endA, okA := s.find(a, fieldLengths(nil, a, c.Separator), len(c.Separator))
		startB, endB, okB := s.find(b, fieldLengths(nil, b, c.Separator), len(c.Separator))
		if !okA && !okB {
			return true
		}
		if s.Numeric && (okA && endA <= startA && a[startA] == '.' || okB && endB <= startB && b[startB] == '.') {
			return true
		}
		if s.Numeric && okA && okB && a[startA] == '-' && b[startB] == '-' &&
			numberAt(a, startA, endA).sign == 0 && numberAt(b, startB, endB).sign == 0 {
			return true
		}
	}
	return false
}

func TestReportVectors(t *testing.T) {
	vectors(t, "report.txt", func(t *testing.T, f []string) {
		line := unhex(t, f[0])
		said := Report(line, "reporter:")
		var got []string
		switch said.Kind {
		case ReportLog:
			got = []string{"log"}
		case ReportMalformed:
			got = []string{"malformed"}
		case ReportStatus:
			got = []string{"status", hexed([]byte(said.Text))}
		case ReportCounter:
			got = []string{"counter", hexed([]byte(said.Group)), hexed([]byte(said.Name)), strconv.FormatInt(said.Value, 10)}
		}
		if !slices.Equal(got, f[1:]) {
			t.Errorf("%q: %q, want %q", line, got, f[1:])
		}
	})
}

func hexed(b []byte) string {
	if len(b) == 0 {
		return "."
	}
	return hex.EncodeToString(b)
}

func TestAggregateVectors(t *testing.T) {
	vectors(t, "aggregate.txt", func(t *testing.T, f []string) {
		key, n := unhex(t, f[0]), int(number64(t, f[1]))
		a, name, err := NewAggregate(key, 0)
		for _, v := range f[2 : 2+n] {
			if err == nil {
				err = a.Add(unhex(t, v))
			}
		}
		var got []string
		if err != nil {
			got = []string{"refused"}
		} else {
			got = []string{"reduced", hexed(name), hexed(a.Result()), "combined"}
			for _, v := range a.Combined() {
				got = append(got, hexed(key), hexed(v))
			}
		}
		if want := f[2+n:]; !slices.Equal(got, want) {
			t.Errorf("%q with %q: %q, want %q", key, f[2:2+n], got, want)
		}
	})
}

func TestDoubleVectors(t *testing.T) {
	longer, all := 0, 0
	vectors(t, "double.txt", func(t *testing.T, f []string) {
		text := string(unhex(t, f[0]))
		x, err := parseDouble(text)
		if f[1] == "refused" || err != nil {
			if (f[1] == "refused") != (err != nil) {
				t.Errorf("%q: %v, want %s", text, err, f[1])
			}
			return
		}
		if got := strconv.FormatUint(math.Float64bits(x), 16); x == x && strings.TrimLeft(f[1], "0") != strings.TrimLeft(got, "0") {
			t.Errorf("%q: %s, want %s", text, got, f[1])
		}
		all++
		if got, want := string(appendDouble(nil, x)), string(unhex(t, f[2])); got != want {
			longer++
			t.Logf("%q: %s, Java %s", text, got, want)
		}
	})
	if longer > 2+all/2000 {
		t.Errorf("%d of %d differ", longer, all)
	}
}

func TestEnvironmentVectors(t *testing.T) {
	vectors(t, "environ.txt", func(t *testing.T, f []string) {
		c := Config{Truncate: int(number64(t, f[0])), Name: "n", Reducers: 3}
		n := int(number64(t, f[1]))
		for i := range n {
			c.Conf = append(c.Conf, Setting{string(unhex(t, f[2+2*i])), string(unhex(t, f[3+2*i]))})
		}
		c.Env = []Setting{{"A", "1"}, {"B", "x=y"}, {"C", ""}}
		got := map[string]bool{}
		for _, v := range Environment(c, TaskEnv{Map: true, Dir: "/w"}) {
			got[v] = true
		}
		for _, v := range f[2+2*n:] {
			name, value, _ := strings.Cut(v, "=")
			want := string(unhex(t, name)) + "=" + string(unhex(t, value))
			if strings.HasPrefix(want, "HADOOP_ROOT") || strings.HasPrefix(want, "stream_jobconf") || strings.HasPrefix(want, "=") {
				continue
			}
			if !got[want] {
				t.Errorf("limit %s: no %q", f[0], want)
			}
		}
	})
}
