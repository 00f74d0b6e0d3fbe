package mapreduce

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/zennet/zennet/jobs/mapreduce/record"
	"github.com/zennet/zennet/jobs/spec"
)

// The splits of Hadoop 3.4.2's own TextInputFormat and NLineInputFormat, in the
// order in which it numbers maps (testdata/Splits.java).
func TestSplitsOfHadoop(t *testing.T) {
	cases := 0
	datadriven.Walk(t, "testdata/split", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			cases++
			c := cutting{splittable: splittable, lines: d.Cmd == "lines"}
			block, n := int64(0), 0
			for _, arg := range d.CmdArgs {
				v, err := strconv.ParseInt(arg.Vals[0], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				switch arg.Key {
				case "maps":
					c.maps = int(v)
				case "least":
					c.least = v
				case "block":
					block = v
				case "n":
					n = int(v)
				}
			}
			var files []spec.Found
			for _, line := range strings.Split(d.Input, "\n") {
				name, rest, _ := strings.Cut(line, " ")
				f := spec.Found{Path: "in/" + name, Block: block}
				if c.lines {
					text := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\e`, "").Replace(rest)
					f.Size = int64(len(text))
					var err error
					if f.Cuts, err = Cuts(strings.NewReader(text), n, 100); err != nil {
						t.Fatal(err)
					}
				} else if _, err := fmt.Sscan(rest, &f.Size); err != nil {
					t.Fatal(err)
				}
				files = append(files, f)
			}
			splits, err := c.cut(files, 100_000)
			if err != nil {
				return err.Error() + "\n"
			}
			var b strings.Builder
			for _, s := range splits {
				fmt.Fprintf(&b, "%s %d %d\n", strings.TrimPrefix(files[s.file].Path, "in/"), s.offset, s.length)
			}
			return b.String()
		})
	})
	if cases < 40 {
		t.Errorf("only %d cases", cases)
	}
}

// Every byte of every file lies in exactly one split, whatever the rule; splits of
// lines lack only the last byte before each cut, which no record begins at.
func TestSplitsCoverEveryByteOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := make([]spec.Found, rapid.IntRange(0, 8).Draw(t, "files"))
		for i := range files {
			files[i] = spec.Found{
				Path:  "f" + rapid.SampledFrom([]string{"", ".gz", ".bz2", ".txt"}).Draw(t, "type"),
				Size:  rapid.Int64Range(0, 100_000).Draw(t, "size"),
				Block: rapid.Int64Range(0, 50_000).Draw(t, "block"),
			}
		}
		c := cutting{maps: rapid.IntRange(0, 50).Draw(t, "maps"), least: rapid.Int64Range(0, 5000).Draw(t, "least"), splittable: splittable,
			size: rapid.SampledFrom([]int64{0, 0, 777, 64 << 10}).Draw(t, "split")}
		splits, err := c.cut(files, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		next := make([]int64, len(files))
		seen := make([]int, len(files))
		for i, s := range splits {
			if i > 0 && s.length > splits[i-1].length {
				t.Fatalf("split %d is longer than the one before", i)
			}
			if s.length == 0 && files[s.file].Size > 0 {
				t.Fatalf("an empty split of %d bytes", files[s.file].Size)
			}
			seen[s.file]++
		}
		// Within a file the splits keep their order where they are equally long, so
		// sort them by offset to walk over the bytes.
		for file := range files {
			for more := true; more; {
				more = false
				for _, s := range splits {
					if s.file == file && s.offset == next[file] && s.length > 0 {
						next[file], more = next[file]+s.length, true
					}
				}
			}
			if next[file] != files[file].Size || seen[file] == 0 {
				t.Fatalf("file %d: %d of %d bytes in %d splits", file, next[file], files[file].Size, seen[file])
			}
			if !splittable(files[file].Path) && seen[file] != 1 {
				t.Fatalf("%s is cut", files[file].Path)
			}
		}
	})
}

// Splits of N lines hold each line once, N a map.
func TestLinesOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.StringMatching(`([a-c]{0,4}(\n|\r\n|\r)){0,30}[a-c]{0,3}`).Draw(t, "text"))
		n := rapid.IntRange(1, 5).Draw(t, "n")
		cuts, err := Cuts(bytes.NewReader(text), n, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(cuts) > 0 && cuts[0] == 1 {
			return // Hadoop reads such a first line twice, and so do we (appendLines)
		}
		c := cutting{lines: true, splittable: splittable}
		splits, err := c.cut([]spec.Found{{Path: "f", Size: int64(len(text)), Cuts: cuts}}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, s := range splits {
			own := bytes.NewReader(text[s.offset : s.offset+s.length])
			after := bytes.NewReader(text[s.offset+s.length:])
			r := record.NewReader(record.Cut(own, after, s.offset == 0, nil), nil, 0)
			lines := 0
			for {
				if _, err := r.Next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				lines++
			}
			if lines > n {
				t.Fatalf("a split of %d lines, not %d", lines, n)
			}
			total += lines
		}
		want := 0
		for r := record.NewReader(bytes.NewReader(text), nil, 0); ; want++ {
			if _, err := r.Next(); err != nil {
				break
			}
		}
		if total != want {
			t.Fatalf("%d lines of %d in %v", total, want, splits)
		}
	})
}

// What cannot be is refused before memory is spent on it.
func TestTooManySplits(t *testing.T) {
	for name, c := range map[string]struct {
		cutting
		file spec.Found
	}{
		"tiny splits":   {cutting{size: 1}, spec.Found{Path: "f", Size: 1 << 50}},
		"tiny blocks":   {cutting{maps: 1}, spec.Found{Path: "f", Size: 1 << 50, Block: 1}},
		"negative size": {cutting{}, spec.Found{Path: "f", Size: -1}},
	} {
		c.splittable = splittable
		if _, err := c.cut([]spec.Found{c.file}, 1000); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkSplits(b *testing.B) {
	files := make([]spec.Found, 10_000)
	for i := range files {
		files[i] = spec.Found{Path: fmt.Sprintf("hdfs://nn:8020/in/%05d", i), Size: int64(i), Block: 128 << 20}
	}
	c := cutting{maps: 2, splittable: splittable}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.cut(files, 100_000); err != nil {
			b.Fatal(err)
		}
	}
}
