package lease

import (
	"fmt"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
)

// purse holds what a job may still spend: budget − Σ over its leases of (the
// claim once settled, else the locked deposit) − fees. It is asked before every
// transaction is prepared, so that a budget is never exceeded; and what it gave is
// journalled before the transaction is sent, so that this holds over restarts.
type purse struct {
	since time.Time // leases opened from here on count

	mu     sync.Mutex
	budget types.Amount
	spent  types.Amount
}

// openPurse sums up what the journal says of a job's leases and fees since a time.
func openPurse(j Journal, job string, budget types.Amount, since time.Time) (*purse, error) {
	leases, err := j.Leases(job, false)
	if err != nil {
		return nil, err
	}
	p := &purse{budget: budget, since: since}
	if p.spent, err = j.Fees(job, since); err != nil {
		return nil, err
	}
	for _, l := range leases {
		if !l.Opened.Before(since) {
			p.spent += l.Cost()
		}
	}
	return p, nil
}

// take reserves a sum, or returns ErrNotAffordable and takes nothing.
func (p *purse) take(sum types.Amount, what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if total, err := p.spent.Add(sum); err != nil || total > p.budget {
		return fmt.Errorf("%w: %s needs %s, %s of the budget of %s is left", ErrNotAffordable, what, sum, p.left(), p.budget)
	}
	p.spent += sum
	return nil
}

// giveBack returns a sum that was reserved and not spent.
func (p *purse) giveBack(sum types.Amount) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent -= min(sum, p.spent)
}

func (p *purse) left() types.Amount {
	if p.spent >= p.budget {
		return 0
	}
	return p.budget - p.spent
}

// available is what is left.
func (p *purse) available() types.Amount {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left()
}

// setBudget takes a changed budget over.
func (p *purse) setBudget(budget types.Amount) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = budget
}

var _ Journal = (*journal.Journal)(nil)
