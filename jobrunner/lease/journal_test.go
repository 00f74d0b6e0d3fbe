package lease

import (
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// testJournal keeps records in memory and outlives markets. At a chosen write it
// fails, before or after that write took place: what a killed process leaves.
type testJournal struct {
	mu     sync.Mutex
	job    journal.Job
	leases map[types.Hash]journal.Lease
	order  []types.Hash
	writes int
	failAt int // the write that fails; 0 = none
	after  bool
	dead   bool
	died   chan struct{}
	audit  func(map[types.Hash]journal.Lease) // after every write
}

func newTestJournal(budget types.Amount) *testJournal {
	return &testJournal{job: journal.Job{ID: "job", Budget: budget, Since: time.Now().Add(-time.Minute)},
		leases: map[types.Hash]journal.Lease{}, died: make(chan struct{})}
}

// write runs fn unless the disk fails; mu is held.
func (j *testJournal) write(fn func()) error {
	if j.dead {
		return errDisk
	}
	j.writes++
	if j.writes == j.failAt {
		j.dead = true
		close(j.died)
		if j.after {
			fn()
		}
		return errDisk
	}
	fn()
	if j.audit != nil {
		j.audit(j.leases)
	}
	return nil
}

// revive is the restart after a crash.
func (j *testJournal) revive() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dead, j.failAt = false, 0
}

func (j *testJournal) SaveLease(l journal.Lease) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(func() {
		old, known := j.leases[l.ID]
		if !known {
			j.order = append(j.order, l.ID)
		}
		l.LastUsage, l.LastPaid = old.LastUsage, old.LastPaid
		j.leases[l.ID] = l
	})
}

func (j *testJournal) SavePayment(id types.Hash, report *protocol.UsageReport, paid *protocol.Paid) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(func() {
		l := j.leases[id]
		l.LastUsage, l.LastPaid = report, paid
		j.leases[id] = l
	})
}

func (j *testJournal) Leases(job string, liveOnly bool) ([]journal.Lease, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []journal.Lease
	for _, id := range j.order {
		if l := j.leases[id]; (job == "" || l.Job == job) && (!liveOnly || l.State.Live()) {
			out = append(out, l)
		}
	}
	return out, nil
}

// failed reports whether there was a crash: the last voucher may have been stored
// and never sent.
func (j *testJournal) failed() bool {
	select {
	case <-j.died:
		return true
	default:
		return false
	}
}

func (j *testJournal) Job(string) (journal.Job, error) { return j.job, nil }

func (j *testJournal) lease(id types.Hash) journal.Lease {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.leases[id]
}

// cost is what the journal says that the job has cost, or may.
func cost(leases map[types.Hash]journal.Lease) (sum types.Amount) {
	for _, l := range leases {
		sum += l.Cost()
	}
	return sum
}
