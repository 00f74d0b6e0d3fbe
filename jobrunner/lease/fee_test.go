package lease

import (
	"errors"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
)

// Announcements that nobody answers cost fees; a publisher that restarts after each
// still spends no more than its budget.
func TestFeesOverRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const budget = 400_000
	b.journal.job.Budget = budget
	b.open()
	for n := 0; ; n++ {
		r := b.request(1)
		r.Budget, r.Deadline = budget, time.Now().Add(200*time.Millisecond)
		err := b.market.Acquire(b.context(30*time.Second), r, func(*Lease) { t.Error("a lease from nobody") })
		lost := b.ledger.spent(b.key.Address())
		if lost > budget {
			t.Fatalf("the account lost %d in %d announcements, the budget was %d", lost, n+1, budget)
		}
		b.balanced()
		if errors.Is(err, ErrNotAffordable) {
			if n == 0 || lost == 0 {
				t.Fatalf("nothing was announced: %v", err)
			}
			return
		}
		if !errors.Is(err, ErrNoOffers) {
			t.Fatal(err)
		}
		b.restart()
	}
}

// A fee that cannot be journalled is not spent.
func TestFeeNotStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.journal.before = func(what any) error {
		if _, fee := what.(journal.Fee); fee {
			return errDisk
		}
		return nil
	}
	b.open()
	if err := b.market.Acquire(b.context(10*time.Second), b.request(1), nil); !errors.Is(err, errDisk) {
		t.Errorf("announced: %v", err)
	}
	if lost := b.ledger.spent(b.key.Address()); lost != 0 {
		t.Errorf("the account lost %d", lost)
	}
	if left := b.market.purses["job"].available(); left != testBudget {
		t.Errorf("%d of the budget is left", left)
	}
}

// A publisher that dies around the publishing of a receipt publishes it once, after
// the restart at the latest.
func TestReceiptOverCrash(t *testing.T) {
	t.Parallel()
	at := func(receipt, over bool) func(journal.Lease) bool {
		return func(l journal.Lease) bool {
			return l.State == journal.LeaseSettled && l.ReceiptTx.IsZero() != receipt && l.ReceiptOver == over
		}
	}
	for name, c := range map[string]struct {
		at    func(journal.Lease) bool
		after bool // the write took place
	}{
		"before it is stored":     {at(true, false), false},
		"stored and not sent":     {at(true, false), true},
		"sent and not known to":   {at(true, true), false},
		"settled, nothing signed": {at(false, false), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			newSeller(t, b.ledger, 2)
			b.journal.after = c.after
			b.journal.before = func(what any) error {
				if l, ok := what.(journal.Lease); ok && c.at(l) {
					return errDisk
				}
				return nil
			}
			b.open()
			l := b.acquire(b.request(1))[0]
			b.until(20*time.Second, "a payment", func() bool { return b.journal.lease(l.ID()).LastPaid != nil })
			go l.Close(b.context(30*time.Second), "done")
			select {
			case <-b.journal.died:
			case <-b.context(30 * time.Second).Done():
				t.Fatal("no such write")
			}
			<-l.s.ended
			if err := b.restart().Recover(b.context(20*time.Second), func(*Lease) { t.Error("a settled lease came back") }); err != nil {
				t.Fatal(err)
			}
			b.until(20*time.Second, "the receipt", func() bool { return b.journal.lease(l.ID()).ReceiptOver })
			b.ledger.mu.Lock()
			record, published := b.ledger.state.Receipt(b.journal.lease(l.ID()).Channel)
			b.ledger.mu.Unlock()
			if !published || record.Receipt.Verdict != b.journal.lease(l.ID()).Verdict {
				t.Errorf("published %v: %+v", published, record)
			}
			if due, err := b.journal.Unreceipted(); err != nil || len(due) > 0 {
				t.Errorf("%d receipts are due: %v", len(due), err)
			}
			if lost := b.ledger.spent(b.key.Address()); lost > b.sum() {
				t.Errorf("the account lost %d, the journal says %d", lost, b.sum())
			}
		})
	}
}
