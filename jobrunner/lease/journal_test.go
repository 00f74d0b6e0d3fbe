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
	fees   map[types.Hash]journal.Fee
	order  []types.Hash
	writes int
	failAt int // the write that fails; 0 = none
	after  bool
	dead   bool
	died   chan struct{}
	audit  func(cost types.Amount) // after every write
	before func(what any) error    // before every write; its error is the disk's
}

func newTestJournal(budget types.Amount) *testJournal {
	return &testJournal{job: journal.Job{ID: "job", Budget: budget, Since: time.Now().Add(-time.Minute)},
		leases: map[types.Hash]journal.Lease{}, fees: map[types.Hash]journal.Fee{}, died: make(chan struct{})}
}

// write runs fn unless the disk fails; mu is held.
func (j *testJournal) write(what any, fn func()) error {
	if j.dead {
		return errDisk
	}
	j.writes++
	if j.writes == j.failAt || j.before != nil && j.before(what) != nil {
		j.dead = true
		close(j.died)
		if j.after {
			fn()
		}
		return errDisk
	}
	fn()
	if j.audit != nil {
		j.audit(j.cost())
	}
	return nil
}

// revive is the restart after a crash.
func (j *testJournal) revive() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dead, j.failAt, j.before = false, 0, nil
}

func (j *testJournal) SaveLease(l journal.Lease) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(l, func() {
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
	return j.write(paid, func() {
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

func (j *testJournal) SaveFee(f journal.Fee) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(f, func() { j.fees[f.Tx] = f })
}

func (j *testJournal) Fees(job string, since time.Time) (sum types.Amount, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range j.fees {
		if f.Job == job && !f.At.Before(since) {
			sum += f.Amount
		}
	}
	return sum, nil
}

func (j *testJournal) Unreceipted() ([]journal.Lease, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []journal.Lease
	for _, id := range j.order {
		if l := j.leases[id]; l.State == journal.LeaseSettled && !l.ReceiptOver {
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

// cost is what the journal says that the job has cost, or may; mu is held.
func (j *testJournal) cost() (sum types.Amount) {
	for _, l := range j.leases {
		sum += l.Cost()
	}
	for _, f := range j.fees {
		sum += f.Amount
	}
	return sum
}
