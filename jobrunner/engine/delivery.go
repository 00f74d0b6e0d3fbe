package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// deliverer puts what committed tasks left into the job's staging folder, and at
// the job's end makes that its output. Which attempt's files are delivered was
// decided by the journal before; what is in the staging folder counts only where
// the journal says so. Large files are there already by then, under their attempt's
// name (straight.go), and get their last one. Each step may be the last of a process:
// the next one finds the folder by its number, and goes on.
type deliverer struct {
	run      *run
	out      Output
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	finished bool        // a former process has journalled that the output was made: what became of it since is its owner's
	aborted  atomic.Bool // somebody cancelled the job while it was settling

	finding chan struct{} // of size 1: held by who looks for the staging folder or makes it
	doubts  atomic.Int64  // how often something says that it may be gone
	seen    int64         // how many of these it was looked for after; guarded by finding
	place   data.Place    // where it was then; guarded by finding
	streams chan struct{} // a place for each file that goes straight into it
	failed  atomic.Int64  // when one last did not arrive, in Unix ns

	mu      sync.Mutex
	more    *sync.Cond
	staging data.Staging
	queue   []int            // done tasks to be delivered
	given   map[int]bool     // tasks that are delivered
	files   map[string]int64 // sizes of the files that are delivered, by name
	names   *names           // who may deliver what
	over    bool             // no task is added any more
	err     error            // why the output cannot be made
}

// delivering says how patient a deliverer is.
type delivering struct {
	first, most time.Duration // pauses between tries: the first, and the longest
	limit       time.Duration // for one delivery that fails, since its first failure
	discard     time.Duration // for the removal of a staging folder
	stage       time.Duration // for what somebody waits for meanwhile
}

var patience = delivering{first: 500 * time.Millisecond, most: 20 * time.Second, limit: 5 * time.Minute, discard: 30 * time.Second, stage: 15 * time.Second}

const (
	deliverers = 4  // deliveries at once
	maxStreams = 16 // files at once that go straight from their containers
	redo       = 3  // times that delivered files may turn out to be gone
)

// lasting is an error that trying again does not help.
type lasting struct{ error }

func (l lasting) Unwrap() error { return l.error }

func lasts(err error) bool {
	var own lasting
	for _, kind := range []error{fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, files.ErrUnsupported, files.ErrConfig, files.ErrPath, data.ErrPlace} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return errors.As(err, &own)
}

// newDeliverer makes the deliverer of a run as the journal has it. Done tasks that
// are not delivered yet are its first work.
func newDeliverer(r *run) (*deliverer, error) {
	d := &deliverer{run: r, out: r.output, given: map[int]bool{}, files: map[string]int64{}, names: newNames(r.graph), finding: make(chan struct{}, 1), streams: make(chan struct{}, maxStreams)}
	d.more = sync.NewCond(&d.mu)
	d.doubt()
	d.ctx, d.cancel = context.WithCancel(r.ctx)
	switch row, err := r.e.journal.Output(r.id); {
	case err == nil:
		d.staging, d.finished = data.Staging{Path: row.Staging, ID: row.Folder}, row.State == journal.OutputMade
	case !errors.Is(err, journal.ErrNotFound):
		return nil, err
	}
	done, err := r.e.journal.Deliveries(r.id)
	if err != nil {
		return nil, err
	}
	for _, f := range done {
		if r.tasks[f.Task].state != journal.TaskDone {
			continue // it is made again
		}
		d.given[f.Task] = true
		d.files[f.Name] = f.Size
		if d.names.known(f.Name) {
			continue
		}
		if err := d.names.take(f.Task, f.Name); err != nil {
			return nil, err
		}
	}
	for i := range r.tasks {
		if r.tasks[i].state == journal.TaskDone {
			d.add(i)
		}
	}
	return d, nil
}

// start begins to deliver.
func (d *deliverer) start() {
	context.AfterFunc(d.ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.more.Broadcast()
	})
	if len(d.given) > 0 { // what a former process delivered may be gone
		d.work.Go(func() {
			d.try(func() error {
				_, _, err := d.folder(d.ctx)
				return err
			})
		})
	}
	for range deliverers {
		d.work.Go(d.main)
	}
}

// add queues a done task.
func (d *deliverer) add(task int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.run.graph.Tasks[task].Deliver) > 0 && !d.given[task] && !d.finished {
		d.queue = append(d.queue, task)
		d.more.Signal()
	}
}

// next is a task to deliver; false where there is none any more.
func (d *deliverer) next() (int, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) == 0 && !d.over && d.ctx.Err() == nil && d.err == nil {
		d.more.Wait()
	}
	if len(d.queue) == 0 || d.ctx.Err() != nil || d.err != nil {
		return 0, false
	}
	task := d.queue[0]
	d.queue = d.queue[1:]
	return task, true
}

func (d *deliverer) main() {
	for {
		task, ok := d.next()
		if !ok {
			return
		}
		if err := d.try(func() error { return d.task(task) }); err != nil {
			d.fail(err)
			return
		}
	}
}

// fail ends the job, which cannot have its output.
func (d *deliverer) fail(err error) {
	d.mu.Lock()
	first := d.err == nil && d.ctx.Err() == nil
	if first {
		d.err = err
	}
	d.more.Broadcast()
	d.mu.Unlock()
	if first {
		d.run.tell(note{call: func() { d.run.undeliverable(err) }})
	}
}

// try does something until it succeeds, fails for good, or has failed for too long.
func (d *deliverer) try(do func() error) error {
	var since time.Time
	for pause := patience.first; ; pause = min(2*pause, patience.most) {
		err := do()
		if err == nil || d.ctx.Err() != nil || lasts(err) {
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since)+pause > patience.limit {
			return err
		}
		d.run.log.Warn("the output is not written; it is tried again", "err", err, "in", pause)
		select {
		case <-time.After(pause):
		case <-d.ctx.Done():
			return err
		}
	}
}

// task delivers what a task left, and journals that.
func (d *deliverer) task(task int) error {
	s, place, err := d.folder(d.ctx)
	if err != nil {
		return err
	}
	if place == data.Committed {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.given[task] = true
		return nil
	}
	made, ok := d.run.result(task)
	if !ok {
		return nil // it is made again, and comes again
	}
	items, err := d.run.collected(task, made.tree)
	if err != nil {
		return lasting{fmt.Errorf("task %s: %w", d.run.graph.Tasks[task].Name, err)}
	}
	if err := d.take(task, items); err != nil {
		return lasting{err}
	}
	rows := make([]journal.Delivery, len(items))
	for i, one := range items {
		err := d.item(s, task, made, i, one)
		if now, ok := d.run.result(task); !ok || now != made {
			return nil // another success has taken its place, or will
		}
		if errors.Is(err, errGone) {
			return d.lost(task, one.name)
		}
		if err != nil {
			d.doubt()
			return err
		}
		rows[i] = journal.Delivery{Name: one.name, Task: task, Size: int64(one.file.Size)}
	}
	if len(rows) > 0 {
		if err := d.run.e.journal.Deliver(d.run.id, rows); err != nil {
			d.run.die(err)
			return lasting{err}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now, ok := d.run.result(task); !ok || now != made {
		return nil
	}
	if d.staging != s { // it was made anew meanwhile
		d.queue = append(d.queue, task)
		return nil
	}
	d.given[task] = true
	for _, f := range rows {
		d.files[f.Name] = f.Size
	}
	return nil
}

// lost says that what a task delivered is no longer to be had: it is made again, or, where
// that is too late, missed at the job's end. Others' files may be gone with it.
func (d *deliverer) lost(task int, name string) error {
	d.run.log.Warn("a delivered file is gone", "task", d.run.graph.Tasks[task].Name, "file", name)
	d.run.tell(note{event: schedule.Lost{Now: d.run.now(), Task: task}})
	d.doubt()
	_, _, err := d.folder(d.ctx)
	return err
}

// item delivers a file. errGone: it is neither in the staging folder nor in the blob store.
func (d *deliverer) item(s data.Staging, task int, made result, number int, one item) error {
	size := int64(one.file.Size)
	if one.straight && !d.run.e.has(one.file) {
		if made.won == 0 {
			return errGone
		}
		from := attemptFile(schedule.Attempt{Task: task, Number: made.won}, made.tree, number)
		err := d.out.Settle(d.ctx, s, from, one.name, size)
		if errors.Is(err, fs.ErrNotExist) {
			err = errGone
		}
		return err
	}
	return d.out.Put(d.ctx, s, one.name, size, func() (io.ReadCloser, error) {
		return &chunkReader{store: d.run.e.blobs, chunks: one.file.Chunks}, nil
	})
}

// take makes the names that a task gave to files its own.
func (d *deliverer) take(task int, items []item) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range items {
		if !one.side {
			continue
		}
		if err := d.names.take(task, one.name); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the deliveries: after what is queued, or at once where the run stops.
func (d *deliverer) stop() {
	d.mu.Lock()
	d.over = true
	d.more.Broadcast()
	d.mu.Unlock()
	d.work.Wait()
}

// item is a file to be delivered.
type item struct {
	name     string
	file     protocol.File // with its path among the outputs
	side     bool          // the task has named it, not the graph
	straight bool          // it goes straight into the staging folder
}

// result is what a done task left, and the number of the attempt that did: 0 where that
// was in no run of this job.
type result struct {
	tree types.Hash
	won  int
}

// result tells that of a task, and whether it is done.
func (r *run) result(task int) (result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.tasks[task]
	return result{t.tree, t.won}, t.state == journal.TaskDone
}

// collected lists the files that a task delivers, of what it left.
func (r *run) collected(task int, tree types.Hash) ([]item, error) {
	var m protocol.Manifest
	if !tree.IsZero() {
		var err error
		if m, err = r.manifest(tree); err != nil {
			return nil, err
		}
	}
	return r.items(task, m)
}

// items lists which of a task's outputs it delivers.
func (r *run) items(task int, m protocol.Manifest) ([]item, error) {
	var out []item
	for _, one := range r.graph.Tasks[task].Deliver {
		part := subtree(m, one.From)
		if len(part.Files) == 0 && !one.Optional {
			return nil, fmt.Errorf("%w: %q among its outputs", ErrNotFound, one.From)
		}
		for _, f := range part.Files {
			name := path.Join(one.Name, f.Path)
			switch {
			case f.Mode&protocol.ModeDir != 0:
			case f.Link != "":
				return nil, fmt.Errorf("%s is a link, not a file", f.Path)
			case !fs.ValidPath(name) || name == ".":
				return nil, fmt.Errorf("%q is no file name", name)
			default:
				f.Path = path.Join(one.From, f.Path)
				out = append(out, item{name, f, one.Name == ".", r.straight(task, f)})
			}
		}
	}
	return out, nil
}

// chunkReader reads a file from the blobs of its chunks.
type chunkReader struct {
	store  *blob.Store
	chunks []types.Hash
	buf    []byte
	rest   []byte // of buf
}

func (c *chunkReader) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if len(c.chunks) == 0 {
			return 0, io.EOF
		}
		var err error
		if c.buf, err = c.store.GetIn(c.buf, c.chunks[0]); err != nil {
			return 0, err
		}
		c.rest, c.chunks = c.buf, c.chunks[1:]
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *chunkReader) Close() error { return nil }
