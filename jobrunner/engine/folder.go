package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/zennet/zennet/jobrunner/journal"
)

// A results' folder has one owner: the run of a job that its file owner names.
// While it runs, it also holds the folder's lock, against other processes. Another
// job that is given the folder later replaces what the former one left as a whole:
// it is moved to former, then owner is written, then former is removed. So after a
// crash at any step the folder's files are those of the run that owner names, or
// owner names an earlier run and the next start begins anew.
const (
	scratch = ".zennet-tmp" // while a job runs; one folder a job
	owner   = ".zennet-job" // the run whose results these are
	former  = ".zennet-old" // what an earlier run left, while it is being replaced
	nobody  = "none"        // in owner: the folder is no run's yet
)

// results are the names that a run writes in its folder. What else is there is its
// owner's own and stays.
var results = []string{"tasks", "logs", "report", "receipt.json"}

// claim is a run's hold of its results' folder.
type claim struct {
	root *os.Root
	lock *os.File
	real string // path without links
}

func (c *claim) close() {
	c.root.Close()
	c.lock.Close()
}

// mark is what owner says of a run. Since, which `--again` moves, tells runs of one
// job apart.
func mark(b journal.Job) string { return fmt.Sprintf("%s %d\n", b.ID, b.Since.UnixNano()) }

// owned reads what owner says: the mark, and the job's id in it, if any.
func owned(root *os.Root) (text, id string) {
	data, err := fs.ReadFile(root.FS(), owner)
	if err != nil {
		return "", ""
	}
	if id, _, _ = strings.Cut(strings.TrimSpace(string(data)), " "); id == nobody {
		id = ""
	}
	return string(data), id
}

// ownedBy reports whether the folder at dir holds the results of b's run.
func ownedBy(dir string, b journal.Job) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer root.Close()
	text, _ := owned(root)
	return text == mark(b)
}

// claim opens a job's results' folder, made if missing, and locks it. A folder that
// a running job writes, or where there is something of its names that no job wrote,
// is refused: ErrInvalid, nothing was changed.
func (e *Engine) claim(b journal.Job) (*claim, error) {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: outputs: "+format+" (another outputs: in the file, or --outputs, keeps both)", append([]any{ErrInvalid}, args...)...)
	}
	if err := os.MkdirAll(b.Outputs, 0o755); err != nil {
		return nil, fmt.Errorf("%w: results' folder: %v", ErrInvalid, err)
	}
	real, err := filepath.EvalSymlinks(b.Outputs)
	if err != nil {
		return nil, fmt.Errorf("%w: results' folder: %v", ErrInvalid, err)
	}
	if other := e.within(b.ID, real); other != nil {
		return nil, refuse("%s is where job %s (%s), which is running, writes its results to %s", b.Outputs, other.id, other.spec.Name, other.outputs)
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, fmt.Errorf("%w: results' folder: %v", ErrInvalid, err)
	}
	lock, err := os.Open(real)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: results' folder: %v", ErrInvalid, err), root.Close())
	}
	c := &claim{root, lock, real}
	text, id := owned(root)
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		c.close()
		return nil, refuse("another process writes the results of job %s to %s", id, b.Outputs)
	}
	if text != "" {
		return c, nil
	}
	for _, name := range results {
		if exists(root, name) {
			c.close()
			return nil, refuse("%s holds %s, which no job has written", b.Outputs, name)
		}
	}
	return c, nil
}

// within finds a running job other than id whose results' folder is dir, in it, or
// around it.
func (e *Engine) within(id, dir string) *run {
	inside := func(a, b string) bool {
		rel, err := filepath.Rel(a, b)
		return err == nil && filepath.IsLocal(rel)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if r.id != id && (inside(r.claim.real, dir) || inside(dir, r.claim.real)) {
			return r
		}
	}
	return nil
}

// prepare makes the folder ready for the run of b: what another run left is moved
// aside, unless nobody's was there. settle ends that.
func (c *claim) prepare(b journal.Job) (mine bool, err error) {
	out := c.root
	err = errors.Join(out.RemoveAll(scratch+"/"+b.ID), out.MkdirAll(scratch+"/"+b.ID, 0o755))
	text, _ := owned(out)
	if text == "" && err == nil { // from here on, what is there is ours
		blank := scratch + "/" + b.ID + "/owner"
		err = errors.Join(out.WriteFile(blank, []byte(nobody+"\n"), 0o644), out.Rename(blank, owner))
	}
	if mine = text == mark(b); !mine && text != "" {
		err = errors.Join(err, out.MkdirAll(former, 0o755))
		for _, name := range results {
			switch {
			case err != nil:
			case exists(out, former+"/"+name): // a start before this one moved it; what is there now is its own
				err = out.RemoveAll(name)
			case exists(out, name):
				err = out.Rename(name, former+"/"+name)
			}
		}
	}
	if err = errors.Join(err, out.MkdirAll("logs", 0o755)); err != nil {
		err = fmt.Errorf("results' folder: %w", err)
	}
	return mine, err
}

// settle makes the folder that of b's run, and removes what was moved aside.
func (p *publisher) settle(b journal.Job) error {
	if text, _ := owned(p.run.out); text != mark(b) {
		if err := p.write(owner, func(w io.Writer) error {
			_, err := io.WriteString(w, mark(b))
			return err
		}); err != nil {
			return err
		}
	}
	return p.run.out.RemoveAll(former)
}

// origins finds, for a run that goes on, the finished tasks that it took over from
// other jobs.
func (r *run) origins() (map[int]journal.Finished, error) {
	rows, err := r.e.journal.Tasks(r.id)
	if err != nil {
		return nil, err
	}
	out := map[int]journal.Finished{}
	tasks, outputs := map[string][]journal.Task{}, map[string]string{}
	for i, row := range rows {
		if row.Origin == "" {
			continue
		}
		if _, seen := tasks[row.Origin]; !seen {
			if tasks[row.Origin], err = r.e.journal.Tasks(row.Origin); err != nil {
				return nil, err
			}
			if b, err := r.e.journal.Job(row.Origin); err == nil {
				outputs[row.Origin] = b.Outputs
			}
		}
		if k := slices.IndexFunc(tasks[row.Origin], func(t journal.Task) bool { return t.Key == row.Key }); k >= 0 {
			out[i] = journal.Finished{Job: row.Origin, Name: tasks[row.Origin][k].Name, Outputs: outputs[row.Origin], Tree: row.Tree}
		}
	}
	return out, nil
}
