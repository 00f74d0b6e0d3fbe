package mapreduce

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// job is a whole MapReduce job as a test runs it: each task in a folder of its own,
// segments moved by hand.
type job struct {
	streaming.Options
	inputs []string              // one a map
	change func(*mapreduce.Task) // of each task
	files  map[string]string     // of the working folder
	place  func(scratch string)  // of anything else
	env    []string
	say    io.Writer
	log    bytes.Buffer
	facts  map[string]int64 // sums of the framework's counters, by name, and of the others by group,name
	dirs   []string
}

const megabyte = 1 << 20

// config resolves the job's options.
func (j *job) config(t testing.TB) streaming.Config {
	t.Helper()
	c, _, err := streaming.Resolve(j.Options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// task runs one task in a new folder.
func (j *job) task(t testing.TB, task mapreduce.Task, stdin io.Reader, prepare func(dir string)) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	task.Config = j.config(t)
	task.Reducers = task.Config.Reducers
	task.Maps = len(j.inputs)
	if task.Memory == 0 {
		task.Memory = 16 * megabyte
	}
	for name, content := range j.files {
		path := filepath.Join(dir, mapreduce.WorkDir, name)
		write(t, path, content)
		task.Files = append(task.Files, name)
	}
	if j.change != nil {
		j.change(&task)
	}
	data, err := task.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, mapreduce.TaskFile), string(data))
	if prepare != nil {
		prepare(dir)
	}
	if j.place != nil {
		j.place(dir)
	}
	env := append(os.Environ(), "ZENNET_JOB_ID=test", "ZENNET_ATTEMPT=1")
	if err = Run(task.Kind, Options{Dir: dir, Stdin: stdin, Log: &j.log, Say: j.say, Env: append(env, j.env...)}); err != nil {
		return dir, err
	}
	data, err = os.ReadFile(filepath.Join(dir, mapreduce.FactsFile))
	if err != nil {
		t.Fatal(err)
	}
	facts, err := mapreduce.DecodeFacts(data)
	if err != nil {
		t.Fatal(err)
	}
	if j.facts == nil {
		j.facts = map[string]int64{}
	}
	for _, c := range facts.Counters {
		name := c.Name
		if c.Group != mapreduce.GroupFramework {
			name = c.Group + "," + c.Name
		}
		j.facts[name] += c.Value
	}
	if left, _ := os.ReadDir(filepath.Join(dir, mapreduce.SpillDir)); len(left) > 0 && task.Kind != mapreduce.KindSample {
		t.Errorf("%d files are left in %s", len(left), mapreduce.SpillDir)
	}
	j.dirs = append(j.dirs, dir)
	return dir, nil
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs the job and gives its parts.
func (j *job) run(t testing.TB) (parts []string, err error) {
	t.Helper()
	reducers := j.config(t).Reducers
	part := func(dir string, n int) string {
		data, err := os.ReadFile(filepath.Join(dir, mapreduce.OutDir, fmt.Sprintf("part-%05d", n)))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err != nil {
			return "none"
		}
		return string(data)
	}
	var maps []string
	for i, in := range j.inputs {
		task := mapreduce.Task{Kind: mapreduce.KindMap, Number: i, Stdin: []mapreduce.Source{{File: fmt.Sprintf("in/%d", i), Length: int64(len(in))}}}
		if reducers == 0 {
			task.Output = fmt.Sprintf("part-%05d", i)
		}
		dir, err := j.task(t, task, strings.NewReader(in), nil)
		if err != nil {
			return nil, err
		}
		maps = append(maps, dir)
		if reducers == 0 {
			parts = append(parts, part(dir, i))
		}
	}
	for r := range reducers {
		dir, err := j.task(t, mapreduce.Task{Kind: mapreduce.KindReduce, Number: r, Output: fmt.Sprintf("part-%05d", r)}, nil, func(dir string) {
			for m, from := range maps {
				data, err := os.ReadFile(filepath.Join(from, mapreduce.SegmentName(r)))
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, mapreduce.InName(m)), string(data))
			}
		})
		if err != nil {
			return nil, err
		}
		parts = append(parts, part(dir, r))
	}
	return parts, nil
}

// streamed is a job of commands, with one reducer.
func streamed(mapper, reducer string, conf ...string) streaming.Options {
	o := streaming.Options{Mapper: mapper, Reducer: reducer, Reducers: -1}
	for _, c := range conf {
		name, value, _ := strings.Cut(c, "=")
		o.Conf = append(o.Conf, streaming.Setting{Name: name, Value: value})
	}
	return o
}
