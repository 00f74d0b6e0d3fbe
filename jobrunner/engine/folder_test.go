package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/jobrunner/journal"
)

// tree lists the files of the results' folder.
func (l *lab) tree() []string {
	l.t.Helper()
	var out []string
	root := filepath.Join(l.dir, "outputs")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path[len(root)+1:])
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// wantTree says which files the results of a job with these tasks are.
func wantTree(also []string, tasks ...int) []string {
	out := append([]string{".zennet-job", "receipt.json"}, also...)
	for _, i := range tasks {
		out = append(out, fmt.Sprintf("tasks/%d/f", i), fmt.Sprintf("logs/%d.stdout", i), fmt.Sprintf("logs/%d.stderr", i))
	}
	slices.Sort(out)
	return out
}

func (l *lab) refused(text, dir, what string) {
	l.t.Helper()
	_, err := l.engine.Submit(l.ctx(), Submission{Job: l.job(text), Dir: dir})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), what) {
		l.t.Errorf("submitted into a folder in use: %v, want %q", err, what)
	}
}

// TestFolderInUse: while a job writes a results' folder, another one is refused it,
// and the folders in it and around it, by whatever name; so is one of another
// process. When the job has ended, it is free.
func TestFolderInUse(t *testing.T) {
	l := newLab(t)
	text := l.marked("0") + "\ncollect: [f]\noutputs: %s\n"
	first := l.submit(fmt.Sprintf(text, "outputs/"))
	l.until(first.ID, func(s journal.Status) bool { return len(l.ran()) == 1 })
	if err := os.Symlink("outputs", filepath.Join(l.dir, "alias")); err != nil {
		t.Fatal(err)
	}
	other := "command: [\"true\"]\nname2: x\noutputs: %s\n"
	other = strings.Replace(other, "name2: x\n", "", 1)
	for _, dir := range []string{"outputs", "alias", "outputs/deeper"} {
		l.refused(fmt.Sprintf(other, dir), l.dir, first.ID)
	}
	around := l.job(fmt.Sprintf(other, "x"))
	around.Outputs = l.dir
	if _, err := l.engine.Submit(l.ctx(), Submission{Job: around, Dir: l.dir}); !errors.Is(err, ErrInvalid) {
		t.Errorf("around: %v", err)
	}
	stranger := newLab(t)
	stranger.refused(fmt.Sprintf(other, "outputs"), l.dir, "another process")
	if b, err := l.journal.Jobs(false); err != nil || len(b) != 1 {
		t.Errorf("%d jobs in the journal: %v", len(b), err)
	}
	l.goOn()
	l.want(l.wait(first.ID), journal.JobDone, 1, 0)
	s, err := l.engine.Submit(l.ctx(), Submission{Job: l.job(fmt.Sprintf(other, "alias")), Dir: l.dir})
	if err != nil || s.Replaces != first.ID {
		t.Fatalf("%+v %v", s, err)
	}
	l.want(l.wait(s.ID), journal.JobDone, 1, 0)
}

// TestFolderReplaced: the results of another job are replaced as a whole, logs of
// what is taken over among them are kept, and what is nobody's result stays.
func TestFolderReplaced(t *testing.T) {
	l := newLab(t)
	text := l.marked("none") + "\narray: %s\ncollect: [f]\noutputs: outputs/\n"
	l.write("outputs/notes.txt", "mine\n")
	long := l.run(fmt.Sprintf(text, "0-3"))
	l.want(long, journal.JobDone, 4, 0)
	notes := []string{"notes.txt"}
	if diff := cmp.Diff(wantTree(notes, 0, 1, 2, 3), l.tree()); diff != "" {
		t.Fatal(diff)
	}
	short := l.submit(fmt.Sprintf(text, "1-2"))
	if short.Replaces != long.ID {
		t.Errorf("%+v", short)
	}
	l.want(l.wait(short.ID), journal.JobDone, 2, 0)
	if diff := cmp.Diff(wantTree(notes, 1, 2), l.tree()); diff != "" {
		t.Error(diff)
	}
	// The first one is done, but its results are no longer there: they come back.
	again := l.submit(fmt.Sprintf(text, "0-3"))
	if again.ID != long.ID || again.State != SubmittedResumed {
		t.Errorf("%+v", again)
	}
	l.want(l.wait(again.ID), journal.JobDone, 4, 0)
	for i := range 4 {
		if got := l.file(fmt.Sprintf("tasks/%d/f", i)); got != fmt.Sprintf("out %d\n", i) || l.ran()[fmt.Sprint(i)] != 1 {
			t.Errorf("task %d: %q, ran %v", i, got, l.ran())
		}
	}
	if l.file("notes.txt") != "mine\n" {
		t.Error("the notes are gone")
	}
}

// TestFolderOfSomebody: a folder with files of our names that no job wrote is left
// alone.
func TestFolderOfSomebody(t *testing.T) {
	l := newLab(t)
	l.write("outputs/logs/diary.txt", "mine\n")
	l.refused("command: [\"true\"]\noutputs: outputs/\n", l.dir, "which no job has written")
	if diff := cmp.Diff([]string{"logs/diary.txt"}, l.tree()); diff != "" {
		t.Error(diff)
	}
}

// TestFolderCrash: the host dies at a step of replacing a folder. After the restart
// the folder holds exactly the files of the job that runs.
func TestFolderCrash(t *testing.T) {
	move := func(names ...string) func(dir string) error {
		return func(dir string) error {
			err := os.MkdirAll(filepath.Join(dir, former), 0o755)
			for _, name := range names {
				err = errors.Join(err, os.Rename(filepath.Join(dir, name), filepath.Join(dir, former, name)))
			}
			return err
		}
	}
	all := move("tasks", "logs", "receipt.json")
	partial := func(dir string) error {
		return errors.Join(all(dir), os.MkdirAll(filepath.Join(dir, "logs"), 0o755), os.WriteFile(filepath.Join(dir, "logs/0.stdout"), []byte("half"), 0o644),
			os.MkdirAll(filepath.Join(dir, "tasks/9"), 0o755), os.MkdirAll(filepath.Join(dir, scratch, "x"), 0o755))
	}
	for name, step := range map[string]func(dir string) error{
		"before all":     func(string) error { return nil },
		"one moved":      move("tasks"),
		"all moved":      all,
		"partly written": partial,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			text := l.marked("2") + "\narray: %s\ncollect: [f]\noutputs: %s\n"
			// The second job is under way, elsewhere, when the host dies; then it is in
			// the folder of the first one, at that step.
			first := l.run(fmt.Sprintf(text, "0-1", "outputs"))
			l.want(first, journal.JobDone, 2, 0)
			id := l.submit(fmt.Sprintf(text, "1-2", "elsewhere")).ID
			l.until(id, func(s journal.Status) bool { return l.ran()["2"] == 1 && s.Tasks.Done == 1 })
			b, err := l.journal.Job(id)
			if err != nil {
				t.Fatal(err)
			}
			l.close()
			l.open()
			b.Outputs = filepath.Join(l.dir, "outputs")
			if err := errors.Join(l.journal.SaveJob(b), step(b.Outputs)); err != nil {
				t.Fatal(err)
			}
			if err := l.engine.Recover(l.ctx()); err != nil {
				t.Fatal(err)
			}
			l.goOn()
			l.want(l.wait(id), journal.JobDone, 2, 0)
			if diff := cmp.Diff(wantTree(nil, 1, 2), l.tree()); diff != "" {
				t.Error(diff)
			}
			if text := l.file(".zennet-job"); !strings.HasPrefix(text, id+" ") {
				t.Errorf("owner is %q", text)
			}
		})
	}
}
