package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

// answer is what Hadoop says of one job (testdata/Jobs.java).
type answer struct {
	Code     int
	Error    string
	Counters map[string]int64
}

// hadoop is a Hadoop, and a site of ours on the same HDFS.
type hadoop struct {
	*site
	c     *hdfstest.Cluster
	yarn  bool
	every []string // words that every job of both begins with
}

// TestSameAsHadoop runs hadoop-streaming command lines as they are by Hadoop and
// here, over one HDFS: the same ones fail; of the others, the parts have the same
// names, each has the same keys in the same order, each key the same values, and
// the counters are the same. ZENNET_CASES names those to be run, as -run does.
func TestSameAsHadoop(t *testing.T) {
	only, err := regexp.Compile(os.Getenv("ZENNET_CASES"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []hadoopCase
	for _, one := range hadoopCases {
		if (soak || one.quick || only.String() != "") && only.MatchString(one.name) {
			cases = append(cases, one)
		}
	}
	// Hadoop in one process asks for one map, whatever it is told.
	same(t, hdfstest.Options{DataNodes: 1}, cases, "-D", "mapreduce.job.maps=1")
}

// TestSameAsYARN does so on YARN, where that makes a difference: the number of maps,
// and the environment of tasks.
func TestSameAsYARN(t *testing.T) {
	if !soak {
		t.Skip("make soak runs this: it takes minutes")
	}
	same(t, hdfstest.Options{DataNodes: 1, YARN: true}, yarnCases)
}

// same runs command lines by Hadoop and here.
func same(t *testing.T, o hdfstest.Options, cases []hadoopCase, every ...string) {
	h := &hadoop{newSite(t), hdfstest.Start(t, o), o.YARN, every}
	t.Setenv("HADOOP_CONF_DIR", h.c.Conf)
	t.Setenv("HADOOP_USER_NAME", h.c.User)
	h.network()
	h.inputs()
	ask := h.ask(cases)
	ours := make([]ran, len(cases))
	for i, one := range cases {
		ours[i] = h.run(one)
	}
	answers, err := ask()
	if err != nil || len(answers) != len(cases) {
		t.Fatalf("Hadoop answers %d of %d jobs: %v", len(answers), len(cases), err)
	}
	if err := h.java("get", h.c.URL("/out"), h.dir+"/out"); err != nil {
		t.Fatal(err)
	}
	for i, one := range cases {
		t.Run(one.name, func(t *testing.T) { h.check(t, one, answers[i], ours[i]) })
	}
}

// ran is what came of a job here.
type ran struct {
	code   int
	stderr string
}

// check holds a job of ours to Hadoop's.
func (h *hadoop) check(t *testing.T, one hadoopCase, theirs answer, ours ran) {
	t.Helper()
	failed := theirs.Code != 0
	if failed != one.fails || (ours.code != 0) != failed {
		t.Fatalf("exit %d, Hadoop %d %s; is it to fail: %v\n%s", ours.code, theirs.Code, theirs.Error, one.fails, tail([]byte(ours.stderr), 4000))
	}
	if failed {
		return
	}
	one.compare(t, parts(t, h.dir+"/out/hadoop/"+one.name), parts(t, h.dir+"/out/zennet/"+one.name))
	if !h.yarn {
		sameCounters(t, theirs.Counters, (&site{t: t, dir: h.dir}).counters("results/"+one.name))
	}
}

// java runs testdata/Jobs.java.
func (h *hadoop) java(args ...string) error {
	program, err := filepath.Abs("testdata/Jobs.java")
	if err == nil {
		_, err = h.c.Java(program, args...)
	}
	return err
}

// ask has Hadoop run the jobs; the answers are to be waited for.
func (h *hadoop) ask(cases []hadoopCase) (answers func() ([]answer, error)) {
	h.t.Helper()
	var jobs [][]string
	for _, one := range cases {
		// It shall not take 100 MB for each job.
		jobs = append(jobs, append([]string{"-D", "mapreduce.task.io.sort.mb=16"}, h.words(one, "hadoop")...))
	}
	data, err := json.Marshal(jobs)
	if err != nil {
		h.t.Fatal(err)
	}
	path := h.write("jobs.json", string(data))
	ended := make(chan error, 1)
	go func() { ended <- h.java("run", path, path+".out") }()
	return func() (out []answer, err error) {
		if err := <-ended; err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path + ".out")
		if err == nil {
			err = json.Unmarshal(data, &out)
		}
		return out, err
	}
}

// run runs a job here.
func (h *hadoop) run(one hadoopCase) ran {
	h.t.Helper()
	args := append([]string{"streaming", "--outputs", "results/" + one.name}, h.words(one, "zennet")...)
	cmd := h.command("zennet-job", args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), errs.String()}
}

// words are a case's words, with what who runs it needs.
func (h *hadoop) words(one hadoopCase, who string) []string {
	out := append(slices.Clone(h.every), words(strings.ReplaceAll(one.args, "%/", h.dir+"/"))...)
	if !slices.Contains(out, "-output") {
		out = append(out, "-output", "/out/"+who+"/"+one.name)
	}
	return out
}

// words splits a command line at spaces, but not in '…'.
func words(line string) (out []string) {
	var word strings.Builder
	quoted, begun := false, false
	for _, c := range line + " " {
		switch {
		case c == '\'':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				out = append(out, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	return out
}

// compare holds two outputs to the same parts, the same sequence of keys in each
// and the same values of each key.
func (one hadoopCase) compare(t *testing.T, want, got map[string]string) {
	t.Helper()
	if a, b := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)); !slices.Equal(a, b) {
		t.Fatalf("parts %v, Hadoop has %v", b, a)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		a, b := one.records(want[name]), one.records(got[name])
		for i := range min(len(a), len(b)) {
			if a[i].key != b[i].key || !slices.Equal(a[i].values, b[i].values) {
				t.Errorf("%s: key %d is %.300q with %.200q, Hadoop has %.300q with %.200q", name, i, b[i].key, b[i].values, a[i].key, a[i].values)
				break
			}
		}
		if len(a) != len(b) {
			t.Errorf("%s: %d keys in a row, Hadoop has %d", name, len(b), len(a))
		}
	}
}

type keyed struct {
	key    string
	values []string
}

// records groups the lines of a part by their keys, as they come; the values of a
// key are sorted. Where different keys tie, all lines are one key's.
func (one hadoopCase) records(text string) (out []keyed) {
	separator := one.separator
	if separator == "" {
		separator = "\t"
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, separator)
		if one.ties {
			key, value = "", line
		}
		if len(out) == 0 || out[len(out)-1].key != key {
			out = append(out, keyed{key: key})
		}
		r := &out[len(out)-1]
		r.values = append(r.values, value)
	}
	for i := range out {
		slices.Sort(out[i].values)
	}
	return out
}

// counted are the framework's counters that follow from the job and its input.
var counted = []string{
	"Map-Reduce Framework/Map input records", "Map-Reduce Framework/Map output records", "Map-Reduce Framework/Map output bytes",
	"Map-Reduce Framework/Combine input records", "Map-Reduce Framework/Combine output records",
	"Map-Reduce Framework/Reduce input groups", "Map-Reduce Framework/Reduce input records", "Map-Reduce Framework/Reduce output records",
}

// sameCounters holds the framework's counters, and all of the user's, to Hadoop's.
func sameCounters(t *testing.T, want, got map[string]int64) {
	t.Helper()
	own := func(given map[string]int64) map[string]int64 {
		all, out := map[string]int64{}, map[string]int64{}
		for name, n := range given {
			group, name, _ := strings.Cut(name, "/")
			all[strings.TrimSpace(group)+"/"+name] = n // some of Hadoop's groups end in a space
		}
		for name, n := range all {
			switch group, _, _ := strings.Cut(name, "/"); group {
			case "Map-Reduce Framework", "File System Counters", "Shuffle Errors", "File Input Format Counters", "File Output Format Counters":
			default:
				out[name] = n
			}
		}
		for _, name := range counted {
			if n := all[name]; n != 0 {
				out[name] = n
			}
		}
		return out
	}
	a, b := own(want), own(got)
	for name, n := range a {
		if b[name] != n {
			t.Errorf("counter %s is %d, Hadoop's %d", name, b[name], n)
		}
	}
	for name, n := range b {
		if _, there := a[name]; !there {
			t.Errorf("counter %s is %d, Hadoop has none", name, n)
		}
	}
}
