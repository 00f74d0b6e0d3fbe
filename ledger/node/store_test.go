package node

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	dbm "github.com/cosmos/iavl/db"
	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"pgregory.net/rapid"
)

func mustOpen(t testing.TB, dir string) *store {
	t.Helper()
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type pair struct{ Key, Value string }

func all(kv chain.KV, prefixes ...byte) []pair {
	var pairs []pair
	for _, p := range prefixes {
		kv.Iterate([]byte{p}, func(key, value []byte) bool {
			pairs = append(pairs, pair{string(key), string(value)})
			return true
		})
	}
	return pairs
}

// disk is a database that survives close and fails at a chosen write.
type disk struct {
	*dbm.MemDB
	writes *int // left until the failure; negative never
}

var errDisk = errors.New("disk full")

func (d disk) Close() error                   { return nil }
func (d disk) NewBatch() dbm.Batch            { return diskBatch{d.MemDB.NewBatch(), d.writes} }
func (d disk) NewBatchWithSize(int) dbm.Batch { return d.NewBatch() }

type diskBatch struct {
	dbm.Batch
	writes *int
}

func (b diskBatch) Write() error {
	if *b.writes == 0 {
		return errDisk
	}
	*b.writes--
	return b.Batch.Write()
}

func (b diskBatch) WriteSync() error { return b.Write() }

// TestStoreModel compares the store with the pure one over random blocks. The
// disk fails at random writes, whereupon the store is opened again and the block
// made again, as the engine replays it.
func TestStoreModel(t *testing.T) {
	key := rapid.Custom(func(t *rapid.T) []byte {
		prefix := rapid.SampledFrom([]byte{'a', 'c', 'h', 't'}).Draw(t, "prefix")
		return []byte{prefix, rapid.ByteRange(0, 9).Draw(t, "key")}
	})
	prefixes := []byte{'a', 'c', 'h', 't'}
	rapid.Check(t, func(t *rapid.T) {
		writes := -1
		tree, idx := disk{dbm.NewMemDB(), &writes}, disk{dbm.NewMemDB(), &writes}
		open := func() *store {
			writes = -1
			s, err := newStore(tree, idx, 3)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		model := chain.NewMemKV()
		for height := int64(1); height <= 12; {
			changes, tried := chain.NewOverlay(s.view()), chain.NewOverlay(model)
			for _, kv := range []chain.KV{changes, tried} {
				kv.Set([]byte("a-height"), be64(height)) // the tree is never empty
			}
			for range rapid.IntRange(0, 10).Draw(t, "writes") {
				k := key.Draw(t, "key")
				v := rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "value")
				for _, kv := range []chain.KV{changes, tried} {
					if len(v) == 0 {
						kv.Delete(k)
					} else {
						kv.Set(k, v)
					}
				}
			}
			if diff := cmp.Diff(all(tried, prefixes...), all(changes, prefixes...)); diff != "" {
				t.Fatal(diff)
			}
			writes = rapid.IntRange(-1, 4).Draw(t, "fails at")
			tx := txPlace{ID: types.Hash{byte(height)}, Height: height}
			root, err := s.stage(changes)
			if err == nil {
				err = s.save(height, height, []txPlace{tx})
			}
			if err == nil || s.version == height {
				if tried.Flush(); !bytes.Equal(root, s.hash()) {
					t.Fatalf("staged root %x, saved %x", root, s.hash())
				}
				height++
			} else if !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
			if err != nil || rapid.Bool().Draw(t, "reopen") {
				s = open()
			}
			if s.version != height-1 {
				t.Fatalf("version %d before block %d", s.version, height)
			}
			if diff := cmp.Diff(all(model, prefixes...), all(s.view(), prefixes...)); diff != "" {
				t.Fatalf("before block %d: %s", height, diff)
			}
			if _, found, err := s.index.tx(tx.ID); found != (s.version == tx.Height) || err != nil {
				t.Fatalf("transaction of block %d at %d: %v, %v", tx.Height, s.version, found, err)
			}
		}
	})
}

// TestStoreBehind has a tree that is newer than the index, as a power cut can
// leave it: the tree goes back.
func TestStoreBehind(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	put := func(height int64) {
		changes := chain.NewOverlay(s.view())
		changes.Set([]byte("a"), be64(height))
		changes.Set([]byte("h"), be64(height))
		if _, err := s.stage(changes); err != nil {
			t.Fatal(err)
		}
	}
	for h := int64(1); h <= 3; h++ {
		put(h)
		if err := s.save(h, h, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(4)
	if _, _, err := s.tree.SaveVersion(); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	defer s.close()
	want := []pair{{"a", string(be64(3))}, {"h", string(be64(3))}}
	if diff := cmp.Diff(want, all(s.view(), 'a', 'h')); diff != "" || s.version != 3 {
		t.Errorf("version %d: %s", s.version, diff)
	}
}

func TestProofs(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer s.close()
	changes := chain.NewOverlay(s.view())
	var want []string
	for i := range 50 {
		key := fmt.Sprintf("n%02d", i)
		want = append(want, key)
		changes.Set([]byte(key), []byte("value"))
	}
	changes.Set([]byte("m"), []byte("before"))
	changes.Set([]byte("o"), []byte("after"))
	if _, err := s.stage(changes); err != nil {
		t.Fatal(err)
	}
	if err := s.save(1, 1, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	var after []byte
	for range 10 {
		count := 0
		err := s.proofs([]byte("n"), after, 1, func(key, value, proof []byte) bool {
			if count++; count > 7 {
				return false
			}
			got, after = append(got, string(key)), key
			return len(value) > 0 && len(proof) > 0
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages give %v", got)
	}
	if _, _, err := s.prove([]byte("n00"), 2); err == nil {
		t.Error("proved a version that is not there")
	}
	for _, key := range []string{"a", "n005", "z"} {
		if value, proof, err := s.prove([]byte(key), 1); err != nil || value != nil || len(proof) == 0 {
			t.Errorf("absence of %s: %x, %d bytes, %v", key, value, len(proof), err)
		}
	}
}

func TestSuccessor(t *testing.T) {
	for _, c := range []struct{ prefix, want []byte }{
		{[]byte("a"), []byte("b")},
		{[]byte{1, 255}, []byte{2}},
		{[]byte{255, 255}, nil},
	} {
		if got := successor(c.prefix); !bytes.Equal(got, c.want) {
			t.Errorf("successor of %x is %x", c.prefix, got)
		}
	}
}

// TestIdle holds what keeps an idle ledger from making blocks without end: a
// block without transactions leaves the tree's root as it is (DECISIONS.md).
func TestIdle(t *testing.T) {
	a, _ := testApp(t, t.TempDir())
	run(t, a, 1)
	root := a.store.hash()
	for range 2 * int(a.genesis.Params.RoundBlocks) { // elections included
		run(t, a, 1)
	}
	if !bytes.Equal(root, a.store.hash()) {
		t.Error("idle blocks change the root")
	}
}

// TestPrune forgets old blocks and their transactions, not young ones.
func TestPrune(t *testing.T) {
	x, err := newIndex(dbm.NewMemDB())
	if err != nil {
		t.Fatal(err)
	}
	id := func(h int64) types.Hash { return types.Hash{byte(h), 1} }
	for h := int64(1); h <= 20; h++ {
		if err := x.save(h, 100+h, []txPlace{{ID: id(h), Height: h}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		below, olderThan int64
		limit            int
		want             int64
	}{
		{below: 6, olderThan: 1000, limit: 100, want: 6},
		{below: 15, olderThan: 108, limit: 100, want: 9}, // 109 is too young
		{below: 15, olderThan: 1000, limit: 2, want: 11},
	} {
		got, err := x.prune(step.below, step.olderThan, step.limit)
		if err != nil || got != step.want {
			t.Errorf("%+v: %d, %v", step, got, err)
		}
	}
	for h := int64(1); h <= 20; h++ {
		if _, found, _ := x.tx(id(h)); found != (h >= 11) {
			t.Errorf("transaction of block %d: %v", h, found)
		}
	}
}
