package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/planner"
	"github.com/zennet/zennet/provider/blob"
)

// publisher writes the results' folder. Everything is written beside its place
// and renamed, so that nothing is ever there by half.
type publisher struct {
	run    *run
	done   sync.WaitGroup
	serial atomic.Uint64

	mu    sync.Mutex
	more  *sync.Cond
	queue []int // tasks whose outputs are to be written, each once
	over  bool
	errs  []error
	made  map[string]bool
	// the file whose names the empty files are, and how many were given
	empties string
	links   int
}

// maxFacts bounds what a task leaves for the report, in bytes.
const maxFacts = 8 << 20

// again makes the folder this run's and queues what was done before it: tasks whose
// results are not there, or are another run's; and brings the logs of tasks taken
// over. taken is nil where a former process began the run.
func (p *publisher) again(taken map[int]journal.Finished) error {
	r, same := p.run, p.run.mine
	if taken == nil && !same {
		var err error
		if taken, err = r.origins(); err != nil {
			return err
		}
	}
	for i := range r.tasks {
		if r.tasks[i].state != journal.TaskDone {
			continue
		}
		if f, ok := taken[i]; ok && (f.Job != r.id || f.Outputs != r.outputs) {
			p.takeLogs(i, f)
		}
		if p.wanted(i) && !(same && !r.graph.Tasks[i].Report && exists(r.out, p.place(i))) {
			p.add(i)
		}
	}
	return p.settle(r.job)
}

// start begins to write; two at a time, for most of it waits for the disk.
func (p *publisher) start(r *run) {
	p.run, p.made = r, map[string]bool{}
	p.more = sync.NewCond(&p.mu)
	for range 2 {
		p.done.Go(p.work)
	}
}

// add queues a done task; its outputs are written soon.
func (p *publisher) add(task int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, task)
	p.more.Signal()
}

// stop waits until all is written.
func (p *publisher) stop() {
	p.mu.Lock()
	p.over = true
	p.more.Broadcast()
	p.mu.Unlock()
	p.done.Wait()
}

func (p *publisher) work() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.over {
			p.more.Wait()
		}
		if len(p.queue) == 0 || p.run.ctx.Err() != nil {
			p.mu.Unlock()
			return
		}
		task := p.queue[0]
		p.queue = p.queue[1:]
		p.mu.Unlock()
		if err := p.task(task); err != nil {
			p.fail(fmt.Errorf("results of task %s: %w", p.run.graph.Tasks[task].Name, err))
		}
	}
}

func (p *publisher) fail(err error) {
	p.run.log.Warn("result not written", "err", err)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errs) < 10 {
		p.errs = append(p.errs, err)
	}
}

func (p *publisher) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// wanted reports whether a task's outputs belong into the results.
func (p *publisher) wanted(task int) bool {
	t := p.run.graph.Tasks[task]
	return (t.Publish || t.Report) && len(t.Collect) > 0
}

// place is where a task's outputs belong: outputs/tasks/NAME.
func (p *publisher) place(task int) string {
	t := p.run.graph.Tasks[task]
	if t.PublishAs != "" {
		return "tasks/" + t.PublishAs
	}
	return "tasks/" + t.Name
}

// task writes the outputs of a done task.
func (p *publisher) task(task int) error {
	r := p.run
	tree := r.tree(task)
	if tree.IsZero() {
		return nil
	}
	m, err := r.manifest(tree)
	if err != nil {
		return err
	}
	tmp := p.fresh()
	defer r.out.RemoveAll(tmp)
	if err := blob.Place(r.out, tmp, m, r.e.blobs.Get); err != nil {
		return err
	}
	if !r.graph.Tasks[task].Report {
		return p.replace(tmp, p.place(task))
	}
	for _, f := range m.Files {
		if f.Mode&(1<<31) != 0 {
			continue
		}
		at := path.Join("report", f.Path)
		if err := r.out.MkdirAll(path.Dir(at), 0o755); err != nil {
			return err
		}
		if err := r.out.Rename(path.Join(tmp, f.Path), at); err != nil {
			return err
		}
	}
	return nil
}

// fresh is a new name in the job's own scratch folder.
func (p *publisher) fresh() string {
	return scratch + "/" + p.run.id + "/" + strconv.FormatUint(p.serial.Add(1), 10)
}

// sweep removes the job's scratch folder.
func (p *publisher) sweep() {
	if err := p.run.out.RemoveAll(scratch + "/" + p.run.id); err != nil {
		p.run.log.Warn("temporary folder stays", "err", err)
	}
	p.run.out.Remove(scratch) // fails where another job uses it
}

// replace moves a finished folder to its place; an old one there goes.
func (p *publisher) replace(from, to string) error {
	out := p.run.out
	if err := p.folder(path.Dir(to)); err != nil {
		return err
	}
	err := out.Rename(from, to)
	if err == nil || !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	old := p.fresh()
	if err := out.Rename(to, old); err != nil {
		return err
	}
	return errors.Join(out.Rename(from, to), out.RemoveAll(old))
}

func (p *publisher) folder(dir string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made[dir] {
		return nil
	}
	err := p.run.out.MkdirAll(dir, 0o755)
	p.made[dir] = err == nil
	return err
}

// write writes one file beside its place and renames it.
func (p *publisher) write(at string, fill func(io.Writer) error) error {
	out := p.run.out
	if err := p.folder(path.Dir(at)); err != nil {
		return err
	}
	tmp := p.fresh()
	f, err := out.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = fill(f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = out.Rename(tmp, at)
	}
	if err != nil {
		out.Remove(tmp)
	}
	return err
}

// report draws the job's report from the results. Its failure is a sentence,
// never the job's failure.
func (p *publisher) report() error {
	files, err := planner.Report(p.run.spec, p.run.graph, p.run.out.FS(), p.facts)
	if err != nil {
		err = fmt.Errorf("report: %w", err)
	}
	for _, f := range files {
		at := path.Join("report", f.Path)
		if !fs.ValidPath(at) {
			err = errors.Join(err, fmt.Errorf("report: path %q", f.Path))
			continue
		}
		err = errors.Join(err, p.write(at, func(w io.Writer) error {
			_, err := w.Write(f.Data)
			return err
		}))
	}
	return err
}

// facts is the small file that a done task left for the report; nil where there
// is none, or where it was lost.
func (p *publisher) facts(task int) []byte {
	r, name := p.run, p.run.graph.Tasks[task].Facts
	tree := r.tree(task)
	if name == "" || tree.IsZero() {
		return nil
	}
	m, err := r.manifest(tree)
	if err != nil {
		r.log.Warn("facts of a task are lost", "task", r.graph.Tasks[task].Name, "err", err)
		return nil
	}
	var data []byte
	for _, f := range m.Files {
		if f.Path != name || f.Size > maxFacts {
			continue
		}
		for _, h := range f.Chunks {
			chunk, err := r.e.blobs.Get(h)
			if err != nil {
				r.log.Warn("facts of a task are lost", "task", r.graph.Tasks[task].Name, "err", err)
				return nil
			}
			data = append(data, chunk...)
		}
	}
	return data
}

// receipt writes outputs/receipt.json as the journal has it now.
func (p *publisher) receipt() error {
	data, err := p.run.e.receipt(p.run.id)
	if err != nil {
		return err
	}
	return p.write("receipt.json", func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (e *Engine) receipt(id string) ([]byte, error) {
	receipt, err := e.journal.Receipt(id)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	err = enc.Encode(receipt)
	return buf.Bytes(), err
}
