package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/zennet/zennet/ledger/types"
)

// Split is a part of some input that was read once, whole: its name is that of
// where it lies and of the state of the files there, its chunks are its content.
type Split struct {
	Name   types.Hash
	Size   uint64 // bytes
	Chunks []types.Hash
}

const (
	// maxSplits is how many splits are remembered, the first learnt going first:
	// a TiB in splits of 64 MiB, which is 40 MiB here and more than providers keep.
	maxSplits      = 16_384
	maxSplitChunks = 8192 // of one split
)

// KeepSplit stores what a split is and that a provider had all of it at a time. It
// does not wait: what a crash loses is learnt again. A split of more than
// maxSplitChunks is not stored.
func (j *Journal) KeepSplit(s Split, provider types.Address, at time.Time) error {
	if len(s.Chunks) > maxSplitChunks {
		return nil
	}
	chunks := make([]byte, 0, len(s.Chunks)*len(types.Hash{}))
	for _, h := range s.Chunks {
		chunks = append(chunks, h[:]...)
	}
	return j.do("split", false, func(tx *txn) error {
		err := tx.exec(`INSERT INTO splits (name, size, chunks) VALUES (?,?,?)
			ON CONFLICT (name) DO UPDATE SET size=excluded.size, chunks=excluded.chunks`, s.Name[:], int64(s.Size), chunks)
		if err == nil {
			err = tx.exec(`INSERT INTO split_places (provider, split, at) SELECT ?, number, ? FROM splits WHERE name=?
				ON CONFLICT (provider, split) DO UPDATE SET at=excluded.at`, provider[:], stamp(at), s.Name[:])
		}
		if err == nil {
			err = tx.exec(forgetSplits, maxSplits)
		}
		return err
	})
}

// SeeSplits stores that splits are about to be read, and returns those that were
// before. It does not wait for what it stores.
func (j *Journal) SeeSplits(names []types.Hash) (before map[types.Hash]bool, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := j.read.Query(`SELECT name FROM splits`)
	if err != nil {
		return nil, fmt.Errorf("read splits: %w", err)
	}
	defer rows.Close()
	known := map[types.Hash]bool{}
	for rows.Next() {
		var name []byte
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("read splits: %w", err)
		}
		if len(name) == len(types.Hash{}) {
			known[types.Hash(name)] = true
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read splits: %w", err)
	}
	before = map[types.Hash]bool{}
	var fresh []types.Hash
	for _, name := range names {
		if known[name] {
			before[name] = true
		} else {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) == 0 {
		return before, nil
	}
	return before, j.do("split", false, func(tx *txn) error {
		for _, name := range fresh {
			if err := tx.exec(`INSERT INTO splits (name, size, chunks) VALUES (?,0,x'') ON CONFLICT DO NOTHING`, name[:]); err != nil {
				return err
			}
		}
		return tx.exec(forgetSplits, maxSplits)
	})
}

// forgetSplits drops all but the last so many.
const forgetSplits = `DELETE FROM splits WHERE number <= (SELECT max(number) FROM splits) - ?`

// LoseSplit stores that a provider does not have a split any more. It does not wait.
func (j *Journal) LoseSplit(name types.Hash, provider types.Address) error {
	return j.do("split", false, func(tx *txn) error {
		return tx.exec(`DELETE FROM split_places WHERE provider=? AND split=(SELECT number FROM splits WHERE name=?)`, provider[:], name[:])
	})
}

// SplitAt reads a split that a provider is known to have; else ErrNotFound.
func (j *Journal) SplitAt(name types.Hash, provider types.Address) (Split, error) {
	s := Split{Name: name}
	var chunks []byte
	var size int64
	err := j.read.QueryRow(`SELECT size, chunks FROM splits JOIN split_places ON split=number WHERE name=? AND provider=?`, name[:], provider[:]).Scan(&size, &chunks)
	if errors.Is(err, errNoRows) {
		return s, fmt.Errorf("%w: split %s at %s", ErrNotFound, name.Short(), provider.Short())
	}
	if err != nil {
		return s, fmt.Errorf("read split: %w", err)
	}
	s.Size = uint64(size)
	for len(chunks) >= len(types.Hash{}) {
		s.Chunks, chunks = append(s.Chunks, types.Hash(chunks[:len(types.Hash{})])), chunks[len(types.Hash{}):]
	}
	return s, nil
}

// SplitsAt lists the names of the splits that a provider is known to have.
func (j *Journal) SplitsAt(provider types.Address) ([]types.Hash, error) {
	places, err := j.splitPlaces(`WHERE provider=?`, provider[:])
	return places[provider], err
}

// SplitPlaces lists the names of the splits that every provider is known to have.
func (j *Journal) SplitPlaces() (map[types.Address][]types.Hash, error) { return j.splitPlaces("") }

func (j *Journal) splitPlaces(where string, args ...any) (map[types.Address][]types.Hash, error) {
	rows, err := j.read.Query(`SELECT provider, name FROM split_places JOIN splits ON split=number `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read splits: %w", err)
	}
	defer rows.Close()
	out := map[types.Address][]types.Hash{}
	for rows.Next() {
		var provider, name []byte
		if err := rows.Scan(&provider, &name); err != nil {
			return nil, fmt.Errorf("read splits: %w", err)
		}
		if len(provider) == len(types.Address{}) && len(name) == len(types.Hash{}) {
			out[types.Address(provider)] = append(out[types.Address(provider)], types.Hash(name))
		}
	}
	return out, rows.Err()
}
