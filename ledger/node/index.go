package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	dbm "github.com/cosmos/iavl/db"
	"github.com/zennet/zennet/ledger/types"
)

// The first byte of a key in the index tells what lies there.
const (
	indexDerived = 'd' // key of the state → its value
	indexTx      = 'x' // transaction id → txPlace
	indexBlock   = 'b' // height → blockRecord
	indexHeight  = 'h' // the height of the newest block
	indexPruned  = 'p' // the height below which nothing is kept
)

// txPlace says where a transaction is.
type txPlace struct {
	_      struct{}   `cbor:",toarray"`
	ID     types.Hash // of the transaction
	Height int64
	Index  int32 // in its block
}

// blockRecord undoes one block, and tells what to forget with it.
type blockRecord struct {
	_    struct{} `cbor:",toarray"`
	Old  []change // of the derived keys, before the block
	Txs  []types.Hash
	Time int64 // header time, Unix seconds
}

type change struct {
	_     struct{} `cbor:",toarray"`
	Key   []byte
	Value []byte // empty: absent
}

// index is the unauthenticated part of the store: the derived keys and the
// places of recent transactions.
type index struct {
	db     dbm.DB
	staged map[string][]byte // derived keys changed by the block being made; nil: deleted

	mu     sync.RWMutex
	height int64
	values map[string][]byte // all derived keys
	pruned int64
}

func newIndex(db dbm.DB) (*index, error) {
	x := &index{db: db, values: map[string][]byte{}, staged: map[string][]byte{}}
	var err error
	if x.height, err = x.number(indexHeight); err != nil {
		return nil, err
	}
	if x.pruned, err = x.number(indexPruned); err != nil {
		return nil, err
	}
	it, err := db.Iterator([]byte{indexDerived}, []byte{indexDerived + 1})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ; it.Valid(); it.Next() {
		x.values[string(it.Key()[1:])] = bytes.Clone(it.Value())
	}
	return x, it.Error()
}

func (x *index) number(key byte) (int64, error) {
	value, err := x.db.Get([]byte{key})
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, nil
	}
	return int64(binary.BigEndian.Uint64(value)), nil
}

func (x *index) get(key []byte) []byte {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return bytes.Clone(x.values[string(key)])
}

func (x *index) iterate(prefix []byte, fn func(key, value []byte) bool) {
	x.mu.RLock()
	var entries []change
	for k, v := range x.values {
		if strings.HasPrefix(k, string(prefix)) {
			entries = append(entries, change{Key: []byte(k), Value: bytes.Clone(v)})
		}
	}
	x.mu.RUnlock()
	slices.SortFunc(entries, func(a, b change) int { return bytes.Compare(a.Key, b.Key) })
	for _, e := range entries {
		if !fn(e.Key, e.Value) {
			return
		}
	}
}

// save writes the staged keys as those of a block, atomically with what undoes
// them and with the places of the block's transactions.
func (x *index) save(height, time int64, txs []txPlace) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := &indexWriter{batch: x.db.NewBatch()}
	defer w.batch.Close()
	record := blockRecord{Time: time}
	for key, value := range x.staged {
		record.Old = append(record.Old, change{Key: []byte(key), Value: x.values[key]})
		w.put(entry(indexDerived, []byte(key)), value)
	}
	for _, tx := range txs {
		record.Txs = append(record.Txs, tx.ID)
		w.put(entry(indexTx, tx.ID[:]), types.Encode(tx))
	}
	w.put(entry(indexBlock, be64(height)), types.Encode(record))
	w.put([]byte{indexHeight}, be64(height))
	if err := w.write(); err != nil {
		return err
	}
	for key, value := range x.staged {
		if value == nil {
			delete(x.values, key)
		} else {
			x.values[key] = value
		}
	}
	x.staged, x.height = map[string][]byte{}, height
	return nil
}

// undo goes back to the block before the newest.
func (x *index) undo() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	record, ok, err := x.block(x.height)
	if err != nil || !ok {
		return fmt.Errorf("undo block %d: no record (%w)", x.height, err)
	}
	w := &indexWriter{batch: x.db.NewBatch()}
	defer w.batch.Close()
	for _, old := range record.Old {
		value := old.Value
		if len(value) == 0 {
			value = nil
			delete(x.values, string(old.Key))
		} else {
			x.values[string(old.Key)] = value
		}
		w.put(entry(indexDerived, old.Key), value)
	}
	for _, id := range record.Txs {
		w.put(entry(indexTx, id[:]), nil)
	}
	w.put(entry(indexBlock, be64(x.height)), nil)
	w.put([]byte{indexHeight}, be64(x.height-1))
	if err := w.write(); err != nil {
		return err
	}
	x.height--
	return nil
}

// tx finds a transaction of a block up to the newest.
func (x *index) tx(id types.Hash) (txPlace, bool, error) {
	var at txPlace
	value, err := x.db.Get(entry(indexTx, id[:]))
	if err != nil || value == nil {
		return at, false, err
	}
	if err := types.Decode(value, &at); err != nil {
		return at, false, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return at, at.Height <= x.height, nil
}

// prune forgets blocks that are both below a height and not younger than a
// header time, at most limit of them, and returns the height below which
// nothing is kept.
func (x *index) prune(below, olderThan int64, limit int) (int64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := &indexWriter{batch: x.db.NewBatch()}
	defer w.batch.Close()
	next := x.pruned
	for ; limit > 0 && next < below; limit-- {
		record, ok, err := x.block(next)
		if err != nil {
			return x.pruned, err
		}
		if ok && record.Time > olderThan {
			break
		}
		for _, id := range record.Txs {
			w.put(entry(indexTx, id[:]), nil)
		}
		w.put(entry(indexBlock, be64(next)), nil)
		next++
	}
	w.put([]byte{indexPruned}, be64(next))
	if err := w.write(); err != nil {
		return x.pruned, err
	}
	x.pruned = next
	return next, nil
}

func (x *index) block(height int64) (blockRecord, bool, error) {
	var record blockRecord
	value, err := x.db.Get(entry(indexBlock, be64(height)))
	if err != nil || value == nil {
		return record, false, err
	}
	err = types.Decode(value, &record)
	return record, err == nil, err
}

func entry(kind byte, key []byte) []byte { return append([]byte{kind}, key...) }

// indexWriter gathers writes and the first error among them.
type indexWriter struct {
	batch dbm.Batch
	err   error
}

func (w *indexWriter) put(key, value []byte) {
	var err error
	if value == nil {
		err = w.batch.Delete(key)
	} else {
		err = w.batch.Set(key, value)
	}
	if w.err == nil {
		w.err = err
	}
}

func (w *indexWriter) write() error {
	if w.err != nil {
		return w.err
	}
	return w.batch.Write()
}
