package blob

import "github.com/zennet/zennet/ledger/types"

// Pin keeps hashes from being evicted, there or not yet there, until Unpin is
// called for the same owner: a lease's name, say. Pinning again changes nothing.
func (s *Store) Pin(owner string, hashes ...types.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.owners[owner]
	if held == nil {
		held = map[types.Hash]bool{}
		s.owners[owner] = held
	}
	for _, h := range hashes {
		if !held[h] {
			held[h] = true
			s.pins[h]++
		}
	}
}

// PinAll pins all that the store holds now.
func (s *Store) PinAll(owner string) {
	s.mu.Lock()
	all := make([]types.Hash, 0, len(s.entries))
	for h := range s.entries {
		all = append(all, h)
	}
	s.mu.Unlock()
	s.Pin(owner, all...)
}

// Unpin lets go of all that owner pinned.
func (s *Store) Unpin(owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := range s.owners[owner] {
		s.unpin(h)
	}
	delete(s.owners, owner)
}

// unpinAbsent lets go of those of hashes that owner pinned and that never came,
// so that pins cannot outnumber blobs for long.
func (s *Store) unpinAbsent(owner string, hashes []types.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.owners[owner]
	for _, h := range hashes {
		if held[h] && s.entries[h] == nil {
			delete(held, h)
			s.unpin(h)
		}
	}
}

// unpin takes one pin off h; mu is held.
func (s *Store) unpin(h types.Hash) {
	if s.pins[h]--; s.pins[h] <= 0 {
		delete(s.pins, h)
	}
}
