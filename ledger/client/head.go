package client

import (
	"context"
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/node/wire"
)

// heads knows the height of the node's newest final header. One goroutine asks
// for the next one with a call that the node answers when there is one; all who
// wait share it.
type heads struct {
	rpc *rpc

	mu      sync.Mutex
	height  int64
	changed chan struct{} // closed when height grows
}

func newHeads(r *rpc) *heads { return &heads{rpc: r, changed: make(chan struct{})} }

func (h *heads) run(ctx context.Context) {
	pause := 20 * time.Millisecond
	for ctx.Err() == nil {
		height, _ := h.now()
		var head wire.Head
		err := h.rpc.call(ctx, wire.MethodHead,
			map[string]any{"after": height, "wait_ms": wire.MaxWait.Milliseconds()}, &head)
		if err != nil {
			sleep(ctx, pause)
			pause = min(2*pause, 500*time.Millisecond)
			continue
		}
		if pause = 20 * time.Millisecond; !h.set(head.Height) {
			sleep(ctx, pause) // a node that answers early is not asked in a storm
		}
	}
}

// ask is the node's newest height now, without waiting for a next one.
func (h *heads) ask(ctx context.Context) (int64, error) {
	var head wire.Head
	if err := h.rpc.call(ctx, wire.MethodHead, map[string]any{"after": int64(0), "wait_ms": int64(callTimeout.Milliseconds() / 2)}, &head); err != nil {
		return 0, err
	}
	h.set(head.Height)
	return head.Height, nil
}

// now is the newest height that is known, and a channel that closes when a
// newer one is.
func (h *heads) now() (int64, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.height, h.changed
}

func (h *heads) set(height int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if height <= h.height {
		return false
	}
	h.height = height
	close(h.changed)
	h.changed = make(chan struct{})
	return true
}

// wait returns the newest height once it is at least want, or false when ctx ended.
func (h *heads) wait(ctx context.Context, want int64) (int64, bool) {
	for {
		height, changed := h.now()
		if height >= want {
			return height, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return height, false
		}
	}
}
