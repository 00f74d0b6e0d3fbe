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

// keepIn stores chunks whose hashes were checked.
func keepIn(store *blob.Store) func(types.Hash, []byte) error {
	return func(h types.Hash, data []byte) error {
		if err := store.Keep(h, data); err != nil {
			return fmt.Errorf("%w: %w", errKeep, err)
		}
		return nil
	}
}

// keepFile stores a file that came with its task's end, where it has the length and
// the hashes that were told; otherwise the error is a mismatch.
func keepFile(store *blob.Store, data []byte, f protocol.File) error {
	if uint64(len(data)) != f.Size || uint64(len(f.Chunks)) != (f.Size+protocol.ChunkSize-1)/protocol.ChunkSize {
		return &mismatch{fmt.Errorf("%s has %d bytes in all, and %d of %d chunks were told", f.Path, len(data), f.Size, len(f.Chunks))}
	}
	for _, h := range f.Chunks {
		chunk := data[:min(len(data), protocol.ChunkSize)]
		data = data[len(chunk):]
		if blob.HashOf(chunk) != h {
			return &mismatch{fmt.Errorf("%s does not have the hash that was told", f.Path)}
		}
		if err := keepIn(store)(h, chunk); err != nil {
			return err
		}
	}
	return nil
}
