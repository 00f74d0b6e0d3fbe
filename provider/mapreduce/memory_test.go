package mapreduce

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/mapreduce"
)

// asProgram makes the test's program be the worker's, which tells at its end what
// memory it had at most.
const asProgram = "TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if kind := os.Getenv(asProgram); kind != "" {
		code := Main([]string{kind})
		status, _ := os.ReadFile("/proc/self/status")
		fmt.Fprintf(os.Stderr, "%s\n", status)
		os.Exit(code)
	}
	os.Exit(m.Run())
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// apart runs a task as a program of its own, and gives its memory in bytes.
func apart(t *testing.T, dir, kind string, stdin io.Reader) int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Dir, cmd.Stdin, cmd.Env = dir, stdin, append(os.Environ(), asProgram+"="+kind)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", kind, err, log.String())
	}
	m := highWater.FindSubmatch(log.Bytes())
	if m == nil {
		t.Fatalf("no memory in %s", log.String())
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// repeated reads a text a number of times, made by the number.
type repeated struct {
	count, from int
	make        func(i int) []byte
	rest        []byte
}

// Read implements io.Reader.
func (r *repeated) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.from == r.count {
			return 0, io.EOF
		}
		r.rest = r.make(r.from)
		r.from++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// The memory of our own program stays within its share, whatever comes.
func TestMemory(t *testing.T) {
	const share, own = 16 * megabyte, 40 * megabyte // Go's runtime, code and buffers
	thousand := func(line func(i int) string) func(int) []byte {
		return func(i int) []byte {
			var b bytes.Buffer
			for k := range 1000 {
				b.WriteString(line(1000*i + k))
			}
			return b.Bytes()
		}
	}
	big := bytes.Repeat([]byte("0123456789"), 10_000_000)
	for name, c := range map[string]struct {
		count int
		make  func(i int) []byte
		most  int64
	}{
		"small records": {1000, thousand(func(i int) string { return fmt.Sprintf("%08x\n", uint32(i)*2654435761) }), share + own},
		"one key":       {2000, thousand(func(i int) string { return fmt.Sprintf("key\t%d\n", i) }), share + own},
		"large values":  {40, func(i int) []byte { return append(append([]byte(fmt.Sprint(i%7, "\t")), big[:megabyte]...), '\n') }, share + own + 8*megabyte},
		// The merge's key, the group's, and the reader of lines, which doubles its buffer.
		"a line of 100 MB": {1, func(int) []byte { return big }, share + own + 4*int64(len(big))},
	} {
		t.Run(name, func(t *testing.T) {
			j := &job{Options: streamed("cat", "cat"), inputs: []string{""}}
			j.change = func(task *mapreduce.Task) { task.Memory = share }
			task := mapreduce.Task{Kind: mapreduce.KindMap, Stdin: []mapreduce.Source{{File: "in"}}}
			in, err := j.task(t, task, strings.NewReader(""), nil)
			if err != nil {
				t.Fatal(err)
			}
			used := apart(t, in, "map", &repeated{count: c.count, make: c.make})
			t.Logf("map: %d MiB", used/megabyte)
			if used > c.most {
				t.Errorf("the map takes %d MiB, more than %d", used/megabyte, c.most/megabyte)
			}
			segment, err := os.ReadFile(filepath.Join(in, mapreduce.SegmentName(0)))
			if err != nil {
				t.Fatal(err)
			}
			out, err := j.task(t, mapreduce.Task{Kind: mapreduce.KindReduce, Output: "part-00000"}, nil, func(dir string) { write(t, filepath.Join(dir, mapreduce.InName(0)), "") })
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(out, mapreduce.InName(0)), string(segment))
			used = apart(t, out, "reduce", nil)
			t.Logf("reduce: %d MiB", used/megabyte)
			if used > c.most {
				t.Errorf("the reduce takes %d MiB, more than %d", used/megabyte, c.most/megabyte)
			}
			size := int64(0)
			for r := (&repeated{count: c.count, make: c.make}); ; {
				n, err := r.Read(make([]byte, megabyte))
				if size += int64(n); err != nil {
					break
				}
			}
			info, err := os.Stat(filepath.Join(out, mapreduce.OutDir, "part-00000"))
			if err != nil || info.Size() < size {
				t.Errorf("%d bytes of %d come out: %v", info.Size(), size, err)
			}
		})
	}
}
