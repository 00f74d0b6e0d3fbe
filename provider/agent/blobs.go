package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
)

// blobs is one blob store a publisher, so that none can tell what another has
// sent. A store is open while a lease of its publisher has a container.
type blobs struct {
	dir string
	max uint64 // bytes a publisher, and of all idle ones together

	mu   sync.Mutex
	open map[types.Address]*shared
}

// shared is an open store and how many leases use it.
type shared struct {
	store   *blob.Store
	users   int
	leaving int           // of the users: they use it no more, but may still sync it
	turns   chan struct{} // blob streams of this publisher that move bytes
}

// acquire opens the store of addr for one lease more.
func (b *blobs) acquire(addr types.Address) (*blob.Store, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.open[addr]
	if s == nil {
		store, err := blob.Open(filepath.Join(b.dir, addr.String()), b.max)
		if err != nil {
			return nil, err
		}
		s = &shared{store: store, turns: make(chan struct{}, maxTurns)}
		b.open[addr] = s
	}
	s.users++
	return s.store, nil
}

// turns bounds the blob streams of addr that move bytes at once; nil where none
// of its leases lives.
func (b *blobs) turns(addr types.Address) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.open[addr]; s != nil {
		return s.turns
	}
	return nil
}

// release lets go of the store of addr for one lease, and unpins what was pinned
// for it. When nobody uses it any more, it is synced and closed. A sync may take
// long: other stores are not held up by it.
func (b *blobs) release(addr types.Address, lease string) (err error) {
	b.mu.Lock()
	s := b.open[addr]
	if s == nil {
		b.mu.Unlock()
		return nil
	}
	s.store.Unpin(lease)
	s.leaving++
	last := s.leaving == s.users
	b.mu.Unlock()
	if last {
		err = s.store.Sync()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.leaving--
	if s.users--; s.users > 0 || b.open[addr] != s {
		return err
	}
	delete(b.open, addr)
	now := time.Now()
	return errors.Join(err, s.store.Close(), os.Chtimes(s.store.Dir(), now, now), b.trim())
}

// trim deletes the folders of idle publishers, the longest idle first, until the
// others hold no more than max; mu is held.
func (b *blobs) trim() error {
	type idle struct {
		dir   string
		used  time.Time
		bytes uint64
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return fmt.Errorf("idle blobs: %w", err)
	}
	var all []idle
	for _, e := range entries {
		addr, err := types.ParseAddress(e.Name())
		if err != nil || b.open[addr] != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue
		}
		dir := filepath.Join(b.dir, e.Name())
		all = append(all, idle{dir, info.ModTime(), size(dir)})
	}
	slices.SortFunc(all, func(a, b idle) int { return b.used.Compare(a.used) })
	var sum uint64
	for _, i := range all {
		if sum += i.bytes; sum > b.max {
			err = errors.Join(err, os.RemoveAll(i.dir))
		}
	}
	return err
}

// size is the disk space of the files in dir, as far as they can be read.
func size(dir string) (bytes uint64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			bytes += uint64(info.Size()+4095) &^ 4095
		}
		return nil
	})
	return bytes
}

// close closes what leases left open.
func (b *blobs) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	for addr, s := range b.open {
		err = errors.Join(err, s.store.Close())
		delete(b.open, addr)
	}
	return err
}
