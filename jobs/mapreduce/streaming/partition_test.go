package streaming

import "testing"

// TestHashPartitioner holds the measured vectors: the masked hash, and it mod 7.
func TestHashPartitioner(t *testing.T) {
	for _, c := range []struct {
		key       string
		hash, mod int
	}{
		{"", 1, 1}, {"a", 128, 2}, {"hello", 127791473, 5}, {"\xff", 30, 2},
		{"é", 2147482631, 0}, {"the quick brown fox", 893510946, 6},
	} {
		p := Partitioner{Kind: PartitionHash}
		if got := p.Partition([]byte(c.key), 1<<31-1); got != c.hash%(1<<31-1) {
			t.Errorf("%q: hash %d, want %d", c.key, got, c.hash)
		}
		if got := p.Partition([]byte(c.key), 7); got != c.mod {
			t.Errorf("%q: reducer %d of 7, want %d", c.key, got, c.mod)
		}
	}
}
