package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// Status reads a job's status as the journal knows it; ErrNotFound. A running
// engine knows more (slots, ETA).
func (j *Journal) Status(id string) (Status, error) {
	b, err := j.Job(id)
	if err != nil {
		return Status{}, err
	}
	s := b.Status()
	if o, err := j.Output(id); err == nil {
		s.Output = o.URL
	} else if !errors.Is(err, ErrNotFound) {
		return s, err
	}
	if s.Tasks, err = j.counts(id, b.Tasks); err != nil {
		return s, err
	}
	if s.Failures, err = j.Failures(id); err != nil {
		return s, err
	}
	leases, err := j.Leases(id, false)
	if err != nil {
		return s, err
	}
	if s.SpentNXEN, s.FeesNXEN, err = j.Spent(id, b.Since); err != nil {
		return s, err
	}
	running, err := j.runningTasks(id)
	if err != nil {
		return s, err
	}
	for _, l := range leases {
		if !l.State.Live() {
			continue
		}
		slot := Slot{Lease: l.ID, Provider: l.Provider, State: string(l.State), Tasks: running[l.ID], PaidNXEN: l.Paid()}
		if l.LastUsage != nil {
			slot.BillNXEN = l.LastUsage.Bill
		}
		if slot.Tasks == nil || s.Ended() {
			slot.Tasks = []string{}
		}
		s.Slots = append(s.Slots, slot)
	}
	return s, nil
}

// Status is what the job's own record tells of its status; tasks, slots and sums
// are still to be filled in.
func (b Job) Status() Status {
	s := Status{ID: b.ID, Name: b.Name, Kind: b.Kind, State: b.State, BudgetNXEN: b.Budget, Slots: []Slot{}, Failures: []Failure{},
		Cause: b.Cause, Message: b.Message, Outputs: b.Outputs, Since: b.Submitted, EndedAt: b.Ended, Tasks: TaskCounts{Total: b.Tasks, Waiting: b.Tasks}}
	if b.State.Ended() {
		s.ETASeconds = new(float64)
	}
	return s
}

func (j *Journal) counts(job string, total int) (TaskCounts, error) {
	c := TaskCounts{Total: total}
	err := j.read.QueryRow(`SELECT count(*) FILTER (WHERE state='done'), count(*) FILTER (WHERE state='failed'),
		(SELECT count(DISTINCT task) FROM attempts WHERE job=?1 AND ended=0) FROM tasks WHERE job=?1`, job).Scan(&c.Done, &c.Failed, &c.Running)
	if err != nil {
		return c, fmt.Errorf("count tasks: %w", err)
	}
	c.Running = min(c.Running, max(0, total-c.Done-c.Failed))
	c.Waiting = max(0, total-c.Done-c.Failed-c.Running)
	return c, nil
}

func (j *Journal) runningTasks(job string) (map[types.Hash][]string, error) {
	rows, err := j.read.Query(`SELECT a.lease, t.name FROM attempts a JOIN tasks t ON t.job=a.job AND t.number=a.task
		WHERE a.job=? AND a.ended=0 ORDER BY a.task`, job)
	if err != nil {
		return nil, fmt.Errorf("read running tasks: %w", err)
	}
	defer rows.Close()
	out := make(map[types.Hash][]string)
	for rows.Next() {
		var lease []byte
		var name string
		if err := rows.Scan(&lease, &name); err != nil {
			return nil, err
		}
		var id types.Hash
		copy(id[:], lease)
		out[id] = append(out[id], name)
	}
	return out, rows.Err()
}

// Receipt reads a job's receipt: the leases of its latest run; ErrNotFound.
func (j *Journal) Receipt(id string) (Receipt, error) {
	b, err := j.Job(id)
	if err != nil {
		return Receipt{}, err
	}
	leases, err := j.Leases(id, false)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{Job: id, Image: b.Image, Leases: []LeaseReceipt{}}
	for _, l := range leases {
		if l.Opened.Before(b.Since) {
			continue
		}
		if r.FeesNXEN += l.Fees; l.State == LeaseFailed {
			continue
		}
		one := LeaseReceipt{Provider: l.Provider, Contract: l.ID, Channel: l.Channel, DepositNXEN: l.Deposit, Rates: l.Contract.Terms.Rates,
			Usage: pricing.Usage{}, VoucherNXEN: l.Paid(), SettledNXEN: l.Claim, Height: l.CloseHeight, Verdict: l.Verdict}
		if l.LastPaid != nil && l.LastPaid.Agreed != nil {
			one.Usage = l.LastPaid.Agreed
		}
		if one.BillNXEN, err = l.Contract.Terms.Rates.Bill(one.Usage); err != nil {
			return Receipt{}, fmt.Errorf("lease %s: %w", l.ID.Short(), err)
		}
		if !l.CloseTx.IsZero() {
			one.Tx = l.CloseTx.String()
		}
		r.Leases = append(r.Leases, one)
		r.TotalNXEN += l.Claim
	}
	fees, err := j.Fees(id, b.Since)
	r.FeesNXEN += fees
	return r, err
}

// List reads all jobs, the latest submission first.
func (j *Journal) List() ([]Row, error) {
	jobs, err := j.Jobs(false)
	if err != nil {
		return nil, err
	}
	leases, err := j.Leases("", false)
	if err != nil {
		return nil, err
	}
	since := make(map[string]time.Time)
	for _, b := range jobs {
		since[b.ID] = b.Since
	}
	spent := make(map[string]types.Amount)
	for _, l := range leases {
		if !l.Opened.Before(since[l.Job]) {
			spent[l.Job] += l.spent()
		}
	}
	out := make([]Row, 0, len(jobs))
	for i := len(jobs) - 1; i >= 0; i-- {
		b := jobs[i]
		row := Row{ID: b.ID, Name: b.Name, Kind: b.Kind, State: b.State, BudgetNXEN: b.Budget, Submitted: b.Submitted, Outputs: b.Outputs}
		row.SpentNXEN = spent[b.ID]
		if row.Tasks, err = j.counts(b.ID, b.Tasks); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

// Payments lists what is kept of a lease's history, oldest first.
func (j *Journal) Payments(lease types.Hash) (reports []protocol.UsageReport, paid []protocol.Paid, err error) {
	rows, err := j.read.Query(`SELECT kind, data FROM payments WHERE lease=? ORDER BY seq`, lease[:])
	if err != nil {
		return nil, nil, fmt.Errorf("read payments: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var data []byte
		if err := rows.Scan(&kind, &data); err != nil {
			return nil, nil, err
		}
		if kind == "usage" {
			r, err := decodeReport(data)
			if err != nil {
				return nil, nil, err
			}
			reports = append(reports, *r)
			continue
		}
		p, err := decodePaid(data)
		if err != nil {
			return nil, nil, err
		}
		paid = append(paid, *p)
	}
	return reports, paid, rows.Err()
}
