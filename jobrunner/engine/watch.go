package engine

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
)

// watchers are those who follow a job. Each has a channel of size 1 that holds
// the newest snapshot.
type watchers struct {
	mu   sync.Mutex
	over bool
	last *journal.Status
	all  map[chan journal.Status]struct{}
}

// add begins with the last snapshot and ends with ctx or the job.
func (w *watchers) add(ctx context.Context) <-chan journal.Status {
	ch := make(chan journal.Status, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil {
		ch <- *w.last
	}
	if w.over {
		close(ch)
		return ch
	}
	if w.all == nil {
		w.all = map[chan journal.Status]struct{}{}
	}
	w.all[ch] = struct{}{}
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, on := w.all[ch]; on {
			delete(w.all, ch)
			close(ch)
		}
	})
	return ch
}

// send gives a snapshot to all, in place of one that was not taken yet.
func (w *watchers) send(s journal.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = &s
	for ch := range w.all {
		select {
		case <-ch:
		default:
		}
		ch <- s
	}
}

func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for ch := range w.all {
		close(ch)
	}
	w.all = nil
}

// snapshot makes and sends the job's status; unless now is set, at most every
// 200 ms.
func (r *run) snapshot(now bool) {
	t := time.Now()
	if !now && t.Sub(r.lastShot) < shotEvery {
		return
	}
	r.lastShot = t
	r.mu.Lock()
	b := r.job
	slots := make([]*slot, 0, len(r.slots))
	for n, s := range r.slots {
		select {
		case <-s.gone:
			delete(r.slots, n)
		default:
			slots = append(slots, s)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(slots, func(a, b *slot) int { return cmp.Compare(a.number, b.number) })
	s := b.Status()
	if r.output != nil && (!s.Ended() || s.State == journal.JobDone) {
		s.Output = r.where()
	}
	c := r.schedule.Counts()
	s.Tasks = journal.TaskCounts(c)
	if stage := r.schedule.Stage(); stage >= 0 && !s.Ended() {
		s.Stage = r.stages[stage]
	}
	if s.Message == "" && len(slots) == 0 && !s.Ended() && b.State != journal.JobSettling {
		s.Message = r.market.words() // why it waits
	}
	s.Failures = append(s.Failures, r.bad...)
	if left, ok := r.schedule.Estimate(r.now()); ok && !s.Ended() {
		seconds := left.Seconds()
		s.ETASeconds = &seconds
	}
	r.slotViews(&s, slots)
	if err := r.e.Err(); err != nil && !s.Ended() {
		s.Stopped = err.Error()
	}
	r.sums(&s, b.Since, t)
	r.shot.Store(&s)
	r.watchers.send(s)
}

func (r *run) slotViews(s *journal.Status, slots []*slot) {
	for _, sl := range slots {
		v := journal.Slot{Lease: sl.lease.ID(), Provider: sl.lease.Provider(), State: string(journal.LeaseActive), Tasks: []string{}}
		if v.BillNXEN, v.PaidNXEN = sl.lease.Spent(); sl.lease.Frozen() {
			v.State = "frozen"
		}
		for _, i := range r.schedule.Holds(sl.number) {
			name := r.graph.Tasks[i].Name
			v.Tasks = append(v.Tasks, name)
			if text := sl.says(i); text != "" {
				if v.Messages == nil {
					v.Messages = map[string]string{}
				}
				v.Messages[name] = text
			}
		}
		s.Slots = append(s.Slots, v)
	}
}

// sums are what the journal says of the job's leases, read once a second.
func (r *run) sums(s *journal.Status, since, now time.Time) {
	if now.Sub(r.sumsAt) >= time.Second || s.State.Ended() || s.State == journal.JobSettling {
		if spent, fees, err := r.e.journal.Spent(r.id, since); err == nil {
			r.spent, r.fees = spent, fees
			r.sumsAt = now
		}
	}
	s.SpentNXEN, s.FeesNXEN = r.spent, r.fees
}

type money struct {
	spent, fees types.Amount
	sumsAt      time.Time
}
