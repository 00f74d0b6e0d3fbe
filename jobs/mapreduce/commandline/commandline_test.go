package commandline

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/datadriven"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
	"github.com/zennet/zennet/jobs/spec"
)

// here is a folder with the files that the command lines name.
var here = World{Dir: "/home/ann/work", User: "ann", Settings: func(path string) (map[string]string, error) {
	if path != "/home/ann/work/cluster.xml" {
		return nil, fmt.Errorf("no file %s", path)
	}
	return map[string]string{"fs.default.name": "hdfs://cluster:8020", "mapred.reduce.tasks": "5"}, nil
}}

var files = fstest.MapFS{}

func init() {
	for _, name := range []string{"mapper.py", "reducer.py", "combiner.py", "map.py", "reduce.py", "src/mapper.py", "stop words.txt", "dict.txt", "cachedir.tgz",
		"lib.zip", "input/a.txt", "logs/x.gz", "data.txt", "../lib/shared.py", "../../bob/tool.pl"} {
		at := "home/ann/work/" + name
		at = strings.ReplaceAll(at, "work/../../", "")
		at = strings.ReplaceAll(strings.ReplaceAll(at, "ann/bob", "bob"), "work/../", "")
		files[at] = &fstest.MapFile{Data: []byte("x\n")}
	}
}

// words splits a command line as the shell does.
func words(t *testing.T, line string) []string {
	t.Helper()
	cmd := exec.Command("sh", "-c", `show() { for a; do printf '%s\0' "$a"; done; }; show `+line)
	cmd.Env = []string{"HADOOP_HOME=/opt/hadoop", "STREAMING=/opt/hadoop/hadoop-streaming-3.4.2.jar"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	list := strings.Split(string(out), "\x00")
	return list[:len(list)-1]
}

// TestCommandLines reads real-world command lines. Every job file that comes out is
// read back and resolved: it means what the command line said.
func TestCommandLines(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w := here
			if d.HasArg("fs") {
				d.ScanArgs(t, "fs", &w.DefaultFS)
				w.ConfDir = "/etc/hadoop/conf"
			}
			job, err := Parse(words(t, d.Input), w)
			if err != nil {
				if !errors.Is(err, ErrUsage) && !errors.Is(err, streaming.ErrCommand) && !errors.Is(err, streaming.ErrSetting) && !errors.Is(err, streaming.ErrUnsupported) {
					t.Errorf("%s: %v has no kind", d.Pos, err)
				}
				return "refused: " + err.Error() + "\n"
			}
			if job.Help {
				return "help\n"
			}
			sub, err := files.Sub(strings.TrimPrefix(job.Dir, "/"))
			if job.Dir == "/" {
				sub = files
			}
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := spec.Parse("streaming", job.YAML, sub, nil)
			if err != nil {
				t.Errorf("%s: %v\n%s", d.Pos, err, job.YAML)
			} else if _, _, err := mapreduce.Resolve(parsed); err != nil {
				t.Errorf("%s: %v\n%s", d.Pos, err, job.YAML)
			}
			out := string(job.YAML)
			if job.Background {
				out += "(in the background)\n"
			}
			for _, one := range job.Warnings {
				out += "warning: " + one + "\n"
			}
			return out
		})
	})
}
