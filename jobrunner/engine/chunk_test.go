package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
)

// TestKeepFile takes only bytes that have the hashes and the lengths that were told.
func TestKeepFile(t *testing.T) {
	store, err := blob.Open(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	full, rest := strings.Repeat("x", protocol.ChunkSize), "the rest"
	hashes := func(parts ...string) (out []types.Hash) {
		for _, p := range parts {
			out = append(out, blob.HashOf([]byte(p)))
		}
		return out
	}
	for _, c := range []struct {
		name, data string
		size       int
		want       []types.Hash
		ok         bool
	}{
		{"two chunks", full + rest, len(full) + len(rest), hashes(full, rest), true},
		{"one chunk", rest, len(rest), hashes(rest), true},
		{"empty", "", 0, nil, true},
		{"shorter than its size", rest, len(rest) + 1, hashes(rest), false},
		{"longer than its size", rest, len(rest) - 1, hashes(rest), false},
		{"a chunk is missing", full, len(full) + len(rest), hashes(full, rest), false},
		{"a chunk too many", full + rest, len(full), hashes(full), false},
		{"another hash", rest, len(rest), hashes(full), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := keepFile(store, []byte(c.data), protocol.File{Path: "f", Size: uint64(c.size), Chunks: c.want})
			if (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
			for _, h := range c.want {
				if c.ok && !store.Has(h) {
					t.Errorf("%s is not stored", h.Short())
				}
			}
			var wrong *mismatch
			if err != nil && !errors.As(err, &wrong) {
				t.Errorf("%v is no mismatch", err)
			}
		})
	}
}
