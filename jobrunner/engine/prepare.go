package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// planned is a job with its graph, its tasks' content keys and its own id.
type planned struct {
	id      string
	spec    spec.Job
	dir     string
	graph   plan.Graph
	number  map[string]int // task's name → its index
	users   [][]user       // by task: those that need its outputs
	keys    []types.Hash
	inputs  *inputs
	source  Source // nil where no task reads data files
	output  Output // nil where nothing is delivered
	made    bool   // the output is there, as a former run made it
	outputs string // absolute folder of the results
	claim   *claim // of that folder; nil until the job is to run
}

// close lets go of what plan opened.
func (p *planned) close() {
	p.inputs.close()
	if p.claim != nil {
		p.claim.close()
	}
	if p.source != nil {
		p.source.Close()
	}
}

// plan plans a job whose file is in dir and hashes its inputs, once. Those that other
// file systems have are fetched.
func (e *Engine) plan(ctx context.Context, job spec.Job, dir string) (*planned, error) {
	p := &planned{spec: job, dir: dir, outputs: filepath.FromSlash(job.Outputs)}
	if !filepath.IsAbs(p.outputs) {
		p.outputs = filepath.Join(dir, p.outputs)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: folder of the job: %v", ErrInvalid, err)
	}
	p.inputs = &inputs{root: root, store: e.blobs, owner: fmt.Sprintf("inputs %d", e.planned.Add(1)), trees: map[string]*inputTree{}}
	if err := p.fill(ctx, e, root.FS()); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *planned) fill(ctx context.Context, e *Engine, files fs.FS) (err error) {
	if p.graph, err = invalid(e.planner(p.spec, files)); err != nil {
		return err
	}
	if len(p.graph.Tasks) == 0 {
		return fmt.Errorf("%w: it has no tasks", ErrInvalid)
	}
	for _, t := range p.graph.Tasks {
		for _, name := range []string{t.Name, t.PublishAs} {
			if name != "" && !filepath.IsLocal(name) || len(t.Command) == 0 {
				return fmt.Errorf("%w: task %q cannot be run", ErrInvalid, t.Name)
			}
		}
	}
	outputs, err := p.open(e)
	if err != nil {
		return err
	}
	if err := p.fetch(ctx); err != nil {
		return err
	}
	p.link()
	p.keys, err = invalid(p.graph.Keys(p.spec.Image, func(path string) (types.Hash, error) {
		t, err := p.inputs.tree(path)
		if err != nil {
			return types.Hash{}, err
		}
		return t.hash, nil
	}))
	if err != nil {
		return err
	}
	p.id = jobID(p.spec, p.graph, p.keys)
	switch {
	case p.graph.Output == "":
	case outputs == nil:
		return fmt.Errorf("%w: it has no output folder, and delivers into %s", ErrInvalid, p.graph.Output)
	default:
		p.output = outputs(p.id)
	}
	return nil
}

// link finds for each task who needs its outputs.
func (p *planned) link() {
	p.number, p.users = map[string]int{}, make([][]user, len(p.graph.Tasks))
	for i, t := range p.graph.Tasks {
		p.number[t.Name] = i
		for n, in := range t.Inputs {
			if in.Task != "" {
				p.users[p.number[in.Task]] = append(p.users[p.number[in.Task]], user{i, n})
			}
		}
	}
}

// open makes the job's data reachable, where it has any.
func (p *planned) open(e *Engine) (outputs func(id string) Output, err error) {
	reads := slices.ContainsFunc(p.graph.Tasks, func(t plan.Task) bool { return len(t.Stdin) > 0 })
	if !reads && p.graph.Output == "" && len(p.spec.Remote) == 0 {
		return nil, nil
	}
	if e.data == nil {
		return nil, fmt.Errorf("%w: this publisher reads no data files", ErrInvalid)
	}
	if p.source, outputs, err = e.data(p.spec, p.dir); err != nil {
		return nil, refusal{ErrInvalid, err}
	}
	return outputs, nil
}

// invalid puts what planning refuses under this package's kind; the words, which
// begin with file and line, stay.
func invalid[T any](v T, err error) (T, error) {
	if err != nil && !errors.Is(err, ErrInvalid) {
		err = refusal{ErrInvalid, err}
	}
	return v, err
}

// jobID is the content id of a job: what it computes, not how it is leased.
func jobID(job spec.Job, g plan.Graph, keys []types.Hash) string {
	type task struct {
		_    struct{} `cbor:",toarray"`
		Name string
		Key  types.Hash
	}
	content := struct {
		_                 struct{} `cbor:",toarray"`
		Kind, Name, Image string
		Tasks             []task
		Report            []string
	}{Kind: job.Kind, Name: job.Name, Image: job.Image, Report: job.Report}
	for i, t := range g.Tasks {
		content.Tasks = append(content.Tasks, task{Name: t.Name, Key: keys[i]})
	}
	h := types.HashOf("job", types.Encode(content))
	if g.Output != "" {
		h = types.HashOf("job into", types.Encode([]string{h.String(), g.Output}))
	}
	return h.String()[:16]
}

// record is the job's row for a new run.
func (p *planned) record(old *journal.Job, source []byte, again bool, now time.Time) (journal.Job, error) {
	text, err := json.Marshal(p.spec)
	if err != nil {
		return journal.Job{}, fmt.Errorf("encode the job: %w", err)
	}
	b := journal.Job{ID: p.id, Name: p.spec.Name, Kind: p.spec.Kind, Image: p.spec.Image, State: journal.JobQueued, File: p.spec.File,
		Source: source, Spec: text, Dir: p.dir, Outputs: p.outputs, Budget: p.spec.Budget, Run: 1, Tasks: len(p.graph.Tasks),
		Submitted: now, Since: now}
	if old != nil {
		b.Run = old.Run + 1
		if !again {
			b.Since, b.Programs = old.Since, old.Programs
		}
	}
	if p.spec.Deadline > 0 {
		b.Deadline = now.Add(p.spec.Deadline)
	}
	return b, nil
}

// takeOver makes the task rows of a new run. What is finished already, in this or
// another job, is taken over where its outputs are all still there.
func (e *Engine) takeOver(p *planned, again bool, now time.Time) ([]journal.Task, map[int]journal.Finished, error) {
	rows := make([]journal.Task, len(p.graph.Tasks))
	for i, t := range p.graph.Tasks {
		rows[i] = journal.Task{Number: i, Key: p.keys[i], Name: t.Name, Stage: t.Stage, State: journal.TaskWaiting}
	}
	taken := map[int]journal.Finished{}
	if again {
		return rows, taken, nil
	}
	own, err := e.journal.Tasks(p.id)
	if err != nil {
		return nil, nil, err
	}
	for i, t := range own {
		if i < len(rows) && t.Number == i && t.Key == p.keys[i] {
			rows[i].Checkpoint = t.Checkpoint
			if t.State == journal.TaskDone {
				rows[i].Origin = t.Origin
			}
		}
	}
	finished, err := e.journal.FinishedTasks(p.keys)
	if err != nil {
		return nil, nil, err
	}
	for i := range rows {
		f, ok := finished[p.keys[i]]
		var part func(protocol.Manifest) protocol.Manifest
		if p.made { // nobody needs again what only went into it
			part = func(m protocol.Manifest) protocol.Manifest { return p.stored(i, m, true) }
		}
		if !ok || !e.complete(f.Tree, part) {
			continue
		}
		rows[i].State, rows[i].Tree, rows[i].Ended, rows[i].Checkpoint = journal.TaskDone, f.Tree, now, types.Hash{}
		if f.Job != p.id {
			rows[i].Origin = f.Job
		}
		taken[i] = f
	}
	return rows, taken, nil
}

// complete reports whether a tree's manifest and all its chunks, or those of a part of
// it, are in the store.
func (e *Engine) complete(tree types.Hash, part func(protocol.Manifest) protocol.Manifest) bool {
	if tree.IsZero() {
		return true
	}
	data, err := e.blobs.Get(tree)
	if err != nil {
		return false
	}
	m, err := blob.DecodeManifest(data)
	if err != nil {
		return false
	}
	if part != nil {
		m = part(m)
	}
	return !slices.ContainsFunc(blob.Hashes(m), func(h types.Hash) bool { return !e.blobs.Has(h) })
}
