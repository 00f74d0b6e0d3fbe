package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/zennet/zennet/jobrunner/journal"
)

// maxLinks is how many names one empty file is given; ext4 allows 65,000.
const maxLinks = 30_000

// empty makes an empty file. All empty ones are names of one file that nobody
// may write: a new name costs a twentieth of a new file, and arrays of many
// silent tasks have many of them.
func (p *publisher) empty(at string) error {
	out := p.run.out
	if err := p.folder(path.Dir(at)); err != nil {
		return err
	}
	blank, err := p.blank()
	if err != nil {
		return err
	}
	err = out.Link(blank, at)
	if err == nil {
		return nil
	}
	if info, failed := out.Lstat(at); errors.Is(err, fs.ErrExist) && failed == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil
	}
	// There is something else, or this file system gives a file no second name.
	return p.write(at, func(io.Writer) error { return nil })
}

// blank is the empty file that further names are given to.
func (p *publisher) blank() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links%maxLinks == 0 {
		p.empties = p.fresh()
		f, err := p.run.out.OpenFile(p.empties, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
		if err != nil {
			return "", err
		}
		f.Close()
	}
	p.links++
	return p.empties, nil
}

// takeLogs brings the logs of a task that another job ran into this job's results.
func (p *publisher) takeLogs(task int, f journal.Finished) {
	name := p.run.graph.Tasks[task].Name
	from, err := os.OpenRoot(f.Outputs)
	if err != nil {
		return // those results were moved or removed: their owner's right
	}
	defer from.Close()
	dir := "logs/"
	if real, err := filepath.EvalSymlinks(f.Outputs); err == nil && real == p.run.claim.real {
		dir = former + "/logs/"
	}
	if _, id := owned(from); id != f.Job {
		return // or replaced
	}
	for _, ending := range []string{".stdout", ".stderr"} {
		at := "logs/" + name + ending
		if exists(p.run.out, at) {
			continue
		}
		old, err := from.Open(dir + f.Name + ending)
		if err != nil {
			return
		}
		err = p.write(at, func(w io.Writer) error {
			_, err := io.Copy(w, old)
			return err
		})
		old.Close()
		if err != nil {
			p.fail(fmt.Errorf("logs of task %s: %w", name, err))
		}
	}
}
