package chain

import (
	"bytes"
	"slices"
	"sort"
	"strings"
)

// memKV keeps keys in a sorted slice beside a map.
type memKV struct {
	values map[string][]byte
	keys   []string // sorted
}

// NewMemKV makes an empty store in memory, for tests and simulations.
func NewMemKV() KV { return &memKV{values: make(map[string][]byte)} }

func (m *memKV) Get(key []byte) []byte { return m.values[string(key)] }

func (m *memKV) Set(key, value []byte) {
	k := string(key)
	if _, ok := m.values[k]; !ok {
		i := sort.SearchStrings(m.keys, k)
		m.keys = slices.Insert(m.keys, i, k)
	}
	m.values[k] = bytes.Clone(value)
}

func (m *memKV) Delete(key []byte) {
	k := string(key)
	if _, ok := m.values[k]; !ok {
		return
	}
	delete(m.values, k)
	i := sort.SearchStrings(m.keys, k)
	m.keys = slices.Delete(m.keys, i, i+1)
}

func (m *memKV) Iterate(prefix []byte, fn func(key, value []byte) bool) {
	p := string(prefix)
	for i := sort.SearchStrings(m.keys, p); i < len(m.keys) && strings.HasPrefix(m.keys[i], p); i++ {
		if !fn([]byte(m.keys[i]), m.values[m.keys[i]]) {
			return
		}
	}
}
