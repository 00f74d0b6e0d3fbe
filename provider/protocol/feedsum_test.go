package protocol

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/zennet/zennet/ledger/types"
)

// The sum is the hash of the chunks' hashes, however the bytes come.
func TestFeedSum(t *testing.T) {
	for _, size := range []int{0, 1, ChunkSize - 1, ChunkSize, ChunkSize + 1, 3*ChunkSize + 5} {
		data := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		var chunks []types.Hash
		var all []byte
		for at := 0; at < size; at += ChunkSize {
			h := sha256.Sum256(data[at:min(at+ChunkSize, size)])
			chunks, all = append(chunks, h), append(all, h[:]...)
		}
		want := types.Hash(sha256.Sum256(all))
		if got := FeedHash(data); got != want {
			t.Errorf("%d bytes: %s, want %s", size, got, want)
		}
		pieces := NewFeedSum()
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 70_001)
			pieces.Write(rest[:n])
			rest = rest[n:]
		}
		if got := pieces.Sum(); got != want {
			t.Errorf("%d bytes in pieces: %s, want %s", size, got, want)
		}
		named := NewFeedSum()
		for i, h := range chunks {
			if i == 1 {
				named.Write(data[ChunkSize:min(2*ChunkSize, size)])
			} else {
				named.Chunk(h)
			}
		}
		if got := named.Sum(); got != want {
			t.Errorf("%d bytes by name: %s, want %s", size, got, want)
		}
	}
}
