package engine

import (
	"errors"
	"fmt"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// errKeep says that this machine cannot store results.
var errKeep = errors.New("its files cannot be kept")

// chunkWriter cuts what is written into chunks and stores those, checking hashes.
type chunkWriter struct {
	store *blob.Store
	want  []types.Hash
	left  uint64 // bytes of the file that are still to come
	buf   []byte
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(w.buf)+len(p) >= protocol.ChunkSize {
		take := protocol.ChunkSize - len(w.buf)
		w.buf = append(w.buf, p[:take]...)
		p = p[take:]
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	w.buf = append(w.buf, p...)
	return n, nil
}

func (w *chunkWriter) flush() error {
	if len(w.want) == 0 {
		return &mismatch{fmt.Errorf("it is longer than was told")}
	}
	if blob.HashOf(w.buf) != w.want[0] {
		return &mismatch{fmt.Errorf("a chunk does not have the hash that was told")}
	}
	if n := min(w.left, protocol.ChunkSize); uint64(len(w.buf)) != n {
		return &mismatch{fmt.Errorf("a chunk of %d bytes where %d were told", len(w.buf), n)}
	}
	w.left -= uint64(len(w.buf))
	if _, err := w.store.Put(w.buf); err != nil {
		return fmt.Errorf("%w: %w", errKeep, err)
	}
	w.buf, w.want = w.buf[:0], w.want[1:]
	return nil
}

// close stores the last chunk, and checks that none is missing.
func (w *chunkWriter) close(whole bool) error {
	if !whole {
		return nil
	}
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if len(w.want) > 0 {
		return &mismatch{fmt.Errorf("it is shorter than was told")}
	}
	return nil
}
