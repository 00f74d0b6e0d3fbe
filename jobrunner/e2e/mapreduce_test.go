package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
