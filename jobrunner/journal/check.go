package journal

import (
	"errors"
	"fmt"

	"github.com/zennet/zennet/provider/protocol"
)

// Check returns ErrInvariant, with every contradiction found, unless:
//
//   - the file is sound for SQLite;
//   - no task succeeded twice in one run of its job, and one that is done there
//     without an origin has an attempt that succeeded;
//   - an ended job has no attempt without an end;
//   - a job that is done has its output, if it has one, made;
//   - what a job's leases and other transactions cost since its run began is
//     within its budget;
//   - for every lease: voucher ≤ deposit, claim ≤ voucher, the voucher pays the
//     agreed counters by hash, and no more than their bill by the contract's rates
//     (prepaying contracts aside); the kept payments never decrease.
func (j *Journal) Check() error {
	var bad []error
	add := func(format string, args ...any) {
		bad = append(bad, fmt.Errorf("%w: "+format, append([]any{ErrInvariant}, args...)...))
	}
	var sound string
	if err := j.read.QueryRow(`PRAGMA quick_check`).Scan(&sound); err != nil || sound != "ok" {
		add("database: %s (%v)", sound, err)
	}
	jobs, err := j.Jobs(false)
	if err != nil {
		return err
	}
	for _, b := range jobs {
		if err := j.checkJob(b, add); err != nil {
			return err
		}
	}
	leases, err := j.Leases("", false)
	if err != nil {
		return err
	}
	for _, l := range leases {
		checkLease(l, add)
		reports, paid, err := j.Payments(l.ID)
		if err != nil {
			return err
		}
		for i := 1; i < len(reports); i++ {
			if reports[i].Bill < reports[i-1].Bill {
				add("lease %s: bill falls from %d to %d nXEN", l.ID.Short(), reports[i-1].Bill, reports[i].Bill)
			}
		}
		for i := 1; i < len(paid); i++ {
			if paid[i].Voucher.Amount < paid[i-1].Voucher.Amount {
				add("lease %s: vouchers fall from %d to %d nXEN", l.ID.Short(), paid[i-1].Voucher.Amount, paid[i].Voucher.Amount)
			}
		}
	}
	return errors.Join(bad...)
}

func (j *Journal) checkJob(b Job, add func(string, ...any)) error {
	tasks, err := j.Tasks(b.ID)
	if err != nil {
		return err
	}
	attempts, err := j.Attempts(b.ID, false)
	if err != nil {
		return err
	}
	type at struct{ task, run int }
	good, ever := make(map[at]int), make(map[int]bool)
	for _, a := range attempts {
		switch {
		case a.Ended.IsZero() && b.State.Ended():
			add("job %s ended, attempt %d of task %d did not", b.ID, a.Attempt, a.Task)
		case !a.Ended.IsZero() && a.Class == protocol.ClassOK:
			ever[a.Task] = true
			if good[at{a.Task, a.Run}]++; good[at{a.Task, a.Run}] > 1 {
				add("job %s: task %d succeeded twice in run %d", b.ID, a.Task, a.Run)
			}
		}
	}
	failed := false
	for _, t := range tasks {
		if t.State == TaskDone && t.Origin == "" && !ever[t.Number] {
			add("job %s: task %s is done without an attempt that succeeded", b.ID, t.Name)
		}
		failed = failed || t.State == TaskFailed
		if b.State == JobDone && t.State == TaskWaiting && !failed { // it may need a best-effort one
			add("job %s is done, task %s is not", b.ID, t.Name)
		}
	}
	switch o, err := j.Output(b.ID); {
	case err == nil && b.State == JobDone && o.State != OutputMade:
		add("job %s is done, its output %s is not made", b.ID, o.URL)
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	leases, err := j.Leases(b.ID, false)
	if err != nil {
		return err
	}
	cost, err := j.Fees(b.ID, b.Since)
	if err != nil {
		return err
	}
	for _, l := range leases {
		if !l.Opened.Before(b.Since) {
			cost += l.Cost()
		}
	}
	if cost > b.Budget {
		add("job %s: it costs %d nXEN, its budget is %d", b.ID, cost, b.Budget)
	}
	return nil
}

func checkLease(l Lease, add func(string, ...any)) {
	if l.Contract.ID() != l.ID {
		add("lease %s: its contract has another hash", l.ID.Short())
	}
	paid := l.Paid()
	if paid > l.Deposit {
		add("lease %s: paid %d of a deposit of %d nXEN", l.ID.Short(), paid, l.Deposit)
	}
	if l.Claim > paid {
		add("lease %s: claim of %d nXEN exceeds the voucher of %d", l.ID.Short(), l.Claim, paid)
	}
	if l.LastPaid == nil {
		return
	}
	p := *l.LastPaid
	if p.Voucher.UsageHash != protocol.AgreedHash(p.Agreed) {
		add("lease %s: the voucher pays other counters than those agreed", l.ID.Short())
	}
	bill, err := l.Contract.Terms.Rates.Bill(p.Agreed)
	if err != nil {
		add("lease %s: %v", l.ID.Short(), err)
	} else if l.Contract.Terms.IntervalSeconds >= 0 && p.Voucher.Amount > bill {
		add("lease %s: voucher of %d nXEN exceeds the agreed bill of %d", l.ID.Short(), p.Voucher.Amount, bill)
	}
}
