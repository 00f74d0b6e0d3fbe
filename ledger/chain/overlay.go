package chain

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// Overlay is a KV of changes above a base that it only reads: a block can be
// tried on it and dropped, or written down by Flush.
type Overlay struct {
	base    KV
	changes map[string][]byte // nil: deleted
}

// NewOverlay makes an overlay without changes.
func NewOverlay(base KV) *Overlay {
	return &Overlay{base: base, changes: make(map[string][]byte)}
}

// Get returns the changed value, or the base's.
func (o *Overlay) Get(key []byte) []byte {
	if v, ok := o.changes[string(key)]; ok {
		return v
	}
	return o.base.Get(key)
}

// Set changes a value.
func (o *Overlay) Set(key, value []byte) { o.changes[string(key)] = bytes.Clone(value) }

// Delete removes a key.
func (o *Overlay) Delete(key []byte) { o.changes[string(key)] = nil }

// Iterate merges the changes into the base's order.
func (o *Overlay) Iterate(prefix []byte, fn func(key, value []byte) bool) {
	p := string(prefix)
	var changed []string
	for k := range o.changes {
		if strings.HasPrefix(k, p) {
			changed = append(changed, k)
		}
	}
	slices.Sort(changed)
	more := true
	// emit calls fn for the changes below a key of the base, or for all.
	emit := func(all bool, below string) {
		for more && len(changed) > 0 && (all || changed[0] < below) {
			if v := o.changes[changed[0]]; v != nil {
				more = fn([]byte(changed[0]), v)
			}
			changed = changed[1:]
		}
	}
	o.base.Iterate(prefix, func(key, value []byte) bool {
		emit(false, string(key))
		if _, ok := o.changes[string(key)]; more && !ok {
			more = fn(key, value)
		}
		return more
	})
	emit(true, "")
}

// Flush writes the changes into the base, in order of keys, and forgets them.
func (o *Overlay) Flush() {
	for _, k := range slices.Sorted(maps.Keys(o.changes)) {
		if v := o.changes[k]; v != nil {
			o.base.Set([]byte(k), v)
		} else {
			o.base.Delete([]byte(k))
		}
	}
	clear(o.changes)
}
