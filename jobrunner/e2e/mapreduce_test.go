package e2e

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

// soak is set where tests that take minutes are wanted too (make soak).
var soak = os.Getenv("ZENNET_SOAK") != ""

// parts reads the files of an output folder by their names; _SUCCESS must be there.
func parts(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	if text, there := out["_SUCCESS"]; !there || text != "" {
		t.Fatalf("%s has no empty _SUCCESS: %v", dir, entries)
	}
	delete(out, "_SUCCESS")
	return out
}

// lines are all lines of an output, sorted.
func lines(parts map[string]string) (out []string) {
	for _, text := range parts {
		for line := range strings.Lines(text) {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// examples copies the MapReduce examples to a site that has a network of its own.
func examples(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	if err := os.CopyFS(s.dir, os.DirFS("../../jobs/examples/mapreduce")); err != nil {
		t.Fatal(err)
	}
	s.network()
	return s
}

// network starts a devnet that the site's jobs share.
func (s *site) network() *process {
	s.t.Helper()
	p := s.start("zennetd", "--devnet")
	p.await("ready")
	return p
}

// counters reads a job's counters from its results folder, by "group/name".
func (s *site) counters(results string) map[string]int64 {
	s.t.Helper()
	var report struct {
		Counters []struct {
			Group    string
			Counters []struct {
				Name  string
				Value int64
			}
		}
	}
	if err := json.Unmarshal([]byte(s.read(results+"/report/mapreduce.json")), &report); err != nil {
		s.t.Fatal(err)
	}
	out := map[string]int64{}
	for _, g := range report.Counters {
		for _, c := range g.Counters {
			out[g.Group+"/"+c.Name] = c.Value
		}
	}
	return out
}

// TestMapReduceExamples runs every example on one network and holds what it made
// to what plain Go makes of the same input.
func TestMapReduceExamples(t *testing.T) {
	s := examples(t)
	var words []string
	err := fs.WalkDir(os.DirFS(s.dir), "data/books", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			words = append(words, strings.Fields(s.read(path))...)
		}
		return err
	})
	if err != nil || len(words) == 0 {
		t.Fatalf("%d words, %v", len(words), err)
	}
	count := map[string]int{}
	for _, w := range words {
		count[w]++
	}
	want := make([]string, 0, len(count))
	for w, n := range count {
		want = append(want, fmt.Sprintf("%s\t%d\n", w, n))
	}
	slices.Sort(want)
	run := func(name string) (id, stderr string) {
		t.Helper()
		out, stderr := s.job(0, "submit", name+".yaml")
		return first(out), stderr
	}

	id, _ := run("wordcount-builtin")
	if got := lines(parts(t, s.dir+"/results/wordcount-builtin/out")); !slices.Equal(got, want) {
		t.Errorf("wordcount-builtin: %d lines, want %d: %.500q", len(got), len(want), got)
	}
	s.receipt(id)
	if out, _ := s.job(0, "result", id); !strings.Contains(out, "results/wordcount-builtin/out") {
		t.Errorf("result does not say where the output is:\n%s", out)
	}
	if got := s.counters("results/wordcount-builtin")["Map-Reduce Framework/Reduce output records"]; got != int64(len(want)) {
		t.Errorf("%d reduce output records, want %d: %v", got, len(want), s.counters("results/wordcount-builtin"))
	}
	again, _ := run("wordcount-builtin")
	if again != id {
		t.Errorf("the same job is %s, was %s", again, id)
	}
	// Another job's output is refused, and nothing is spent.
	if _, stderr := s.job(2, "submit", "wordcount.yaml", "--set", "output=results/wordcount-builtin/out"); !strings.Contains(stderr, "exists") {
		t.Errorf("an existing output: %s", stderr)
	}
	if _, stderr := s.job(2, "submit", "wordcount.yaml", "--set", "input=[data/none]"); !strings.Contains(stderr, "data/none") {
		t.Errorf("a missing input: %s", stderr)
	}

	run("wordcount")
	if got := lines(parts(t, s.dir+"/results/wordcount/out")); !slices.Contains(got, "the\t13\n") || !slices.Contains(got, "ishmael\t1\n") {
		t.Errorf("wordcount: %q", got)
	}
	run("grep")
	if got := lines(parts(t, s.dir+"/results/grep/out")); len(got) == 0 || slices.ContainsFunc(got, func(l string) bool { return !strings.Contains(l, "pictures") }) {
		t.Errorf("grep: %q", got)
	}
	run("index")
	if got := strings.Join(lines(parts(t, s.dir+"/results/index/out")), ""); !strings.Contains(got, "alice.txt:") || !strings.Contains(got, "whale.txt:") {
		t.Errorf("index: %.300q", got)
	}
	run("join")
	if got := lines(parts(t, s.dir+"/results/join/out")); !slices.Contains(got, "101\tAda\tengine\n") {
		t.Errorf("join: %q", got)
	}
	if got := s.counters("results/join")["Join/Orders of nobody"]; got != 1 {
		t.Errorf("orders of nobody: %d", got)
	}
	run("top")
	if got := lines(parts(t, s.dir+"/results/top/out")); len(got) != 5 {
		t.Errorf("top: %q", got)
	}
	run("teragen")
	rows := lines(parts(t, s.dir+"/results/tera/rows"))
	if len(rows) != 10_000 {
		t.Errorf("teragen made %d rows", len(rows))
	}
	run("terasort")
	sorted := parts(t, s.dir+"/results/tera/sorted")
	var order []string
	for _, name := range slices.Sorted(maps.Keys(sorted)) {
		if sorted[name] == "" {
			t.Errorf("terasort: %s is empty", name)
		}
		for line := range strings.Lines(sorted[name]) {
			order = append(order, line)
		}
	}
	if len(sorted) != 4 || !slices.Equal(order, rows) {
		t.Errorf("terasort: %d files, %d rows, in order %v", len(sorted), len(order), slices.IsSorted(order))
	}
	run("teravalidate")
	if got := strings.Join(lines(parts(t, s.dir+"/results/tera/report")), ""); !strings.Contains(got, "rows\t10000\n") {
		t.Errorf("teravalidate: %q", got)
	}
	if left := hidden(t, s.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// hidden lists the staging folders under a folder.
func hidden(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && strings.Contains(d.Name(), "zennet-") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// text makes n lines that no compressor and no hash table finds easy.
func text(n int) string {
	var b strings.Builder
	x := uint32(1)
	for range n {
		for range 6 {
			x = x*1664525 + 1013904223
			fmt.Fprintf(&b, "w%d ", x>>18)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestMapReduceKilled kills the publisher again and again while a job runs; what
// it makes at last is what it makes undisturbed, counters too.
func TestMapReduceKilled(t *testing.T) {
	s := newSite(t)
	s.write("in.txt", text(40_000))
	s.write("slow.py", "import sys, time\nfor line in sys.stdin:\n    for w in line.split():\n        print(w + '\\t1')\nsys.stderr.write('reporter:counter:test,maps,1\\n')\ntime.sleep(1)\n")
	job := func(name string) string {
		return s.write(name+".yaml", `version: 1
kind: mapreduce
name: `+name+`
slots: 2
budget: 1 XEN
input: in.txt
output: `+name+`/out
mapreduce: {mapper: python3 slow.py, reducer: "builtin:sum", combiner: "builtin:sum", files: [slow.py], reducers: 2, split: 512K}
outputs: `+name+`
`)
	}
	s.job(0, "submit", job("calm"))
	file := job("killed")
	kills := 3
	if soak {
		kills = 12
	}
	id := ""
	for n := 0; n < kills && (id == "" || s.status(id).State != "done"); n++ {
		p := s.start("zennet-job", "submit", file)
		if id == "" {
			p.await("leased a container")
			id = p.id()
		}
		s.eventually("it is further", func() bool { // a little further each time
			st := s.status(id)
			return st.Tasks.Done > n || st.State == "done"
		})
		p.kill()
		if _, err := os.Stat(s.dir + "/killed/out"); err == nil && s.status(id).State != "done" {
			if _, err := os.Stat(s.dir + "/killed/out/_SUCCESS"); err != nil {
				t.Fatal("an unfinished output is to be seen")
			}
		}
	}
	out, _ := s.job(0, "submit", file)
	s.receipt(first(out))
	calm, killed := parts(t, s.dir+"/calm/out"), parts(t, s.dir+"/killed/out")
	if len(calm) != 2 || len(killed) != 2 || calm["part-00000"] != killed["part-00000"] || calm["part-00001"] != killed["part-00001"] {
		t.Error("the output differs")
	}
	want, got := s.counters("calm"), s.counters("killed")
	for _, name := range []string{"test/maps", "Map-Reduce Framework/Map input records", "Map-Reduce Framework/Map output records", "Map-Reduce Framework/Reduce output records"} {
		if want[name] == 0 || want[name] != got[name] {
			t.Errorf("%s: %d, undisturbed %d", name, got[name], want[name])
		}
	}
	if left := hidden(t, s.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestSameAsHadoop runs hadoop-streaming command lines as they are by Hadoop and
// here, over one HDFS: per part the same keys in the same order, per key the same
// values.
func TestSameAsHadoop(t *testing.T) {
	c := hdfstest.Start(t, hdfstest.Options{DataNodes: 1})
	s := newSite(t)
	t.Setenv("HADOOP_CONF_DIR", c.Conf)
	t.Setenv("HADOOP_USER_NAME", c.User)
	s.network()
	put := func(name, text string) {
		t.Helper()
		local := s.write("put/"+name, text)
		if _, err := c.Java("org.apache.hadoop.fs.FsShell", "-put", "-f", "file:"+local, c.URL("/in/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Java("org.apache.hadoop.fs.FsShell", "-mkdir", "-p", c.URL("/in")); err != nil {
		t.Fatal(err)
	}
	put("a.txt", text(3000))
	put("b.txt", "a\tb\r\nc\rd\n\n\tempty key\nno end")
	put("numbers.txt", "3\tx 10.5\n1\ty 2\n2\tz 10.50\n10\tw -1\n2\tagain 7\n")
	s.write("map.py", "import sys\nfor line in sys.stdin:\n    for w in line.split():\n        print(w[:3] + '\\t1')\n    sys.stderr.write('reporter:counter:my,lines,1\\n')\n")
	s.write("red.py", "import sys\nlast, n = None, 0\nfor line in sys.stdin:\n    k, v = line.rstrip('\\n').split('\\t', 1)\n    if k != last:\n        if last is not None: print(last + '\\t' + str(n))\n        last, n = k, 0\n    n += int(v)\nif last is not None: print(last + '\\t' + str(n))\n")
	cases := []struct{ name, args string }{
		{"wordcount", "-input /in/a.txt -mapper 'python3 map.py' -combiner 'python3 red.py' -reducer 'python3 red.py' -numReduceTasks 3 -file map.py -file red.py"},
		{"records", "-input /in/b.txt -mapper cat -reducer cat"},
		{"comparator", "-D mapreduce.job.output.key.comparator.class=org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator -D mapreduce.partition.keycomparator.options=-k1,1nr -input /in/numbers.txt -mapper cat -reducer cat"},
		{"aggregate", "-D mapred.reduce.tasks=2 -input /in/a.txt -mapper 'python3 agg.py' -reducer aggregate -file agg.py"},
		{"partitioner", "-D stream.num.map.output.key.fields=2 -D mapreduce.partition.keypartitioner.options=-k1,1 -D mapreduce.map.output.key.field.separator=. -D stream.map.output.field.separator=. -input /in/a.txt -mapper 'python3 dots.py' -reducer cat -numReduceTasks 3 -partitioner org.apache.hadoop.mapred.lib.KeyFieldBasedPartitioner -file dots.py"},
		{"compressed", "-D mapreduce.output.fileoutputformat.compress=true -D mapreduce.output.fileoutputformat.compress.codec=org.apache.hadoop.io.compress.GzipCodec -input /in/b.txt -mapper cat -reducer NONE"},
	}
	s.write("agg.py", "import sys\nfor line in sys.stdin:\n    for w in line.split():\n        print('LongValueSum:' + w[:2] + '\\t2')\n        print('UniqValueCount:' + w[:1] + '\\t' + w)\n")
	s.write("dots.py", "import sys\nfor i, line in enumerate(sys.stdin):\n    print(str(i % 7) + '.' + str(i % 11) + '.' + line.strip())\n")
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			// Hadoop in one process asks for one map, whatever it is told.
			args := append(append([]string{"-D", "mapreduce.job.maps=1"}, words(one.args)...), "-output")
			theirs, ours := c.URL("/out/hadoop-"+one.name), c.URL("/out/zennet-"+one.name)
			at := func(i int, a string) string {
				if i > 0 && strings.HasPrefix(a, "/in/") {
					return c.URL(a)
				}
				if strings.HasSuffix(a, ".py") && !strings.Contains(a, " ") {
					return filepath.Join(s.dir, a)
				}
				return a
			}
			full := make([]string, len(args))
			for i, a := range args {
				full[i] = at(i, a)
			}
			if out, err := c.Streaming(append(slices.Clone(full), theirs)...); err != nil {
				t.Fatalf("%v\n%s", err, tail([]byte(out), 2000))
			}
			s.job(0, append([]string{"streaming"}, append(full, ours)...)...)
			compare(t, fetch(t, c, s, theirs), fetch(t, c, s, ours))
		})
	}
}

// words splits a command line at spaces, but not in quotes.
func words(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// fetch copies an output from HDFS and reads it, decompressed.
func fetch(t *testing.T, c *hdfstest.Cluster, s *site, url string) map[string]string {
	t.Helper()
	local := filepath.Join(t.TempDir(), "got")
	if _, err := c.Java("org.apache.hadoop.fs.FsShell", "-get", url, "file:"+local); err != nil {
		t.Fatal(err)
	}
	out := parts(t, local)
	for name, text := range out {
		if strings.HasPrefix(name, ".") {
			delete(out, name)
		} else if strings.HasSuffix(name, ".gz") {
			out[name] = gunzip(t, text)
		}
	}
	return out
}

func gunzip(t *testing.T, text string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// compare holds two outputs to the same parts, the same sequence of keys in each
// and the same values of each key.
func compare(t *testing.T, want, got map[string]string) {
	t.Helper()
	if a, b := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)); !slices.Equal(a, b) {
		t.Fatalf("parts %v, Hadoop has %v", b, a)
	}
	for name := range want {
		a, b := records(want[name]), records(got[name])
		if len(a) != len(b) {
			t.Errorf("%s: %d keys in a row, Hadoop has %d", name, len(b), len(a))
			continue
		}
		for i := range a {
			if a[i].key != b[i].key || !slices.Equal(a[i].values, b[i].values) {
				t.Errorf("%s: key %d is %q with %.200q, Hadoop has %q with %.200q", name, i, b[i].key, b[i].values, a[i].key, a[i].values)
				break
			}
		}
	}
}

type record struct {
	key    string
	values []string
}

// records groups the lines of a part by their keys, as they come; the values of a
// key are sorted.
func records(text string) (out []record) {
	in := bufio.NewScanner(strings.NewReader(text))
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		key, value, _ := strings.Cut(in.Text(), "\t")
		if len(out) == 0 || out[len(out)-1].key != key {
			out = append(out, record{key: key})
		}
		r := &out[len(out)-1]
		r.values = append(r.values, value)
	}
	for i := range out {
		slices.Sort(out[i].values)
	}
	return out
}

// TestMapReduceFaults hurts providers while reducers run, whose maps left their
// output with them: the job makes what it makes undisturbed, and counts it once.
func TestMapReduceFaults(t *testing.T) {
	w := newWorld(t, 2)
	w.write("in.txt", text(300_000)) // 12 MB
	w.write("red.py", "import sys, time\nn = 0\nfor line in sys.stdin:\n    n += 1\n    sys.stdout.write(line)\nsys.stderr.write('reporter:counter:test,lines,%d\\n' % n)\nsys.stderr.flush()\ntime.sleep(4)\n")
	run := func(name string, hurt func(id string)) (map[string]string, map[string]int64) {
		t.Helper()
		out, _ := w.job(0, "submit", "--detach", w.write(name+".yaml", `version: 1
kind: mapreduce
name: `+name+`
slots: 2
providers: {min: 2}
budget: 1 XEN
input: in.txt
output: `+name+`/out
mapreduce: {mapper: builtin:identity, reducer: python3 red.py, files: [red.py], reducers: 2, split: 4M}
outputs: `+name+`
`))
		id := first(out)
		w.eventually("reducers run", func() bool {
			st := w.status(id)
			return st.State != "running" && st.State != "queued" || st.Tasks.Done >= st.Tasks.Total-2 && st.Tasks.Running > 0
		})
		hurt(id)
		w.job(0, "watch", id)
		w.eventually("every lease is settled", func() bool { return w.allSettled(id) })
		w.receipt(id)
		return parts(t, filepath.Join(w.dir, name, "out")), w.counters(name)
	}
	want, counted := run("calm", func(string) {})
	if len(want) != 2 || len(want["part-00000"]) < 1<<20 || counted["test/lines"] != 300_000 {
		t.Fatalf("%d parts, %v", len(want), counted)
	}
	for _, c := range []struct {
		name string
		long bool
		hurt func(id string)
	}{
		{"container", false, func(string) { w.killContainer() }},
		{"provider", false, func(string) {
			w.providers[1].kill()
			w.providers[1] = w.provide(1, w.genesisHome)
			w.providers[1].await("providing as")
		}},
		{"publisher", false, func(string) {
			w.publisher.kill()
			w.publisher = w.publish(w.genesisHome)
			w.publisher.await("publishing as")
		}},
		{"frozen", true, func(id string) {
			w.providers[0].cmd.Process.Signal(syscall.SIGSTOP)
			w.eventually("its work is elsewhere", func() bool { return len(w.status(id).Failures) > 0 })
			w.providers[0].cmd.Process.Signal(syscall.SIGCONT)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && !soak {
				t.Skip("make soak runs this: it takes minutes")
			}
			got, n := run(c.name, c.hurt)
			for part := range want {
				if got[part] != want[part] {
					t.Errorf("%s differs: %d bytes, undisturbed %d", part, len(got[part]), len(want[part]))
				}
			}
			for _, name := range []string{"test/lines", "Map-Reduce Framework/Map input records", "Map-Reduce Framework/Reduce output records"} {
				if n[name] != counted[name] {
					t.Errorf("%s: %d, undisturbed %d", name, n[name], counted[name])
				}
			}
			if left := hidden(t, w.dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
