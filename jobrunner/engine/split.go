package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// A split is what a task is fed: parts of data files, of the state that they had
// when the job was planned. While it is fed for the first time, its chunks go into
// the publisher's blob store at the provider, and are fed from there (on this machine,
// while they are fed for the second time); the journal remembers what they are and who
// has them. A task that wants the same split there, of whatever job, gets it without a
// byte being read or sent; and slots begin with tasks whose splits their providers have
// (near).

const (
	splitLeast = 64 << 10         // bytes of input from which a split is worth it
	splitRoom  = 64               // feeds whose chunks are on their way at once; each holds up to 8 MiB
	splitAsk   = 15 * time.Second // for a provider to say whether it has a split still
)

// Cacher is a lease whose provider keeps blobs as long as it has room for them.
type Cacher interface {
	// Far reports whether bytes travel to the provider over a network.
	Far() bool
	// Cache pushes those blobs that the provider lacks. blob.ErrRefused: it takes no more.
	Cache(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error
}

// unread counts what was neither read nor sent.
type unread struct{ splits, bytes atomic.Uint64 }

func (u *unread) add(bytes uint64) {
	u.splits.Add(1)
	u.bytes.Add(bytes)
}

// split names what a task is fed; false where that is too little to be worth it.
func (p *planned) split(task int) (name types.Hash, ok bool) {
	parts := slices.Clone(p.graph.Tasks[task].Stdin)
	var bytes int64
	for i := range parts {
		parts[i].File = data.URL(parts[i].File, p.dir)
		n := parts[i].Length
		if parts[i].Limit > 0 {
			n = min(n, parts[i].Limit)
		}
		bytes += n
	}
	if bytes < splitLeast {
		return name, false
	}
	return types.HashOf("split", types.Encode(parts)), true
}

// splits are the tasks of the graph by what they are fed.
func (p *planned) splits() map[types.Hash][]int {
	out := map[types.Hash][]int{}
	for i := range p.graph.Tasks {
		if name, ok := p.split(i); ok {
			out[name] = append(out[name], i)
		}
	}
	return out
}

// near lists the tasks whose splits the slot's provider has.
func (s *slot) near() (tasks []int) {
	if _, ok := s.lease.(Cacher); !ok || s.run.source == nil {
		return nil
	}
	names, err := s.run.e.journal.SplitsAt(s.lease.Provider())
	if err != nil {
		s.log.Warn("it is not known which splits lie at the provider", "err", err)
	}
	if len(names) == 0 {
		return nil
	}
	fed := s.run.fed()
	for _, name := range names {
		tasks = append(tasks, fed[name]...)
	}
	slices.Sort(tasks)
	return tasks
}

// nearness is what part of the run's splits providers have, 0 to 1.
func (r *run) nearness() map[types.Address]float64 {
	if r.source == nil || len(r.fed()) == 0 {
		return nil
	}
	places, err := r.e.journal.SplitPlaces()
	if err != nil {
		r.log.Warn("it is not known where splits lie", "err", err)
	}
	out := map[types.Address]float64{}
	for provider, names := range places {
		has := 0
		for _, name := range names {
			if len(r.fed()[name]) > 0 {
				has++
			}
		}
		if has > 0 {
			out[provider] = float64(has) / float64(len(r.fed()))
		}
	}
	return out
}

// feedSplit feeds an attempt what it is to have from source, from where it lies at
// the provider, or so that it lies there afterwards.
func (s *slot) feedSplit(ctx context.Context, w *work, fresh bool, source client.Source) (protocol.Fed, error) {
	in := client.Split{Source: source}
	name, worth := s.run.split(w.at.Task)
	cacher, can := s.lease.(Cacher)
	if !can || !worth {
		return s.feeder.Feed(ctx, w.id, fresh, source)
	}
	in.Known = s.lying(ctx, w, name, cacher)
	// Keeping costs as much as feeding: where sending costs nothing, only what is read
	// again is kept.
	if !s.full.Load() && (cacher.Far() || s.run.reread[name]) {
		in.Room = s.run.e.rooms
		in.Store = func(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
			err := cacher.Cache(ctx, hashes, get)
			if errors.Is(err, blob.ErrRefused) {
				s.full.Store(true)
			}
			if err != nil && ctx.Err() == nil {
				s.log.Debug("the rest of a split is not kept", "task", w.id, "err", err)
			}
			return err
		}
	}
	fed, learnt, err := s.feeder.FeedSplit(ctx, w.id, fresh, in)
	switch provider := s.lease.Provider(); {
	case learnt.Kept:
		s.remember(s.run.e.journal.KeepSplit(journal.Split{Name: name, Size: learnt.Chunks.Size, Chunks: learnt.Chunks.Hashes}, provider, s.run.e.now()))
	case learnt.Lacked:
		s.remember(s.run.e.journal.LoseSplit(name, provider))
	}
	if err == nil && !learnt.Read && fed.End == protocol.FedWhole {
		s.run.unread.add(fed.Offset)
		s.log.Debug("fed from where it lay", "task", w.id, "bytes", fed.Offset)
	}
	return fed, err
}

// lying is a split's chunks, where the provider says that it has them all, and the
// files are still those that were planned; else nil.
func (s *slot) lying(ctx context.Context, w *work, name types.Hash, cacher Cacher) *client.Chunks {
	provider := s.lease.Provider()
	known, err := s.run.e.journal.SplitAt(name, provider)
	if err != nil {
		if !errors.Is(err, journal.ErrNotFound) {
			s.log.Warn("it is not known whether a split lies at the provider", "err", err)
		}
		return nil
	}
	for _, part := range s.run.graph.Tasks[w.at.Task].Stdin {
		if s.run.source.Check(ctx, part) != nil {
			return nil // who opens it will say it
		}
	}
	ctx, cancel := context.WithTimeout(ctx, splitAsk)
	defer cancel()
	err = cacher.Cache(ctx, known.Chunks, func(types.Hash) ([]byte, error) { return nil, blob.ErrMissing })
	switch {
	case err == nil:
		return &client.Chunks{Size: known.Size, Hashes: known.Chunks}
	case errors.Is(err, blob.ErrMissing):
		s.remember(s.run.e.journal.LoseSplit(name, provider))
	case ctx.Err() == nil:
		s.log.Debug("not asked whether a split is there", "task", w.id, "err", err)
	}
	return nil
}

// remember takes what came of a write to the journal.
func (s *slot) remember(err error) {
	if err != nil && s.ctx.Err() == nil {
		s.run.die(err)
	}
}
