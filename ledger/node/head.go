package node

import (
	"context"
	"sync"
	"time"
)

// heads tells the height of the newest final block to all who wait for it.
type heads struct {
	mu      sync.Mutex
	height  int64
	waiting int
	changed chan struct{} // closed when height grows
}

// maxWaiting bounds the calls that wait for a next block; beyond, a call is
// answered at once.
const maxWaiting = 4096

func newHeads(height int64) *heads { return &heads{height: height, changed: make(chan struct{})} }

func (h *heads) set(height int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if height > h.height {
		h.height = height
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

func (h *heads) now() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.height
}

// wait returns the height once it exceeds after, or after d.
func (h *heads) wait(ctx context.Context, after int64, d time.Duration) int64 {
	h.mu.Lock()
	if h.height > after || h.waiting >= maxWaiting || d <= 0 {
		defer h.mu.Unlock()
		return h.height
	}
	h.waiting++
	h.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		h.mu.Lock()
		height, changed := h.height, h.changed
		h.mu.Unlock()
		done := height > after
		if !done {
			select {
			case <-changed:
				continue
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		h.mu.Lock()
		h.waiting--
		h.mu.Unlock()
		return height
	}
}
