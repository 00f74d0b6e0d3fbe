package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type record struct{ Key, Value string }

func write(t testing.TB, records []record) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for i, r := range records {
		var err error
		if i%3 == 0 {
			err = w.Append([]byte(r.Key), AppendValue(nil, []byte(r.Value)), 1)
		} else {
			err = w.AppendRecord([]byte(r.Key), []byte(r.Value))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	footer, size, err := w.Close()
	if err != nil || size != int64(out.Len()) || footer.Records != uint64(len(records)) {
		t.Fatalf("%d records, %d of %d bytes: %v", footer.Records, size, out.Len(), err)
	}
	return out.Bytes()
}

// drain reads a source to its end.
func drain(s Source) (out []record, err error) {
	var big []byte
	for {
		more, err := s.Next()
		if err != nil || !more {
			return out, err
		}
		key := string(s.Key())
		payload, err := s.Payload(&big)
		if err != nil {
			return out, err
		}
		for len(payload) > 0 {
			var value []byte
			if value, payload, err = Value(payload); err != nil {
				return out, err
			}
			out = append(out, record{key, string(value)})
		}
	}
}

func read(data []byte) ([]record, error) {
	r, err := Open(bytes.NewReader(data), 0, int64(len(data)))
	if err != nil {
		return nil, err
	}
	return drain(r)
}

// sample makes records in order: few keys or many, and some that are larger than
// a block.
func sample(seed uint64, n, keys, huge int) []record {
	random := rand.New(rand.NewPCG(seed, 1))
	text := func(most int) string {
		b := make([]byte, random.IntN(most+1))
		for i := range b {
			b[i] = byte(random.IntN(256))
		}
		return string(b)
	}
	var out []record
	for i := range n {
		r := record{fmt.Sprint(random.IntN(keys)), text(40)}
		if huge > 0 && i%huge == 1 {
			r.Value = text(700_000)
		}
		if huge > 0 && i%huge == 2 {
			r.Key += text(700_000)
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b record) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	return out
}

func TestRoundTrip(t *testing.T) {
	for name, records := range map[string][]record{
		"none":          nil,
		"one empty":     {{"", ""}},
		"empty keys":    {{"", "a"}, {"", ""}, {"\x00", ""}},
		"few keys":      sample(1, 50_000, 3, 0),
		"many keys":     sample(2, 50_000, 1_000_000, 0),
		"large records": sample(3, 40, 10, 4),
		"larger than a block and again": {{"a", string(make([]byte, 3*BlockSize))}, {"a", "x"},
			{string(bytes.Repeat([]byte("b"), 2*BlockSize)), "1"}, {string(bytes.Repeat([]byte("b"), 2*BlockSize)), "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := write(t, records)
			if records == nil && len(data) != 0 {
				t.Errorf("no entries take %d bytes", len(data))
			}
			got, err := read(data)
			if err != nil || !slices.Equal(got, records) {
				t.Errorf("%d records of %d: %v", len(got), len(records), err)
			}
			if !bytes.Equal(write(t, records), data) {
				t.Error("written again, they differ")
			}
		})
	}
}

// Every byte of a segment counts: changed, cut or exchanged, it is an error and no
// wrong record.
func TestDamage(t *testing.T) {
	records := sample(4, 30_000, 1_000, 0)
	data := write(t, records)
	mutations := map[string]func() []byte{
		"no footer":     func() []byte { return data[:len(data)-footerSize] },
		"cut":           func() []byte { return data[:len(data)/2] },
		"one byte":      func() []byte { return data[:1] },
		"twice":         func() []byte { return append(slices.Clone(data), data...) },
		"without start": func() []byte { return data[headerSize+decodeHeader(data).stored:] },
		"swapped blocks": func() []byte {
			one := headerSize + int(decodeHeader(data).stored)
			two := one + headerSize + int(decodeHeader(data[one:]).stored)
			return slices.Concat(data[one:two], data[:one], data[two:])
		},
	}
	for i := 0; i < len(data); i += 1 + len(data)/60 {
		mutations[fmt.Sprintf("bit %d of byte %d", i%8, i)] = func() []byte {
			b := slices.Clone(data)
			b[i] ^= 1 << (i % 8)
			return b
		}
	}
	for name, mutate := range mutations {
		got, err := read(mutate())
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if len(got) > len(records) || !slices.Equal(got, records[:len(got)]) {
			t.Errorf("%s: wrong records before the error", name)
		}
	}
}

// FuzzRead gives the reader blocks with good checksums and any content.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x02a\x02\x01x\x00\x01\x00"), uint64(1), uint64(2), true)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint64(1)<<62, uint64(1), true)
	f.Add(write(f, sample(5, 10, 3, 0)), uint64(1), uint64(2), false)
	f.Fuzz(func(t *testing.T, data []byte, maxKey, total uint64, seal bool) {
		if seal && len(data) > 0 && len(data) <= BlockSize {
			foot := Footer{Records: 1, Bytes: total, Blocks: 1, MaxKey: maxKey, MaxRaw: uint32(len(data)), MaxStored: uint32(len(data))}
			h := header{stored: uint32(len(data)), raw: uint32(len(data))}
			h.sum = checksum(0, h, data)
			data = slices.Concat(h.encode(nil), data, foot.encode())
		}
		records, err := read(data)
		if err != nil {
			return
		}
		again, err := read(write(t, records))
		if err != nil || !slices.Equal(again, records) {
			t.Errorf("%d records, written and read again: %v", len(records), err)
		}
	})
}

func FuzzValue(f *testing.F) {
	f.Add([]byte{1, 'x', 0})
	f.Add(binary.AppendUvarint(nil, 1<<63))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for len(payload) > 0 {
			value, rest, err := Value(payload)
			if err != nil {
				return
			}
			if len(rest)+len(value) >= len(payload) {
				t.Fatalf("a value of %d bytes and a rest of %d from %d", len(value), len(rest), len(payload))
			}
			payload = rest
		}
	})
}

// A merge is a stable sort of its inputs, whatever its bounds, and leaves nothing behind.
func TestMerge(t *testing.T) {
	backwards := func(a, b []byte) int { return bytes.Compare(b, a) }
	for _, c := range []struct {
		name    string
		runs    int
		size    int
		huge    int
		options Options
		passes  bool
	}{
		{"none", 0, 10, 0, Options{Files: 10, Memory: 1 << 20}, false},
		{"one", 1, 1000, 0, Options{Files: 10, Memory: 1 << 20}, false},
		{"in one pass", 7, 1000, 0, Options{Files: 10, Memory: 1 << 30}, false},
		{"many small ones", 300, 20, 0, Options{Files: 400, Memory: 8 << 20}, false},
		{"too many files", 100, 20, 0, Options{Files: 8, Memory: 1 << 30}, true},
		{"too little memory", 30, 5_000, 0, Options{Files: 100, Memory: 2 << 20}, true},
		{"no memory", 5, 2_000, 0, Options{Files: 100, Memory: 0}, true},
		{"large records", 6, 20, 5, Options{Files: 100, Memory: 2 << 20}, true},
		{"another order", 40, 100, 0, Options{Files: 6, Memory: 1 << 30, Compare: backwards}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.options.Dir = filepath.Join(dir, "passes")
			var inputs []Input
			var want []record
			compare := c.options.Compare
			if compare == nil {
				compare = bytes.Compare
			}
			order := func(a, b record) int { return compare([]byte(a.Key), []byte(b.Key)) }
			for i := range c.runs {
				size := c.size
				if i%5 == 4 {
					size = 0
				}
				records := sample(uint64(i), size, 50, c.huge)
				slices.SortStableFunc(records, order)
				want = append(want, records...)
				data := write(t, records)
				if i == c.runs-1 { // the last one is in memory
					r, err := Open(bytes.NewReader(data), 0, int64(len(data)))
					if err != nil {
						t.Fatal(err)
					}
					inputs = append(inputs, Input{Memory: r})
					continue
				}
				path := filepath.Join(dir, fmt.Sprint(i))
				if err := os.WriteFile(path, append([]byte("before"), data...), 0o644); err != nil {
					t.Fatal(err)
				}
				inputs = append(inputs, Input{Path: path, Offset: 6, Size: int64(len(data))})
			}
			slices.SortStableFunc(want, order)
			m, err := c.options.Open(inputs)
			if err != nil {
				t.Fatal(err)
			}
			var got []record
			for {
				key, payload, err := m.Next()
				if err != nil {
					t.Fatal(err)
				}
				if payload == nil {
					break
				}
				for len(payload) > 0 {
					var value []byte
					if value, payload, err = Value(payload); err != nil {
						t.Fatal(err)
					}
					got = append(got, record{string(key), string(value)})
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d records of %d, or in another order", len(got), len(want))
			}
			if m.Passes > 0 != c.passes {
				t.Errorf("%d passes before", m.Passes)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(c.options.Dir); len(left) > 0 {
				t.Errorf("%d files are left", len(left))
			}
		})
	}
}

// A damaged input is named.
func TestMergeNamesDamage(t *testing.T) {
	dir := t.TempDir()
	var inputs []Input
	for i := range 3 {
		data := write(t, sample(uint64(i), 1000, 50, 0))
		if i == 1 {
			data[20] ^= 1
		}
		path := filepath.Join(dir, fmt.Sprint("part-", i))
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, Input{Path: path, Size: -1})
	}
	m, err := Options{Files: 10, Memory: 1 << 20}.Open(inputs)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, _, err = m.Next(); !errors.Is(err, ErrCorrupt) || !bytes.Contains([]byte(err.Error()), []byte("part-1")) {
		t.Error(err)
	}
}

// What is chosen for a pass fits, and passes come to an end.
func TestChoose(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		o := Options{Files: random.IntN(20), Memory: random.Int64N(20 * BlockSize)}
		runs := make([]run, random.IntN(60))
		for i := range runs {
			size := uint32(random.IntN(BlockSize))
			runs[i] = run{Input: Input{Size: random.Int64N(1 << 30)}, footer: Footer{MaxRaw: size, MaxStored: size}}
		}
		if len(runs) > 0 && random.IntN(2) == 0 {
			runs[len(runs)-1] = run{Input: Input{Memory: &Reader{}}}
		}
		for {
			first, n := o.choose(runs)
			if n == 0 {
				break
			}
			if n < 2 || n > max(o.Files, 3) {
				t.Fatalf("%d of %d runs with %d files", n, len(runs), o.Files)
			}
			merged := run{footer: Footer{MaxRaw: BlockSize, MaxStored: BlockSize}}
			runs = append(append(append([]run{}, runs[:first]...), merged), runs[first+n:]...)
		}
		var total int64
		for _, r := range runs {
			total += r.cost()
		}
		if len(runs) > max(o.Files, 3) || len(runs) > 2 && total > o.Memory {
			t.Fatalf("%d runs of cost %d are left, for %+v", len(runs), total, o)
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		key  string
		want uint64
	}{{"", 0}, {"a", 0x61 << 56}, {"12345678", 0x3132333435363738}, {"123456789", 0x3132333435363738}} {
		if diff := cmp.Diff(c.want, Prefix([]byte(c.key))); diff != "" {
			t.Errorf("%q: %s", c.key, diff)
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	dir := b.TempDir()
	var inputs []Input
	var size int64
	for i := range 32 {
		records := sample(uint64(i), 40_000, 1_000_000_000, 0)
		for _, r := range records {
			size += int64(len(r.Key) + len(r.Value))
		}
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, write(b, records), 0o644); err != nil {
			b.Fatal(err)
		}
		inputs = append(inputs, Input{Path: path, Size: -1})
	}
	b.SetBytes(size)
	for b.Loop() {
		m, err := Options{Files: 64, Memory: 64 << 20}.Open(inputs)
		if err != nil {
			b.Fatal(err)
		}
		for {
			_, payload, err := m.Next()
			if err != nil {
				b.Fatal(err)
			}
			if payload == nil {
				break
			}
		}
		m.Close()
	}
}
