package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// inputs are the publisher's files that a job's tasks start from. Each file or
// folder is hashed once; its bytes are read again, and checked, when they are sent.
type inputs struct {
	root  *os.Root
	store *blob.Store
	owner string // of the pins of what was fetched into the store

	mu    sync.Mutex
	trees map[string]*inputTree
}

// inputTree is one input file or folder.
type inputTree struct {
	path     string
	folder   bool
	manifest protocol.Manifest
	encoded  []byte
	hash     types.Hash // of encoded
	stored   bool       // its chunks lie in the store, not in the job's folder
}

// close lets go of what was fetched, and of the job's folder.
func (in *inputs) close() {
	in.store.Unpin(in.owner)
	in.root.Close()
}

// tree hashes a file or folder, relative to the job's folder.
func (in *inputs) tree(name string) (*inputTree, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if t := in.trees[name]; t != nil {
		return t, nil
	}
	clean := path.Clean(name)
	info, err := in.root.Stat(clean)
	if err != nil {
		return nil, err
	}
	t := &inputTree{path: clean, folder: info.IsDir()}
	if t.folder {
		var sub *os.Root
		if sub, err = in.root.OpenRoot(clean); err == nil {
			t.manifest, err = blob.Scan(sub, []string{"."})
			sub.Close()
		}
	} else {
		t.manifest, err = blob.ScanFile(in.root, clean)
	}
	if err == nil {
		t.encoded, err = blob.EncodeManifest(t.manifest)
	}
	if err != nil {
		return nil, err
	}
	t.hash = blob.HashOf(t.encoded)
	in.trees[name] = t
	return t, nil
}

// open gives the tree's chunks until close is called.
func (in *inputs) open(t *inputTree) (get func(types.Hash) ([]byte, error), closeAll func(), err error) {
	if t.stored {
		return in.store.Get, func() {}, nil
	}
	if !t.folder {
		s := blob.NewSource(in.root, t.path, t.manifest)
		return s.Get, func() { s.Close() }, nil
	}
	sub, err := in.root.OpenRoot(t.path)
	if err != nil {
		return nil, nil, fmt.Errorf("input %s: %w", t.path, err)
	}
	s := blob.NewSource(sub, "", t.manifest)
	return s.Get, func() { s.Close(); sub.Close() }, nil
}

// Bounds of what travels inside a Run instead of as staged blobs.
const (
	smallFile  = 32 << 10
	smallFiles = 16
	smallRun   = 256 << 10
)

// load is all that one attempt's scratch folder starts with.
type load struct {
	slot   *slot // where it goes
	mounts []protocol.Mount
	kept   []keptFile   // files of other tasks that are in no store of the publisher
	stage  []types.Hash // blobs that the provider must have
	small  int          // bytes of the mounts' own content
	gets   []func(types.Hash) ([]byte, error)
	closes []func()
	made   map[types.Hash][]byte // manifests that are in no store
	hidden map[string]bool       // paths that the checkpoint brings: its files are the newer ones
}

func (l *load) close() {
	for _, fn := range l.closes {
		fn()
	}
}

// get finds a blob in one of the load's sources.
func (l *load) get(h types.Hash) ([]byte, error) {
	if data, ok := l.made[h]; ok {
		return data, nil
	}
	err := error(blob.ErrMissing)
	for _, get := range l.gets {
		var data []byte
		if data, err = get(h); err == nil {
			return data, nil
		}
		if !errors.Is(err, blob.ErrMissing) {
			return nil, err
		}
	}
	return nil, &absent{h, err}
}

// absent says that a blob which a task needs is not to be had where it was kept.
type absent struct {
	hash types.Hash
	error
}

func (a *absent) Unwrap() error { return a.error }

// add places a tree at a path: inline where it is tiny, else as staged blobs.
func (l *load) add(at string, m protocol.Manifest, pieces bool, get func(types.Hash) ([]byte, error)) error {
	if at == "." {
		at = ""
	}
	if m = l.visible(at, m); len(m.Files) == 0 {
		return nil
	}
	if ok, err := l.inline(at, m, get); ok || err != nil {
		return err
	}
	return l.place(at, m, pieces)
}

// place places a tree as staged blobs; in pieces where it is asked for and can be.
func (l *load) place(at string, m protocol.Manifest, pieces bool) error {
	data, err := blob.EncodeManifest(m)
	if err != nil {
		return err
	}
	tree := blob.HashOf(data)
	l.made[tree] = data
	pieces = pieces && at != "" && !slices.ContainsFunc(m.Files, special)
	l.mounts = append(l.mounts, protocol.Mount{Path: at, Tree: tree, Pieces: pieces})
	l.stage = append(append(l.stage, tree), blob.Hashes(m)...)
	return nil
}

// special reports whether an entry of a manifest is no regular file.
func special(f protocol.File) bool { return f.Link != "" || f.Mode&protocol.ModeDir != 0 }

// visible leaves out what the checkpoint brings.
func (l *load) visible(at string, m protocol.Manifest) protocol.Manifest {
	if len(l.hidden) == 0 {
		return m
	}
	var out protocol.Manifest
	for _, f := range m.Files {
		if !l.hidden[path.Join(at, f.Path)] {
			out.Files = append(out.Files, f)
		}
	}
	return out
}

// inline carries the tree's files in the Run itself, if they are few and small.
func (l *load) inline(at string, m protocol.Manifest, get func(types.Hash) ([]byte, error)) (bool, error) {
	if len(m.Files) > smallFiles || blob.Size(m) > smallFile || l.small+int(blob.Size(m)) > smallRun {
		return false, nil
	}
	for _, f := range m.Files {
		if special(f) || len(f.Chunks) > 1 || f.Path == "." && at == "" || f.Mode == 0 || f.Size == 0 {
			return false, nil
		}
	}
	for _, f := range m.Files {
		data, err := get(f.Chunks[0])
		if err != nil {
			return false, fmt.Errorf("%s: %w", f.Path, err)
		}
		l.mounts = append(l.mounts, protocol.Mount{Path: path.Join(at, f.Path), Small: data, Mode: f.Mode})
		l.small += len(data)
	}
	return true, nil
}

// newLoad is the load of a task in a slot.
func (r *run) newLoad(s *slot) *load {
	return &load{slot: s, made: map[types.Hash][]byte{}, gets: []func(types.Hash) ([]byte, error){r.e.blobs.Get}, hidden: map[string]bool{}}
}

// load gathers the inputs of a task: inline data, the publisher's files, other
// tasks' outputs, and the checkpoint that an earlier attempt left.
func (r *run) load(s *slot, task int, checkpoint types.Hash) (*load, error) {
	l := r.newLoad(s)
	var state protocol.Manifest
	if !checkpoint.IsZero() {
		var err error
		if state, err = r.manifest(checkpoint); err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		for _, f := range state.Files {
			l.hidden[f.Path] = true
		}
	}
	for _, in := range r.graph.Tasks[task].Inputs {
		var err error
		switch {
		case in.Task != "":
			err = r.loadOutputs(l, in, r.number[in.Task])
		case in.File != "":
			err = r.loadFile(l, in.Path, in.File)
		default:
			err = r.loadData(l, in.Path, in.Data, in.Mode)
		}
		if err != nil {
			l.close()
			return nil, fmt.Errorf("input %s: %w", in.Path, err)
		}
	}
	clear(l.hidden)
	if err := l.add("", state, false, r.e.blobs.Get); err != nil {
		l.close()
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return l, nil
}

func (r *run) loadFile(l *load, at, name string) error {
	t, err := r.inputs.tree(name)
	if err != nil {
		return err
	}
	get, closeAll, err := r.inputs.open(t)
	if err != nil {
		return err
	}
	l.gets, l.closes = append(l.gets, get), append(l.closes, closeAll)
	return l.add(at, t.manifest, false, get)
}

func (r *run) loadData(l *load, at string, data []byte, mode uint32) error {
	if mode == 0 {
		mode = 0o644
	}
	if l.hidden[at] {
		return nil
	}
	if len(data) > 0 && len(data) <= smallFile && l.small+len(data) <= smallRun {
		l.mounts = append(l.mounts, protocol.Mount{Path: at, Small: data, Mode: mode})
		l.small += len(data)
		return nil
	}
	f := protocol.File{Path: ".", Mode: mode, Size: uint64(len(data))}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), protocol.ChunkSize)
		h := blob.HashOf(rest[:n])
		l.made[h] = rest[:n]
		f.Chunks, rest = append(f.Chunks, h), rest[n:]
	}
	return l.add(at, protocol.Manifest{Files: []protocol.File{f}}, false, l.get)
}

func (r *run) loadOutputs(l *load, in plan.Input, from int) error {
	tree := r.tree(from)
	var m protocol.Manifest
	if !tree.IsZero() {
		var err error
		if m, err = r.manifest(tree); errors.Is(err, blob.ErrMissing) {
			return &absent{tree, err}
		} else if err != nil {
			return err
		}
	}
	part := subtree(m, in.From)
	if len(part.Files) == 0 && in.From != "" {
		if in.Optional {
			return nil
		}
		return fmt.Errorf("%w: %q among the outputs of task %s", ErrNotFound, in.From, r.graph.Tasks[from].Name)
	}
	at := in.Path
	if at == "." {
		at = ""
	}
	holder := r.holder(from)
	if holder == nil {
		return l.add(at, part, in.Pieces, r.e.blobs.Get)
	}
	visible := l.visible(at, part)
	switch {
	case len(visible.Files) == 0:
		return nil
	case holder.slot == l.slot && !slices.ContainsFunc(visible.Files, special):
		id := taskID(schedule.Attempt{Task: from, Number: holder.try})
		for _, f := range visible.Files {
			l.mounts = append(l.mounts, protocol.Mount{Path: path.Join(at, f.Path), Task: id, From: path.Join(in.From, f.Path)})
		}
		return nil
	}
	l.kept = append(l.kept, keptFiles(from, in.From, part)...)
	return l.place(at, visible, in.Pieces)
}

// subtree is the part of a tree at a path, whose files then count from there; a
// single file has the path ".".
func subtree(m protocol.Manifest, prefix string) protocol.Manifest {
	if prefix = path.Clean(prefix); prefix == "." {
		return m
	}
	var out protocol.Manifest
	for _, f := range m.Files {
		if f.Path == prefix {
			f.Path = "."
			return protocol.Manifest{Files: []protocol.File{f}}
		}
		if rest, ok := strings.CutPrefix(f.Path, prefix+"/"); ok {
			f.Path = rest
			out.Files = append(out.Files, f)
		}
	}
	return out
}

// manifest reads an encoded manifest of the blob store; the last ones are kept.
func (r *run) manifest(tree types.Hash) (protocol.Manifest, error) {
	if m, ok := r.manifests.Load(tree); ok {
		return m.(protocol.Manifest), nil
	}
	data, err := r.e.blobs.Get(tree)
	if err != nil {
		return protocol.Manifest{}, err
	}
	m, err := blob.DecodeManifest(data)
	if err != nil {
		return m, err
	}
	if len(m.Files) <= 64 || r.manifestCount.Load() < 64 {
		if r.manifestCount.Add(1) > 4096 {
			r.manifests.Clear()
			r.manifestCount.Store(0)
		}
		r.manifests.Store(tree, m)
	}
	return m, nil
}

// miss finds out whether what a task lacks was among the outputs of a task that
// it needs; that one is done again.
func (r *run) miss(task int, err error) {
	var lack *absent
	if !errors.As(err, &lack) {
		return
	}
	for _, name := range r.graph.Tasks[task].Needs() {
		need := r.number[name]
		tree := r.tree(need)
		if tree.IsZero() {
			continue
		}
		if tree != lack.hash {
			m, err := r.manifest(tree)
			if err == nil && !slices.Contains(blob.Hashes(m), lack.hash) || err != nil && !errors.Is(err, blob.ErrMissing) {
				continue
			}
		}
		r.tell(note{event: schedule.Lost{Now: r.now(), Task: need}})
	}
}

// exists reports whether a path is there, inside root.
func exists(root *os.Root, name string) bool {
	_, err := root.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
