package chain

// KV is the ordered store under the state; ledger/node's is authenticated.
type KV interface {
	// Get returns the value of a key, nil where there is none. The caller may keep
	// but not change it.
	Get(key []byte) []byte
	// Set stores a value that is not empty; the store may keep both slices.
	Set(key, value []byte)
	// Delete removes a key; one that is not there is no error.
	Delete(key []byte)
	// Iterate calls fn for each key with the prefix, in ascending order of bytes,
	// until fn returns false. fn may read, but must not write to the store.
	Iterate(prefix []byte, fn func(key, value []byte) bool)
}
