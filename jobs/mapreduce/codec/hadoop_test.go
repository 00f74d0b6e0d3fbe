package codec

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobs/mapreduce/record"
)

// question is commands for testdata/Hadoop.java, and what the answers must be.
type question struct {
	name     string
	commands strings.Builder
	lines    int // of answers
	check    func(t *testing.T, answers []string)
}

// TestHadoopAgrees asks all questions of one Hadoop, which is slow to start.
func TestHadoopAgrees(t *testing.T) {
	dir := t.TempDir()
	questions := []*question{askCodecs(t, dir), askRecords(t, dir), askBzip2(t, dir)}
	var commands strings.Builder
	lines := 0
	for _, q := range questions {
		commands.WriteString(q.commands.String())
		lines += q.lines
	}
	answers := askHadoop(t, commands.String())
	if len(answers) != lines {
		t.Fatalf("%d answers, want %d: %.300q", len(answers), lines, answers)
	}
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) { q.check(t, answers[:q.lines]) })
		answers = answers[q.lines:]
	}
}

func askHadoop(t *testing.T, commands string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	run := func(stdin string, argv ...string) string {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		var complaint strings.Builder
		cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &complaint
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v: %s", argv, err, complaint.String())
		}
		return strings.TrimSuffix(string(out), "\n")
	}
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	lib := run("", "../../../scripts/hadoop.sh")
	return strings.Split(run(commands, "java", "-Xmx256m", "-cp", lib+"/*", "testdata/Hadoop.java"), "\n")
}

// askCodecs has Hadoop read what is written here, and the other way round. Its zstd
// needs a native library.
func askCodecs(t *testing.T, dir string) *question {
	q := &question{name: "codecs"}
	path := func(name string) string { return filepath.Join(dir, name) }
	var names []string
	for name, data := range samples() {
		name = strings.ReplaceAll(name, " ", "-")
		write(t, path(name), data)
		for _, c := range codecs {
			if c.Name() == "zstd" {
				continue
			}
			names = append(names, name+c.Extension())
			write(t, path("ours-"+name+c.Extension()), compress(t, c, data))
			fmt.Fprintf(&q.commands, "unpack %s %s\n", path("ours-"+name+c.Extension()), path("ours-"+name+c.Extension()+".back"))
			fmt.Fprintf(&q.commands, "pack %s %s\n", path(name), path("theirs-"+name+c.Extension()))
		}
	}
	q.lines = 2 * len(names)
	q.check = func(t *testing.T, answers []string) {
		for i, name := range names {
			if answers[2*i] != "ok" || answers[2*i+1] != "ok" {
				t.Errorf("%s: unpack: %s; pack: %s", name, answers[2*i], answers[2*i+1])
				continue
			}
			want := read(t, path(strings.TrimSuffix(name, filepath.Ext(name))))
			if got := read(t, path("ours-"+name+".back")); !bytes.Equal(got, want) {
				t.Errorf("%s: Hadoop reads %d bytes of %d", name, len(got), len(want))
			}
			c, _ := ByExtension(name)
			if got, err := decompress(c, bytes.NewReader(read(t, path("theirs-"+name)))); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s of Hadoop: %d bytes of %d, error %v", name, len(got), len(want), err)
			}
		}
	}
	return q
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// splitFile is a file, how its records end, and where its splits do.
type splitFile struct {
	name, delim string
	data        []byte
	ends        []int
}

// askRecords asks which records, at which offsets, Hadoop's LineRecordReader finds in
// each split of drawn files.
func askRecords(t *testing.T, dir string) *question {
	rng := rand.New(rand.NewPCG(1, 2))
	var files []splitFile
	for len(files) < 500 {
		f := splitFile{name: fmt.Sprintf("%d.txt", len(files)), data: make([]byte, rng.IntN(40))}
		alphabet := []string{"ab\r\n", "a\r\n", "ab|", "abcde\n"}[len(files)%4]
		draw := func() byte { return alphabet[rng.IntN(len(alphabet))] }
		for i := range f.data {
			f.data[i] = draw()
		}
		if len(files)%4 >= 2 {
			for range 1 + rng.IntN(4) {
				f.delim += string(draw())
			}
		}
		if repeats(f.delim) {
			continue
		}
		for at := 0; at == 0 || at < len(f.data); {
			at = min(len(f.data), at+1+rng.IntN(12))
			f.ends = append(f.ends, at)
			if at == 0 {
				break
			}
		}
		files = append(files, f)
	}
	return compare(t, "records", dir, files, func(f splitFile, start, end int) (own, after io.Reader) {
		return bytes.NewReader(f.data[start:end]), bytes.NewReader(f.data[end:])
	})
}

// repeats says that a part of delim's beginning ends as it begins. There Hadoop is
// wrong: after a false start that spans two of its buffers it steps back too
// little and loses a record, and at a run's end it reads one twice.
func repeats(delim string) bool {
	for n := 2; n <= len(delim); n++ {
		for k := 1; k < n; k++ {
			if delim[:k] == delim[n-k:n] {
				return true
			}
		}
	}
	return false
}

// askBzip2 does so for bzip2, where splits end in compressed bytes.
func askBzip2(t *testing.T, dir string) *question {
	packed, _ := manyBlocks(t)
	size := len(packed)
	var files []splitFile
	for i, off := range []int{-1, 0, 1, 7} {
		f := splitFile{name: fmt.Sprintf("%d.bz2", i), data: packed}
		for _, at := range starts(packed)[1:] {
			f.ends = append(f.ends, int(at)+off)
		}
		f.ends = append(f.ends, size)
		files = append(files, f)
	}
	files = append(files, splitFile{name: "tiny.bz2", data: packed, ends: []int{1, 3, 4, 5, 6, size / 2, size - 1, size}})
	return compare(t, "records", dir, files, func(f splitFile, start, end int) (own, after io.Reader) {
		return split(f.data, int64(start), int64(end))
	})
}

// compare reads every split here and there. Of compressed files Hadoop's offsets
// are not compared: they depend on the split.
func compare(t *testing.T, name, dir string, files []splitFile, open func(f splitFile, start, end int) (own, after io.Reader)) *question {
	q := &question{name: name}
	for _, f := range files {
		write(t, filepath.Join(dir, f.name), f.data)
		delim := "-"
		if f.delim != "" {
			delim = hex.EncodeToString([]byte(f.delim))
		}
		fmt.Fprintf(&q.commands, "records %s %s", filepath.Join(dir, f.name), delim)
		for _, end := range f.ends {
			fmt.Fprintf(&q.commands, " %d", end)
			q.lines++
		}
		q.commands.WriteByte('\n')
	}
	q.check = func(t *testing.T, answers []string) {
		for _, f := range files {
			start := 0
			for _, end := range f.ends {
				own, after := open(f, start, end)
				got := splitRecords(t, own, after, start, f.delim)
				want := strings.Fields(answers[0])
				if filepath.Ext(f.name) == ".bz2" {
					got, want = withoutOffsets(got), withoutOffsets(want)
				}
				if have, want := strings.Join(got, " "), strings.Join(want, " "); have != want {
					t.Errorf("%s by %q from %d to %d: %.300q, Hadoop has %.300q", f.name, f.delim, start, end, have, want)
				}
				answers, start = answers[1:], end
			}
		}
	}
	return q
}

// splitRecords is a split's records, as Hadoop.java answers.
func splitRecords(t *testing.T, own, after io.Reader, start int, delim string) (records []string) {
	t.Helper()
	cut := record.Cut(own, after, start == 0, []byte(delim))
	r := record.NewReader(cut, []byte(delim), 0)
	for {
		line, err := r.Next()
		if err == io.EOF {
			return records
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, fmt.Sprintf("%d:%x", int64(start)+cut.Skipped()+r.Offset(), line))
	}
}

func withoutOffsets(records []string) []string {
	for i, r := range records {
		_, records[i], _ = strings.Cut(r, ":")
	}
	return records
}
