package streaming

import (
	"bytes"
	"sort"
)

// Kinds of partitioners.
const (
	PartitionHash     = "hash"     // Hadoop's HashPartitioner on the key's bytes
	PartitionKeyField = "keyfield" // KeyFieldBasedPartitioner
	PartitionRange    = "range"    // total order: TotalOrderPartitioner with sampled boundaries
	// PartitionOffset is HashPartitioner on keys that are byte offsets (LongWritable),
	// which an identity mapper passes on.
	PartitionOffset = "offset"
)

// Partitioner says which reducer a key goes to.
type Partitioner struct {
	Kind      string
	Specs     []KeySpec `json:",omitempty"` // PartitionKeyField; none: the whole key, hashed as a Java String
	Separator []byte    `json:",omitempty"` // of the key's fields (PartitionKeyField)
	// Boundaries are the least keys of every reducer but the first, in order
	// (PartitionRange); they are set once the input has been sampled. Order is the order they are in.
	Boundaries [][]byte   `json:",omitempty"`
	Order      Comparator `json:",omitzero"`
}

// Partition is the number of the reducer, from 0 to reducers-1. reducers is at least 1.
func (p Partitioner) Partition(key []byte, reducers int) int {
	if reducers <= 1 {
		return 0
	}
	switch p.Kind {
	case PartitionKeyField:
		return masked(p.fieldHash(key), reducers)
	case PartitionRange:
		n := sort.Search(len(p.Boundaries), func(i int) bool { return p.Order.Compare(key, p.Boundaries[i]) < 0 })
		return min(n, reducers-1)
	case PartitionOffset:
		n, _ := parseOffset(key)
		return masked(int32(n), reducers)
	}
	h := int32(1)
	for _, c := range key {
		h = 31*h + int32(int8(c))
	}
	return masked(h, reducers)
}

func masked(hash int32, reducers int) int { return int(hash&0x7fffffff) % reducers }

// fieldHash hashes the bytes that the -k name. Hadoop turns the key into a String on
// the way, which replaces what is not UTF-8.
func (p Partitioner) fieldHash(key []byte) int32 {
	if len(p.Specs) == 0 {
		return javaHash(key)
	}
	key = javaText(key)
	if len(key) == 0 {
		return 0
	}
	var space [16]int
	lengths := fieldLengths(space[:0], key, p.Separator)
	h := int32(0)
	for _, spec := range p.Specs {
		start, end, ok := spec.find(key, lengths, len(p.Separator))
		if !ok || end < start {
			continue
		}
		for _, c := range key[start:end] {
			h = 31*h + int32(int8(c))
		}
	}
	return h
}

// parseOffset reads a byte offset; anything else counts as 0.
func parseOffset(key []byte) (int64, bool) {
	n := int64(0)
	for _, c := range key {
		if c < '0' || c > '9' || n > (1<<63-10)/10 {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, len(key) > 0
}

// compareOffsets orders byte offsets as numbers; other texts follow, by their bytes.
func compareOffsets(a, b []byte) int {
	m, okA := parseOffset(a)
	n, okB := parseOffset(b)
	switch {
	case okA && okB && m != n:
		if m < n {
			return -1
		}
		return 1
	case okA != okB:
		if okA {
			return -1
		}
		return 1
	case okA:
		return 0
	}
	return bytes.Compare(a, b)
}
