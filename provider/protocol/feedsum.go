package protocol

import (
	"crypto/sha256"
	digest "hash"

	"github.com/zennet/zennet/ledger/types"
)

// FeedSum computes what a FeedEnd tells of a whole input: the SHA-256 of the
// SHA-256s of its chunks, one after another. So a chunk whose hash is known and was
// compared is not hashed again, and an input can be told by its chunks' names.
type FeedSum struct {
	chunks digest.Hash // of the hashes of whole chunks
	chunk  digest.Hash // of the bytes of the chunk that is not whole
	n      int         // how many these are
}

// NewFeedSum begins the sum of an input.
func NewFeedSum() *FeedSum { return &FeedSum{chunks: sha256.New(), chunk: sha256.New()} }

// Write adds the input's next bytes. It never fails.
func (s *FeedSum) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		k := min(len(p), ChunkSize-s.n)
		s.chunk.Write(p[:k])
		p = p[k:]
		if s.n += k; s.n == ChunkSize {
			s.flush()
		}
	}
	return all, nil
}

// Chunk adds the next chunk by its hash. It must begin where the one before ended,
// and have ChunkSize bytes, unless it is the last one.
func (s *FeedSum) Chunk(h types.Hash) { s.chunks.Write(h[:]) }

// flush ends a chunk.
func (s *FeedSum) flush() {
	var h types.Hash
	s.chunks.Write(s.chunk.Sum(h[:0]))
	s.chunk.Reset()
	s.n = 0
}

// Sum is the sum of all that was added; nothing can be added afterwards.
func (s *FeedSum) Sum() types.Hash {
	if s.n > 0 {
		s.flush()
	}
	return types.Hash(s.chunks.Sum(nil))
}

// FeedHash is the FeedSum of an input that is at hand.
func FeedHash(data []byte) types.Hash {
	s := NewFeedSum()
	s.Write(data)
	return s.Sum()
}
