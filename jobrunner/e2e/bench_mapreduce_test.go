package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

// TestBenchMapReduce compares jobs over one HDFS with Hadoop on YARN and with plain
// pipes, in one run on this machine: make bench-mapreduce MIB=256.
func TestBenchMapReduce(t *testing.T) {
	mib, err := strconv.Atoi(os.Getenv("ZENNET_BENCH_MIB"))
	if err != nil || mib < 1 {
		t.Skip("make bench-mapreduce runs this")
	}
	// Python that flushes every line would measure only that.
	os.Unsetenv("PYTHONUNBUFFERED")
	c := hdfstest.Start(t, hdfstest.Options{DataNodes: 1, YARN: true, Fast: true, BlockSize: 128 << 20})
	s := newSite(t)
	t.Setenv("HADOOP_CONF_DIR", c.Conf)
	t.Setenv("HADOOP_USER_NAME", c.User)
	p := s.start("zennetd", "--devnet", "--profile", "127.0.0.1:0")
	p.await("ready")
	shell := func(args ...string) {
		t.Helper()
		if _, err := c.Java("org.apache.hadoop.fs.FsShell", args...); err != nil {
			t.Fatal(err)
		}
	}
	text, rows := s.dir+"/text", s.dir+"/rows"
	fill(t, text, mib, proseLine)
	fill(t, rows, mib, rowLine)
	small := s.write("small", strings.Repeat("some words to count here\n", 200))
	shell("-mkdir", "-p", c.URL("/in"))
	shell("-put", "file:"+text, "file:"+rows, "file:"+small, c.URL("/in/"))
	s.write("map.py", "import sys\nfor line in sys.stdin:\n    for w in line.split():\n        print(w + '\\t1')\n")
	s.write("sum.py", `import sys
last, n = None, 0
for line in sys.stdin:
    k, v = line.rstrip('\n').split('\t', 1)
    if k != last:
        if last is not None: print(last + '\t' + str(n))
        last, n = k, 0
    n += int(v)
if last is not None: print(last + '\t' + str(n))
`)
	_, profile, _ := strings.Cut(p.await("go tool pprof"), "go tool pprof ")
	b := mapReduceBench{t, s, c, mib, profile}
	// All of it, ours and Hadoop's, has run once before anything else is measured.
	first := b.job("first", "small", fewWords)
	t.Run("few", func(*testing.T) { b.few(first) })
	t.Run("words", b.words)
	t.Run("tera", b.tera)
	t.Run("python", func(t *testing.T) { b.python(t, text) })
}

// mapReduceBench is a network beside a Hadoop with the same input, in one HDFS.
type mapReduceBench struct {
	t   *testing.T
	s   *site
	c   *hdfstest.Cluster
	mib int
	url string // of the network's CPU profile
}

// job runs a job here.
func (b mapReduceBench) job(name, in, section string) time.Duration {
	b.t.Helper()
	file := b.s.write(name+".yaml", fmt.Sprintf(`version: 1
kind: mapreduce
name: %[1]s
resources: {cpu: 1, memory: 2G, disk: 4G}
slots: 2
budget: 5 XEN
input: %[2]s
output: %[3]s
mapreduce: %[4]s
outputs: results/%[1]s
`, name, b.c.URL("/in/"+in), b.c.URL("/out/"+name), section))
	begin := start()
	b.s.job(0, "submit", file)
	return time.Since(begin)
}

// start is when a measurement begins: nobody pays for what others have written before.
func start() time.Time {
	unix.Sync()
	return time.Now()
}

// hadoop runs a job there.
func (b mapReduceBench) hadoop(run func(args ...string) (string, error), args ...string) time.Duration {
	b.t.Helper()
	begin := start()
	if out, err := run(args...); err != nil {
		b.t.Fatalf("%v\n%s", err, tail([]byte(out), 3000))
	}
	return time.Since(begin)
}

func (b mapReduceBench) say(what string, ours time.Duration, others string, theirs time.Duration, goal string) {
	fmt.Printf("%-34s %7.2f s, %s %7.2f s: ratio %5.2f (goal %s)\n", fmt.Sprintf("%s, %d MiB", what, b.mib), ours.Seconds(), others, theirs.Seconds(), theirs.Seconds()/ours.Seconds(), goal)
}

const fewWords = `{mapper: "builtin:wordcount", reducer: "builtin:sum", reducers: 1}`

func (b mapReduceBench) few(first time.Duration) {
	for _, one := range []struct {
		when string
		took time.Duration
	}{{"first job of its network", first}, {"second", b.job("second", "small", fewWords)}, {"third", b.job("third", "small", fewWords)}} {
		fmt.Printf("%-34s %7.2f s (goal 1 s on warm slots; leasing is in it)\n", "a few kilobytes, "+one.when, one.took.Seconds())
	}
	// The mapper tells when it starts.
	begin := start()
	b.job("start", "small", `{mapper: date +%s.%N, reducer: NONE, maps: 1}`)
	text, err := b.c.Java("org.apache.hadoop.fs.FsShell", "-cat", b.c.URL("/out/start/part-00000"))
	if err != nil {
		b.t.Fatal(err)
	}
	at, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		b.t.Fatal(err)
	}
	fmt.Printf("%-34s %7.2f s (goal 0.3 s on warm slots; leasing is in it)\n", "submit to the first map's start", at-float64(begin.UnixNano())/1e9)
}

func (b mapReduceBench) words(*testing.T) {
	done := b.profile()
	ours := b.job("words", "text", `{mapper: "builtin:wordcount", combiner: "builtin:sum", reducer: "builtin:sum", reducers: 2}`)
	parts := done()
	theirs := b.hadoop(b.c.Example, "wordcount", "-D", "mapreduce.job.reduces=2", b.c.URL("/in/text"), b.c.URL("/out/hadoop-words"))
	b.say("word count, built in", ours, "Java on YARN", theirs, "10")
	b.s.phases("words")
	fmt.Print(parts)
}

func (b mapReduceBench) tera(*testing.T) {
	done := b.profile()
	ours := b.job("tera", "rows", `{mapper: "builtin:identity", reducer: "builtin:identity", reducers: 2, partitioner: range, conf: {mapreduce.job.inputformat.class: org.apache.hadoop.mapred.KeyValueTextInputFormat}}`)
	parts := done()
	b.hadoop(b.c.Example, "teragen", strconv.Itoa(b.mib<<20/100), b.c.URL("/in/tera"))
	theirs := b.hadoop(b.c.Example, "terasort", "-D", "mapreduce.job.reduces=2", b.c.URL("/in/tera"), b.c.URL("/out/hadoop-tera"))
	b.say("TeraSort", ours, "Java on YARN", theirs, "5, at 1 GiB 4")
	b.s.phases("tera")
	fmt.Print(parts)
}

func (b mapReduceBench) python(_ *testing.T, text string) {
	done := b.profile()
	ours := b.job("python", "text", `{mapper: python3 map.py, reducer: python3 sum.py, files: [map.py, sum.py], reducers: 2}`)
	parts := done()
	pipes := b.s.pipes(text, "python3 map.py | LC_ALL=C sort -S 256M | python3 sum.py")
	b.say("word count, Python", ours, "plain pipes", pipes, "at least 0.87")
	b.s.phases("python")
	fmt.Print(parts)
	ours = b.job("combined", "text", `{mapper: python3 map.py, combiner: python3 sum.py, reducer: python3 sum.py, files: [map.py, sum.py], reducers: 2}`)
	pipes = b.s.pipes(text, "python3 map.py | LC_ALL=C sort -S 256M | python3 sum.py | LC_ALL=C sort -S 256M | python3 sum.py")
	b.say("the same with a combiner", ours, "plain pipes", pipes, "at least 0.87")
	theirs := b.hadoop(b.c.Streaming, "-D", "mapreduce.job.reduces=2", "-files", b.s.dir+"/map.py,"+b.s.dir+"/sum.py", "-input", b.c.URL("/in/text"),
		"-output", b.c.URL("/out/hadoop-python"), "-mapper", "python3 map.py", "-combiner", "python3 sum.py", "-reducer", "python3 sum.py")
	b.say("the same with a combiner", ours, "Streaming on YARN", theirs, "none")
}

// pipes runs a command line over both halves of a file side by side.
func (s *site) pipes(file, line string) time.Duration {
	s.t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		s.t.Fatal(err)
	}
	half := info.Size() / 2
	return timed(s.t, "bash", "-c", fmt.Sprintf("cd %[1]s; (head -c %[3]d %[2]s | %[4]s > one) & (tail -c +%[5]d %[2]s | %[4]s > two); wait", s.dir, file, half, line, half+1))
}

// phases prints where a job's CPU seconds went, from its report.
func (s *site) phases(name string) {
	s.t.Helper()
	_, table, found := strings.Cut(s.read("results/"+name+"/report/counters.md"), "## Phases")
	if !found {
		s.t.Fatal("no phases in the report")
	}
	fmt.Println(strings.TrimSpace(table))
}

// fill writes a file of about so many MiB of lines.
func fill(t *testing.T, path string, mib int, line func(*rand.Rand, []byte) []byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var buf []byte
	for size := 0; size < mib<<20; size += len(buf) {
		for buf = buf[:0]; len(buf) < 1<<20; {
			buf = line(rng, buf)
		}
		if _, err := f.Write(buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

var prose = func() *rand.Zipf { return rand.NewZipf(rand.New(rand.NewPCG(3, 4)), 1.1, 8, 50_000) }()

// proseLine is a line of twelve words as frequent as a language's.
func proseLine(_ *rand.Rand, buf []byte) []byte {
	for range 12 {
		n := prose.Uint64()
		for n++; n > 0; n /= 20 {
			buf = append(buf, "etaoinshrdlucmfwypbg"[n%20])
		}
		buf = append(buf, ' ')
	}
	return append(buf, '\n')
}

// rowLine is a row of TeraGen's, of 100 bytes, but for a key of printable bytes and a tab
// after it: the row's number, and filler of twelve hexadecimal digits, four times each.
func rowLine(rng *rand.Rand, buf []byte) []byte {
	for range 10 {
		buf = append(buf, byte(' '+1+rng.IntN(94)))
	}
	rowNumber++
	buf = fmt.Appendf(buf, "\t%032X....", rowNumber)
	for digits, i := rng.Uint64(), 0; i < 12; digits, i = digits>>4, i+1 {
		d := "0123456789ABCDEF"[digits&15]
		buf = append(buf, d, d, d, d)
	}
	return append(buf, "....\n"...)
}

var rowNumber uint64
