package agent

import (
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/types"
)

// Bounds of an agent, so that no publisher can exhaust it.
const (
	maxLeases        = 512              // containers and negotiations at once
	maxTalks         = 64               // with one publisher, before a channel is proven
	maxWorkerStreams = 256              // open at once for one lease
	maxBlobStreams   = 6                // open at once for one lease: inputs, a cache, what other containers made, and those that end
	maxUnknown       = 32               // streams of one publisher that have not said for which lease they are
	maxIntakes       = 8                // blob streams that move bytes at once, in all
	maxTurns         = 3                // the same, of one publisher: the others have theirs
	cacheShare       = 4                // blobs for a cache are taken until a lease has sent this part of what it may
	maxMatches       = 1024             // announcements remembered
	maxLeaseFrame    = 128 << 10        // bytes of a message on a lease stream
	maxEnded         = 1000             // leases of the past that are kept
	headerTime       = 10 * time.Second // for the first frame of a stream
	writeTime        = 10 * time.Second // for one message on a lease stream
	intakeIdle       = 10 * time.Minute // without a byte on a blob stream
	ledgerTime       = 60 * time.Second // for one question to the ledger
	freezeTime       = 10 * time.Second
	versionTime      = 60 * time.Second
)

// wary remembers publishers with whom talks came to nothing through their fault,
// and leaves each alone for a while that doubles.
type wary struct {
	mu    sync.Mutex
	until map[types.Address]time.Time
	count map[types.Address]int
}

// Bounds of a pause.
const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
	maxWary    = 4096 // publishers; more, and the memory begins anew
)

// blame notes a fault of addr at time now.
func (w *wary) blame(addr types.Address, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.until == nil || len(w.until) >= maxWary {
		w.until, w.count = map[types.Address]time.Time{}, map[types.Address]int{}
	}
	pause := lastPause
	if n := w.count[addr]; n < 9 {
		pause = min(firstPause<<n, lastPause)
		w.count[addr]++
	}
	w.until[addr] = now.Add(pause)
}

// praise forgets the faults of addr.
func (w *wary) praise(addr types.Address) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.until, addr)
	delete(w.count, addr)
}

// pause is until when addr is left alone; the zero time where it is not.
func (w *wary) pause(addr types.Address) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.until[addr]
}
