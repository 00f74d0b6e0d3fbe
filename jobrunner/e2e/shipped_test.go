package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
	"github.com/zennet/zennet/jobrunner/journal"
)

// TestFilesOfHDFS: programs, data and archives for tasks lie in an HDFS, in folders too,
// for jobs of both kinds. What is not there, or must not be read, is refused at its line.
func TestFilesOfHDFS(t *testing.T) {
	c := hdfstest.Start(t, hdfstest.Options{DataNodes: 1})
	s := newSite(t)
	t.Setenv("HADOOP_CONF_DIR", c.Conf)
	t.Setenv("HADOOP_USER_NAME", c.User)
	s.network()
	s.write("tools/map.py", "import sys\nstop = set(open('words/stop.txt').read().split()) | set(open('lib/in/more.txt').read().split())\nfor line in sys.stdin:\n    for w in line.split():\n        if w not in stop: print(w + '\\t1')\n")
	s.write("tools/words/stop.txt", "the of\n")
	s.write("in/more.txt", "and\n")
	if out, err := exec.Command("tar", "-C", s.dir, "-czf", s.dir+"/tools/lib.tgz", "in").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.write("tools/secret", "x")
	for _, args := range [][]string{
		{"-mkdir", "-p", c.URL("/")},
		{"-put", "file:" + filepath.Join(s.dir, "tools"), c.URL("/tools")},
		{"-chmod", "000", c.URL("/tools/secret")},
		{"-chown", "nobody", c.URL("/tools/secret")},
	} {
		if out, err := c.Java("org.apache.hadoop.fs.FsShell", args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	s.write("books.txt", "the cat and the dog\nof cat\n")
	s.job(0, "streaming", "-files", c.URL("/tools/map.py")+","+c.URL("/tools/words"), "-archives", c.URL("/tools/lib.tgz")+"#lib",
		"-input", "file:"+s.dir+"/books.txt", "-output", "file:"+s.dir+"/made", "-mapper", "python3 map.py", "-reducer", "cat")
	if got := strings.Join(lines(parts(t, s.dir+"/made")), ""); got != "cat\t1\ncat\t1\ndog\t1\n" {
		t.Errorf("made %q", got)
	}

	s.write("job.yaml", "version: 1\nkind: container\nname: shipped\ncommand: python3 map.py\nslots: 1\narray: 0-1\nenv: {A: b}\n"+
		"inputs: [\""+c.URL("/tools/map.py")+"\"]\nhdfs: {user: someone}\n")
	out, stderr := s.job(1, "submit", "job.yaml") // the words are missing
	if s.status(first(out)).Cause != journal.CauseTask || !strings.Contains(stderr, "words/stop.txt") {
		t.Errorf("ended with %s", stderr)
	}
	s.job(0, "submit", "job.yaml", "--set", "command=sh -c \"cat lib.tgz words/stop.txt > x; test -s x\"", "--set", "inputs=["+c.URL("/tools/lib.tgz")+", "+c.URL("/tools/words")+"]")
	for url, want := range map[string]string{"/tools/none": "does not exist", "/tools/secret": "ermission denied"} {
		_, stderr := s.job(2, "submit", "job.yaml", "--set", "inputs=["+c.URL(url)+"]")
		if !strings.Contains(stderr, ": inputs: "+c.URL(url)+": ") || !strings.Contains(stderr, want) {
			t.Errorf("%s: %s", url, stderr)
		}
	}
}
