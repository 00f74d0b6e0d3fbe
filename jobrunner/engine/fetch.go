package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// fetchedMode is the mode of what comes from other file systems: as in Hadoop it can be
// run, for its own bits are not asked for.
const fetchedMode = 0o755

// fetch brings what the job's tasks start from, and other file systems have, into the
// blob store, where it is pinned until the inputs are closed. What it is then goes into
// the job, so that a restarted publisher need not ask for it again.
func (p *planned) fetch(ctx context.Context) error {
	p.spec.Remote = slices.Clone(p.spec.Remote)
	keys := map[string]string{}
	for _, s := range p.spec.Sources() {
		keys[s.URL] = s.Key
	}
	for i := range p.spec.Remote {
		r := &p.spec.Remote[i]
		t, err := p.inputs.fetch(ctx, p.source, *r)
		if err != nil {
			return refusal{ErrInvalid, fmt.Errorf("%s: %s: %w", p.spec.At(keys[r.URL]), keys[r.URL], err)}
		}
		r.Tree = t.hash.String()
	}
	return nil
}

// fetch gives the tree of a file or folder of another file system, whose chunks are in
// the store afterwards. It must be what it was when the job was submitted.
func (in *inputs) fetch(ctx context.Context, from Source, r spec.Remote) (*inputTree, error) {
	t, err := in.fetched(r)
	if errors.Is(err, blob.ErrMissing) {
		t, err = in.take(ctx, from, r)
	}
	if err != nil {
		return nil, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.trees[r.URL] = t
	return t, nil
}

// fetched is the tree of what was fetched before and is all there still; otherwise the
// error is blob.ErrMissing.
func (in *inputs) fetched(r spec.Remote) (*inputTree, error) {
	t := &inputTree{path: r.URL, stored: true}
	if err := t.hash.UnmarshalText([]byte(r.Tree)); err != nil {
		return nil, blob.ErrMissing
	}
	in.store.Pin(in.owner, t.hash)
	var err error
	if t.encoded, err = in.store.Get(t.hash); err != nil {
		return nil, err
	}
	if t.manifest, err = blob.DecodeManifest(t.encoded); err != nil {
		return nil, err
	}
	all := blob.Hashes(t.manifest)
	in.store.Pin(in.owner, all...)
	if slices.ContainsFunc(all, func(h types.Hash) bool { return !in.store.Has(h) }) {
		return nil, blob.ErrMissing
	}
	return t, nil
}

// take streams the files into the store, a chunk at a time.
func (in *inputs) take(ctx context.Context, from Source, r spec.Remote) (*inputTree, error) {
	t := &inputTree{path: r.URL, stored: true}
	for _, f := range r.Files {
		file, err := in.takeFile(ctx, from, f)
		if err != nil {
			return nil, err
		}
		t.manifest.Files = append(t.manifest.Files, file)
	}
	var err error
	if t.encoded, err = blob.EncodeManifest(t.manifest); err != nil {
		return nil, fmt.Errorf("input %s: %w", r.URL, err)
	}
	t.hash = blob.HashOf(t.encoded)
	if r.Tree != "" && r.Tree != t.hash.String() {
		return nil, fmt.Errorf("input %s: %w", r.URL, blob.ErrChanged)
	}
	in.store.Pin(in.owner, t.hash)
	_, err = in.store.Put(t.encoded)
	return t, err
}

func (in *inputs) takeFile(ctx context.Context, from Source, f spec.RemoteFile) (protocol.File, error) {
	out := protocol.File{Path: f.Name, Mode: fetchedMode, Size: uint64(f.Size)}
	s, err := from.Open(ctx, plan.Part{File: f.Path, ID: f.ID, Size: f.Size, ModTime: f.ModTime, Length: f.Size, Whole: true})
	if err != nil {
		return out, err
	}
	defer s.Close()
	for chunk := make([]byte, protocol.ChunkSize); ; {
		n, err := io.ReadFull(s, chunk)
		if n > 0 {
			h := blob.HashOf(chunk[:n])
			in.store.Pin(in.owner, h)
			if err := in.store.Keep(h, chunk[:n]); err != nil {
				return out, fmt.Errorf("input %s: %w", f.Path, err)
			}
			out.Chunks = append(out.Chunks, h)
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return out, nil // the source has counted the bytes
		case err != nil:
			return out, err
		}
	}
}
