package collect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/provider/mapreduce/segment"
)

type record struct{ Key, Value string }

// read reads a whole segment file.
func read(t testing.TB, path string) (out []record) {
	t.Helper()
	m, err := segment.Options{Files: 10, Memory: 1 << 20}.Open([]segment.Input{{Path: path, Size: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for {
		key, payload, err := m.Next()
		if err != nil {
			t.Fatal(err)
		}
		if payload == nil {
			return out
		}
		for len(payload) > 0 {
			var value []byte
			if value, payload, err = segment.Value(payload); err != nil {
				t.Fatal(err)
			}
			out = append(out, record{string(key), string(value)})
		}
	}
}

// collected collects records and reads them back, by reducer.
func collected(t testing.TB, o Options, records []record) ([][]record, [][]byte, Stats) {
	t.Helper()
	dir := t.TempDir()
	o.Dir = filepath.Join(dir, "spill")
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := c.Add([]byte(r.Key), []byte(r.Value)); err != nil {
			t.Fatal(err)
		}
	}
	name := func(r int) string { return filepath.Join(dir, strconv.Itoa(r)) }
	if err := c.Finish(name); err != nil {
		t.Fatal(err)
	}
	stats := c.Stats()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
		t.Errorf("%d runs are left", len(left))
	}
	out, raw := make([][]record, o.Reducers), make([][]byte, o.Reducers)
	for r := range out {
		out[r] = read(t, name(r))
		if raw[r], err = os.ReadFile(name(r)); err != nil {
			t.Fatal(err)
		}
		if len(out[r]) == 0 && len(raw[r]) != 0 {
			t.Errorf("reducer %d: no records in %d bytes", r, len(raw[r]))
		}
	}
	return out, raw, stats
}

func byLength(reducers int) func([]byte) int {
	return func(key []byte) int { return (len(key)*7 + int(append(key, 1)[0])) % reducers }
}

// expect is what must come of it: a stable sort.
func expect(o Options, records []record) [][]record {
	out := make([][]record, o.Reducers)
	for _, r := range records {
		p := 0
		if o.Reducers > 1 {
			p = o.Partition([]byte(r.Key))
		}
		out[p] = append(out[p], r)
	}
	compare := o.Compare
	if compare == nil {
		compare = bytes.Compare
	}
	for _, rs := range out {
		slices.SortStableFunc(rs, func(a, b record) int { return compare([]byte(a.Key), []byte(b.Key)) })
	}
	return out
}

func equal(a, b [][]record) bool { return slices.EqualFunc(a, b, slices.Equal) }

// words repeat, some much more often than others; names hardly do.
func words(seed uint64, n, different int) (out []record) {
	random := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(random, 1.1, 2, uint64(different))
	for i := range n {
		out = append(out, record{"w" + strconv.FormatUint(zipf.Uint64(), 36), strconv.Itoa(i)})
	}
	return out
}

func names(seed uint64, n int) (out []record) {
	random := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		b := make([]byte, random.IntN(14))
		for i := range b {
			b[i] = byte(random.IntN(256))
		}
		out = append(out, record{string(b), strconv.Itoa(i)})
	}
	return out
}

func large(seed uint64) (out []record) {
	random := rand.New(rand.NewPCG(seed, 3))
	for i := range 60 {
		r := record{strconv.Itoa(i % 7), strings.Repeat("v", random.IntN(5000))}
		switch i % 10 {
		case 3:
			r.Value = strings.Repeat("large", 60_000)
		case 6:
			r.Key = strings.Repeat("K", 200_000) + r.Key
		}
		out = append(out, r)
	}
	return out
}

func TestCollect(t *testing.T) {
	backwards := func(a, b []byte) int { return bytes.Compare(b, a) }
	tying := func(a, b []byte) int { return bytes.Compare(a[:min(1, len(a))], b[:min(1, len(b))]) }
	inputs := map[string][]record{
		"nothing":       nil,
		"one empty":     {{"", ""}},
		"one":           {{"k", "v"}},
		"zeros":         {{"a\x00", "1"}, {"a", "2"}, {"a\x00\x00", "3"}, {"", "4"}, {"a", "5"}, {"\x00", "6"}},
		"words":         words(1, 40_000, 20_000),
		"a few words":   words(2, 40_000, 10),
		"one word":      slices.Repeat([]record{{"the", "1"}}, 40_000),
		"names":         names(3, 40_000),
		"names, words":  append(names(4, 36_000), words(4, 36_000, 1000)...),
		"common prefix": {},
		"large":         large(5),
	}
	for i := range 3000 {
		inputs["common prefix"] = append(inputs["common prefix"], record{fmt.Sprintf("http://example.org/%d", i*7919%1000), fmt.Sprint(i)})
	}
	for name, records := range inputs {
		for setting, o := range map[string]Options{
			"in memory":           {Reducers: 1, Memory: 64 << 20},
			"7 reducers":          {Reducers: 7, Memory: 64 << 20},
			"many runs":           {Reducers: 3, Memory: 500_000},
			"more runs than open": {Reducers: 2, Memory: 200_000, Files: 4},
			"backwards":           {Reducers: 2, Memory: 800_000, Compare: backwards},
			"ties":                {Reducers: 2, Memory: 800_000, Compare: tying},
		} {
			t.Run(name+"/"+setting, func(t *testing.T) {
				o.Partition = byLength(o.Reducers)
				o.Files = max(o.Files, 3)
				got, raw, stats := collected(t, o, records)
				if !equal(got, expect(o, records)) {
					t.Error("not the stable sort of what was added")
				}
				if stats.Records != uint64(len(records)) {
					t.Errorf("%+v", stats)
				}
				if setting == "many runs" && (name == "words" || name == "names") && stats.Runs < 2 {
					t.Errorf("%d runs", stats.Runs)
				}
				if name == "words" {
					if _, again, _ := collected(t, o, records); !slices.EqualFunc(raw, again, bytes.Equal) {
						t.Error("collected again, it has other bytes")
					}
				}
			})
		}
	}
}

// Sums are made in place; what is no number stays as it is.
func TestSum(t *testing.T) {
	var records []record
	want := map[string]int64{}
	for i, r := range words(6, 50_000, 5000) {
		n := int64(i%5 - 1)
		want[r.Key] += n
		records = append(records, record{r.Key, fmt.Sprint(n)})
	}
	other := []record{{"a", "1.5"}, {"a", ""}, {"b", "x"}, {"a", " 1"}, {"a", "99999999999999999999"}}
	records = append(records, other...)
	for _, memory := range []int64{64 << 20, 150_000} {
		got, _, stats := collected(t, Options{Reducers: 3, Memory: memory, Files: 10, Sum: true, Partition: byLength(3)}, records)
		sums, rest := map[string]int64{}, map[string]string{}
		out := 0
		for p, rs := range got {
			if !slices.IsSortedFunc(rs, func(a, b record) int { return strings.Compare(a.Key, b.Key) }) {
				t.Errorf("partition %d is not sorted", p)
			}
			for _, r := range rs {
				if n, err := strconv.ParseInt(r.Value, 10, 64); err == nil {
					sums[r.Key] += n
					out++
				} else {
					rest[r.Key] += "|" + r.Value
				}
			}
		}
		if len(sums) != len(want) || rest["a"] != "|1.5|| 1|99999999999999999999" || rest["b"] != "|x" {
			t.Errorf("%d sums of %d, rest %v", len(sums), len(want), rest)
		}
		for key, n := range want {
			if sums[key] != n {
				t.Fatalf("%s has sum %d, not %d", key, sums[key], n)
			}
		}
		if memory > 1<<20 && out != len(want) || memory < 1<<20 && stats.Runs < 2 {
			t.Errorf("%d sums, %d keys, %d runs", out, len(want), stats.Runs)
		}
		if stats.CombineIn != uint64(len(records)) || stats.CombineOut != uint64(out+len(other)) {
			t.Errorf("%+v", stats)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "7": 7, "-7": -7, "+7": 7, "007": 7, "999999999999999999": 999999999999999999,
		"9223372036854775807": 9223372036854775807, "-9223372036854775808": -9223372036854775808} {
		if n, ok := number([]byte(text)); !ok || n != want {
			t.Errorf("%s: %d %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "-", "1 ", " 1", "1.0", "9223372036854775808", "1_0", "0x1", "1a"} {
		if n, ok := number([]byte(text)); ok {
			t.Errorf("%q: %d", text, n)
		}
	}
}

// A combiner sees each partition of each run in order and may emit what it likes,
// which stays in the partition.
func TestCombine(t *testing.T) {
	records := append(words(7, 60_000, 3000), large(8)...)
	partition := byLength(3)
	for _, memory := range []int64{64 << 20, 400_000} {
		runs, in, out := 0, 0, 0
		o := Options{Reducers: 3, Memory: memory, Files: 10, Partition: partition}
		o.Combine = func(run *Run, emit func(key, value []byte) error) error {
			runs++
			last := ""
			count := 0
			give := func() error {
				if count == 0 {
					return nil
				}
				out += 2
				// Another key too, which would belong elsewhere.
				if err := emit([]byte("z"+last), []byte("x")); err != nil {
					return err
				}
				return emit([]byte(last), []byte(strconv.Itoa(count)))
			}
			lastPart := -1
			for {
				key, _, ok, err := run.Next()
				if err != nil {
					return err
				}
				if !ok {
					return give()
				}
				in++
				if string(key) != last {
					if err := give(); err != nil {
						return err
					}
					part := partition(key)
					if lastPart >= 0 && (part != lastPart || string(key) < last) {
						return fmt.Errorf("%.40s of %d after %.40s of %d", key, part, last, lastPart)
					}
					last, lastPart, count = string(key), part, 0
				}
				count++
			}
		}
		got, _, stats := collected(t, o, records)
		sums := map[string]int{}
		for p, rs := range got {
			if !slices.IsSortedFunc(rs, func(a, b record) int { return strings.Compare(a.Key, b.Key) }) {
				t.Errorf("partition %d is not sorted", p)
			}
			for _, r := range rs {
				from := r.Key
				if r.Value == "x" {
					from = from[1:]
				}
				if partition([]byte(from)) != p {
					t.Fatalf("%.40q is in partition %d", r.Key, p)
				}
				if r.Value != "x" {
					n, err := strconv.Atoi(r.Value)
					if err != nil { // too large for the combiner
						n = 1
					}
					sums[r.Key] += n
				}
			}
		}
		for _, r := range records {
			sums[r.Key]--
		}
		for key, n := range sums {
			if n != 0 {
				t.Fatalf("%.40q is wrong by %d", key, n)
			}
		}
		if memory < 1<<20 != (runs > 3) || stats.CombineIn < uint64(in) || stats.CombineOut < uint64(out) {
			t.Errorf("%d combiners with %d records in and %d out, %+v", runs, in, out, stats)
		}
	}
}

// What fails is told, and Close still cleans up.
func TestFailure(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Reducers: 1, Memory: 1, Dir: filepath.Join(file, "x")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 1000 {
		if err = c.Add([]byte("k"), make([]byte, 1000)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("a spill into a file that is no folder succeeds")
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no reducers")
	}
}

// cpu is the processor time that this process has taken, in seconds.
func cpu() float64 {
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		panic(err)
	}
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e9
}

func benchmark(b *testing.B, o Options, records []record) {
	size := int64(0)
	keys, values := make([][]byte, len(records)), make([][]byte, len(records))
	for i, r := range records {
		keys[i], values[i] = []byte(r.Key), []byte(r.Value)
		size += int64(len(r.Key) + len(r.Value))
	}
	dir := b.TempDir()
	o.Dir, o.Files = dir, 100
	b.SetBytes(size)
	began := cpu()
	for b.Loop() {
		c, err := New(o)
		if err != nil {
			b.Fatal(err)
		}
		for i, key := range keys {
			if err := c.Add(key, values[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := c.Finish(func(r int) string { return filepath.Join(dir, strconv.Itoa(r)) }); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
	b.ReportMetric(float64(len(records)*b.N)/(cpu()-began)/1e6, "Mrecords/cpu-s")
}

// The words of a text, each with a 1.
func BenchmarkWords(b *testing.B) {
	records := words(9, 2_000_000, 100_000)
	for i := range records {
		records[i].Value = "1"
	}
	benchmark(b, Options{Reducers: 1, Memory: 128 << 20}, records)
}

// TeraSort's records: random keys of 10 bytes, values of 88.
func BenchmarkTera(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var records []record
	for range 500_000 {
		key := make([]byte, 10)
		for i := range key {
			key[i] = byte(' ' + random.IntN(95))
		}
		value := fmt.Sprintf("%032X", random.Uint64())
		for i := range 7 {
			value += strings.Repeat(string(rune('A'+(i+int(key[0]))%26)), 8)
		}
		records = append(records, record{string(key), value})
	}
	benchmark(b, Options{Reducers: 1, Memory: 128 << 20}, records)
}

// What Hadoop counts of a record's bytes: the numbers are those of its own jobs.
func TestBytes(t *testing.T) {
	for _, c := range []struct {
		name       string
		keyBytes   int
		key, value int
		want       uint64
	}{
		{"empty", 0, 0, 0, 2},
		{"one byte of length", 0, 127, 0, 129},
		{"two bytes of length", 0, 128, 0, 131},
		{"the most of two", 0, 255, 0, 258},
		{"three", 0, 256, 0, 260},
		{"long", 0, 300_000, 200_000, 500_008},
		{"a long as the key", 8, 3, 1, 10},
	} {
		records := []record{{strings.Repeat("k", c.key), strings.Repeat("v", c.value)}}
		if _, _, stats := collected(t, Options{Reducers: 1, KeyBytes: c.keyBytes}, records); stats.Bytes != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, stats.Bytes, c.want)
		}
	}
}
