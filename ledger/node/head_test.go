package node

import (
	"context"
	"sync"
	"testing"
	"time"
)

func TestHeads(t *testing.T) {
	h := newHeads(3)
	if got := h.wait(t.Context(), 2, time.Hour); got != 3 {
		t.Errorf("height %d", got)
	}
	if got := h.wait(t.Context(), 3, time.Millisecond); got != 3 {
		t.Errorf("height %d after the wait", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := h.wait(ended, 3, time.Hour); got != 3 {
		t.Errorf("height %d after the end", got)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if got := h.wait(t.Context(), 4, time.Hour); got != 5 {
				t.Errorf("height %d, want 5", got)
			}
		})
	}
	h.set(4)
	h.set(5)
	h.set(4) // never back
	all.Wait()
	if h.now() != 5 || h.waiting != 0 {
		t.Errorf("height %d, %d waiting", h.now(), h.waiting)
	}
}
