package journal

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/types"
)

func TestSplits(t *testing.T) {
	j := open(t)
	one := Split{Name: types.Hash{1}, Size: 5, Chunks: []types.Hash{{7}}}
	two := Split{Name: types.Hash{2}, Size: 3 << 20, Chunks: []types.Hash{{7}, {8}, {9}}}
	a, b := types.Address{1}, types.Address{2}
	_, err := j.SplitAt(one.Name, a)
	wants(t, err, ErrNotFound)
	must(t, j.LoseSplit(one.Name, a))
	must(t, j.KeepSplit(one, a, time.Now()))
	must(t, j.KeepSplit(one, b, time.Now()))
	must(t, j.KeepSplit(one, b, time.Now()))
	must(t, j.KeepSplit(Split{Name: types.Hash{3}, Chunks: make([]types.Hash, maxSplitChunks+1)}, a, time.Now()))
	must(t, j.Sync())
	for _, p := range []types.Address{a, b} {
		got, err := j.SplitAt(one.Name, p)
		must(t, err)
		if d := cmp.Diff(one, got); d != "" {
			t.Error(d)
		}
		if names, err := j.SplitsAt(p); err != nil || !slices.Equal(names, []types.Hash{one.Name}) {
			t.Errorf("%v, %v", names, err)
		}
	}
	places, err := j.SplitPlaces()
	must(t, err)
	if d := cmp.Diff(map[types.Address][]types.Hash{a: {one.Name}, b: {one.Name}}, places); d != "" {
		t.Error(d)
	}
	_, err = j.SplitAt(two.Name, a)
	wants(t, err, ErrNotFound)
	must(t, j.KeepSplit(two, a, time.Now()))
	must(t, j.LoseSplit(one.Name, a))
	must(t, j.Sync())
	_, err = j.SplitAt(one.Name, a)
	wants(t, err, ErrNotFound)
	if got, err := j.SplitAt(two.Name, a); err != nil || !cmp.Equal(two, got) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := j.SplitAt(one.Name, b); err != nil {
		t.Errorf("lost at another provider too: %v", err)
	}
}

// TestSeeSplits: what was seen or kept before is told.
func TestSeeSplits(t *testing.T) {
	j := open(t)
	name := func(i byte) types.Hash { return types.Hash{i} }
	must(t, j.KeepSplit(Split{Name: name(1), Size: 5, Chunks: []types.Hash{{7}}}, types.Address{1}, time.Now()))
	must(t, j.Sync())
	for round, want := range []map[types.Hash]bool{{name(1): true}, {name(1): true, name(2): true}} {
		before, err := j.SeeSplits([]types.Hash{name(1), name(2)})
		must(t, err)
		must(t, j.Sync())
		if d := cmp.Diff(want, before); d != "" {
			t.Errorf("round %d: %s", round, d)
		}
	}
	_, err := j.SplitAt(name(2), types.Address{1})
	wants(t, err, ErrNotFound)
	if got, err := j.SplitAt(name(1), types.Address{1}); err != nil || got.Size != 5 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestSplitsAreBounded: the first ones learnt are forgotten, with their places.
func TestSplitsAreBounded(t *testing.T) {
	j := open(t)
	provider := types.Address{1}
	const more = 10
	name := func(i int) types.Hash { return types.Hash{byte(i >> 8), byte(i), 1} }
	must(t, j.do("", true, func(tx *txn) error {
		return tx.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i+1<?)
			INSERT INTO splits (name, size, chunks) SELECT unhex(printf('%04x01', i) || hex(zeroblob(29))), 1, zeroblob(32) FROM n`, maxSplits)
	}))
	must(t, j.do("", true, func(tx *txn) error {
		return tx.exec(`INSERT INTO split_places (provider, split, at) SELECT ?, number, 0 FROM splits WHERE true`, provider[:])
	}))
	for i := range more {
		must(t, j.KeepSplit(Split{Name: name(maxSplits + i), Size: 1, Chunks: []types.Hash{{1}}}, provider, time.Now()))
	}
	must(t, j.Sync())
	names, err := j.SplitsAt(provider)
	must(t, err)
	var places int
	must(t, j.read.QueryRow(`SELECT count(*) FROM split_places`).Scan(&places))
	if len(names) != maxSplits || places != maxSplits {
		t.Errorf("%d splits at %d places, want %d", len(names), places, maxSplits)
	}
	if slices.Contains(names, name(more-1)) || !slices.Contains(names, name(more)) {
		t.Error("others were forgotten than the first ones")
	}
}
