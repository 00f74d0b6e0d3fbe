package blob

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Check reports a store whose books do not agree: the bytes counted, the order of
// use, the pins and their owners. It reads no blob.
func Check(s *Store) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bytes uint64
	for h, e := range s.entries {
		if e.hash != h || e.place == nil || e.place.Value.(*entry) != e {
			return fmt.Errorf("blob %s is filed wrongly", h)
		}
		bytes += e.charge()
	}
	if bytes != s.bytes || s.recent.Len() != len(s.entries) {
		return fmt.Errorf("%d bytes are counted, %d are there; %d blobs in order, %d in all", s.bytes, bytes, s.recent.Len(), len(s.entries))
	}
	if s.max > 0 && s.bytes > s.max {
		return fmt.Errorf("%d bytes exceed the bound of %d", s.bytes, s.max)
	}
	pins := map[types.Hash]int{}
	for _, held := range s.owners {
		for h := range held {
			pins[h]++
		}
	}
	for h, n := range s.pins {
		if pins[h] != n || n == 0 {
			return fmt.Errorf("blob %s has %d pins, its owners hold %d", h, n, pins[h])
		}
	}
	if len(pins) != len(s.pins) {
		return fmt.Errorf("%d blobs are pinned, owners hold %d", len(s.pins), len(pins))
	}
	return nil
}
