package engine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/spec"
)

// shipping is a lab whose jobs start from files of another file system, which is a
// folder of this machine that is no job's.
type shipping struct {
	*lab
	far string
}

func newShipping(t *testing.T) *shipping {
	s := &shipping{lab: newLab(t), far: t.TempDir()}
	s.data = func(job spec.Job, dir string) (Source, func(string) Output, error) {
		d, err := data.Open(job, dir, data.Options{})
		return d, nil, err
	}
	s.close()
	s.open()
	return s
}

func (s *shipping) put(name, text string) {
	s.t.Helper()
	at := filepath.Join(s.far, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

// prepared is a job that starts from the named files, as the publisher finds them.
func (s *shipping) prepared(text string, names ...string) spec.Job {
	s.t.Helper()
	job := s.job(text)
	job.Lines["inputs"] = "test.yaml:6"
	for _, name := range names {
		job.Container.Inputs = append(job.Container.Inputs, "file:"+filepath.Join(s.far, name))
	}
	job, _, _, err := data.Prepare(s.ctx(), job, s.dir, data.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	return job
}

const showsWords = "command: [\"sh\", \"-c\", \"cat words.txt big lib/a lib/deep/b | sha256sum > sum; ./words.txt\"]\ncollect: [sum]\noutputs: outputs/\n"

// TestFetched: files and folders of another file system lie in the scratch folder, as
// programs. The job is named by what they hold, not by where they lie.
func TestFetched(t *testing.T) {
	s := newShipping(t)
	fill := func(folder string) {
		s.put(folder+"words.txt", "#!/bin/sh\necho run\n")
		s.put(folder+"big", strings.Repeat("a line of a large file\n", 100_000))
		s.put(folder+"lib/a", "a")
		s.put(folder+"lib/deep/b", "b")
	}
	fill("")
	fill("other/")
	var ids []string
	for _, folder := range []string{"", "other/"} {
		done, err := s.engine.Submit(s.ctx(), Submission{Job: s.prepared(showsWords, folder+"words.txt", folder+"big", folder+"lib"), Dir: s.dir})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, done.ID)
		s.want(s.wait(done.ID), journal.JobDone, 1, 0)
	}
	if ids[0] != ids[1] {
		t.Errorf("the same files at two places are jobs %v", ids)
	}
	if got := s.file("logs/0.stdout"); got != "run\n" {
		t.Errorf("printed %q", got)
	}
	all := "#!/bin/sh\necho run\n" + strings.Repeat("a line of a large file\n", 100_000) + "ab"
	if got, want := s.file("tasks/0/sum"), fmt.Sprintf("%x  -\n", sha256.Sum256([]byte(all))); got != want {
		t.Errorf("sum %q, want %q", got, want)
	}
	s.put("words.txt", "#!/bin/sh\necho other\n")
	done, err := s.engine.Submit(s.ctx(), Submission{Job: s.prepared(showsWords, "words.txt", "big", "lib"), Dir: s.dir})
	if err != nil || done.ID == ids[0] {
		t.Errorf("with another file: job %s, %v", done.ID, err)
	}
	s.want(s.wait(done.ID), journal.JobDone, 1, 0)
}

// TestFetchedChanged: a file that was written after it was looked for is refused by its
// name, at its line, before anything is spent.
func TestFetchedChanged(t *testing.T) {
	s := newShipping(t)
	s.put("words.txt", "one")
	job := s.prepared("command: [cat, words.txt]\n", "words.txt")
	s.put("words.txt", "others")
	_, err := s.engine.Submit(s.ctx(), Submission{Job: job, Dir: s.dir})
	if !errors.Is(err, ErrInvalid) || !errors.Is(err, data.ErrChanged) ||
		!strings.HasPrefix(err.Error(), "test.yaml:6: inputs: input file:"+s.far+"/words.txt: input changed since the job was planned: it has 6 bytes and had 3") {
		t.Errorf("got %v", err)
	}
}

// TestFetchedOnce: a publisher that comes back goes on with what it fetched, wherever
// the file is by now.
func TestFetchedOnce(t *testing.T) {
	s := newShipping(t)
	s.put("words.txt", "words\n")
	job := s.prepared(s.marked("1")+"\narray: 0-2\nslots: 1\ncollect: [words.txt]\noutputs: outputs/\n", "words.txt")
	done, err := s.engine.Submit(s.ctx(), Submission{Job: job, Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	s.until(done.ID, func(st journal.Status) bool { return st.Tasks.Done == 1 && s.ran()["1"] == 1 })
	if err := os.Remove(filepath.Join(s.far, "words.txt")); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.goOn()
	s.want(s.wait(done.ID), journal.JobDone, 3, 0)
	for _, task := range []string{"0", "1", "2"} {
		if got := s.file("tasks/" + task + "/words.txt"); got != "words\n" {
			t.Errorf("task %s had %q", task, got)
		}
	}
}
