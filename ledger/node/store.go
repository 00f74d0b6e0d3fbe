package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cosmos/iavl"
	dbm "github.com/cosmos/iavl/db"
	ics23 "github.com/cosmos/ics23/go"
	"github.com/zennet/zennet/ledger/chain"
)

// Sizes of the store.
const (
	treeCache    = 100_000 // nodes of the tree in memory
	keepVersions = 1_000   // states that can be proven, counted from the newest
	pruneEvery   = 100     // blocks between two prunings
)

// store is the state on disk, one version for each block: an authenticated tree
// whose root is in the next header, and beside it the bookkeeping that follows
// from the headers alone (kept out of the tree, so that a block without
// transactions leaves the root as it is and needs no block to prove it).
//
// The two parts are two databases. Bookkeeping is written first, with what undoes
// it, so that after a crash between the two open brings both to one version; the
// consensus engine then replays the blocks after it.
type store struct {
	mu      sync.RWMutex // held for writing while a version is made
	db      dbm.DB
	index   *index
	tree    *iavl.MutableTree
	version int64
	keep    int64 // versions
}

// openStore opens the two databases in a folder.
func openStore(dir string) (*store, error) {
	var dbs []dbm.DB
	for _, name := range []string{"state", "index"} {
		db, err := dbm.NewDB(name, "goleveldb", dir)
		if err != nil {
			for _, open := range dbs {
				err = errors.Join(err, open.Close())
			}
			return nil, fmt.Errorf("%w: %w", ErrStore, err)
		}
		dbs = append(dbs, db)
	}
	return newStore(dbs[0], dbs[1], keepVersions)
}

// newStore is the store over two databases, which it owns; it keeps the newest
// versions provable, at least keep of them.
func newStore(tree, idx dbm.DB, keep int64) (*store, error) {
	s := &store{db: tree, keep: keep, tree: iavl.NewMutableTree(tree, treeCache, true, iavl.NewNopLogger())}
	var err error
	if s.index, err = newIndex(idx); err == nil {
		err = s.align()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrStore, err), s.tree.Close(), tree.Close(), idx.Close())
	}
	return s, nil
}

// align brings the tree and the index to the newest version that both have.
func (s *store) align() error {
	version, err := s.tree.Load()
	if err != nil {
		return err
	}
	if height := s.index.height; height < version {
		if err := s.tree.LoadVersionForOverwriting(height); err != nil {
			return fmt.Errorf("go back to block %d: %w", height, err)
		}
		version = height
	}
	for s.index.height > version {
		if err := s.index.undo(); err != nil {
			return err
		}
	}
	s.version = version
	return nil
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.tree.Close(), s.db.Close(), s.index.db.Close())
}

// hash is the root of the newest version.
func (s *store) hash() []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tree.Hash()
}

// view is the newest version, to read.
func (s *store) view() *view {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := &view{store: s}
	if s.version > 0 {
		tree, err := s.tree.GetImmutable(s.version)
		if err != nil {
			panic(fmt.Errorf("%w: version %d: %w", ErrStore, s.version, err))
		}
		v.tree = tree
	}
	return v
}

// stage writes the changes of a block into the working tree and returns the
// root that they give. A stage that is not saved is replaced by the next one.
func (s *store) stage(changes *chain.Overlay) (root []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer catch(&err)
	s.tree.Rollback()
	s.index.staged = map[string][]byte{}
	changes.Flush()
	return s.tree.WorkingHash(), nil
}

// save makes the staged changes version height, with the places of its
// transactions.
func (s *store) save(height, time int64, txs []txPlace) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.index.save(height, time, txs); err != nil {
		return fmt.Errorf("%w: block %d: %w", ErrStore, height, err)
	}
	_, version, err := s.tree.SaveVersion()
	if err != nil {
		return fmt.Errorf("%w: block %d: %w", ErrStore, height, err)
	}
	if version != height {
		return fmt.Errorf("%w: block %d was saved as version %d", ErrStore, height, version)
	}
	s.version = version
	if old := height - s.keep; old > 0 && height%min(s.keep, pruneEvery) == 0 {
		if err := s.tree.DeleteVersionsTo(old); err != nil {
			return fmt.Errorf("%w: prune to %d: %w", ErrStore, old, err)
		}
	}
	return nil
}

// prove returns the value of a key after block height, nil where it is absent,
// with the proof of either.
func (s *store) prove(key []byte, height int64) (value, proof []byte, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tree, err := s.tree.GetImmutable(height)
	if err != nil {
		return nil, nil, fmt.Errorf("state after block %d: %w", height, err)
	}
	return proveIn(tree, key)
}

func proveIn(tree *iavl.ImmutableTree, key []byte) (value, proof []byte, err error) {
	if value, err = tree.Get(key); err != nil {
		return nil, nil, err
	}
	var p *ics23.CommitmentProof
	if value == nil {
		p, err = tree.GetNonMembershipProof(key)
	} else {
		p, err = tree.GetMembershipProof(key)
	}
	if err != nil {
		return nil, nil, err
	}
	proof, err = p.Marshal()
	return bytes.Clone(value), proof, err
}

// proofs calls fn for the entries with a prefix after a key, in order, with
// their proofs, until fn returns false.
func (s *store) proofs(prefix, after []byte, height int64, fn func(key, value, proof []byte) bool) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tree, err := s.tree.GetImmutable(height)
	if err != nil {
		return fmt.Errorf("state after block %d: %w", height, err)
	}
	start := prefix
	if bytes.Compare(after, prefix) >= 0 {
		start = append(bytes.Clone(after), 0)
	}
	var failed error
	tree.IterateRange(start, successor(prefix), true, func(key, _ []byte) bool {
		key = bytes.Clone(key)
		value, proof, err := proveIn(tree, key)
		if err != nil {
			failed = err
			return true
		}
		return !fn(key, value, proof)
	})
	return failed
}

// successor is the least key above all keys with a prefix; nil is no bound.
func successor(prefix []byte) []byte {
	next := bytes.Clone(prefix)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next[:i+1]
		}
	}
	return nil
}

// view is one version of the store as the state's KV. Only stage writes through
// it. The goroutine that stages and saves reads as it likes; any other holds
// store.mu for reading, since saving changes nodes of the tree in memory. A store that cannot be read panics with an error that catch turns back:
// the state has no other way to say it, and such a node must stop.
type view struct {
	store *store
	tree  *iavl.ImmutableTree // nil before the first block
}

func (v *view) Get(key []byte) []byte {
	if chain.FromHeaders(key) {
		return v.store.index.get(key)
	}
	if v.tree == nil {
		return nil
	}
	value, err := v.tree.Get(key)
	must(err)
	return bytes.Clone(value)
}

func (v *view) Set(key, value []byte) {
	if chain.FromHeaders(key) {
		v.store.index.staged[string(key)] = value
		return
	}
	_, err := v.store.tree.Set(key, value)
	must(err)
}

func (v *view) Delete(key []byte) {
	if chain.FromHeaders(key) {
		v.store.index.staged[string(key)] = nil
		return
	}
	_, _, err := v.store.tree.Remove(key)
	must(err)
}

func (v *view) Iterate(prefix []byte, fn func(key, value []byte) bool) {
	if chain.FromHeaders(prefix) {
		v.store.index.iterate(prefix, fn)
		return
	}
	if v.tree == nil {
		return
	}
	stopped := false
	v.tree.IterateRange(prefix, successor(prefix), true, func(key, value []byte) bool {
		stopped = !fn(bytes.Clone(key), bytes.Clone(value))
		return stopped
	})
}

type storePanic struct{ err error }

func must(err error) {
	if err != nil {
		panic(storePanic{fmt.Errorf("%w: %w", ErrStore, err)})
	}
}

// catch turns the panic of a view into the error that it carries.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case storePanic:
		*err = p.err
	default:
		panic(p)
	}
}

func be64(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
