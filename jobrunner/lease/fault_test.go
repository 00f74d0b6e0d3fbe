package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
)

// A provider that vanishes is declared lost interval + 2 graces after its last
// frame, in the journal first; its channel is refunded after expiry.
func TestVanishedProvider(t *testing.T) {
	t.Parallel()
	b := benchWith(t, time.Second, 3, 18*time.Second)
	p := newSeller(t, b.ledger, 2)
	b.open()
	l := b.acquire(b.request(1))[0]
	b.until(20*time.Second, "a payment", func() bool { return b.journal.lease(l.ID()).LastPaid != nil })
	begin := time.Now()
	p.vanish()
	select {
	case <-l.Done():
	case <-b.context(10 * time.Second).Done():
		t.Fatal("not noticed")
	}
	if took := time.Since(begin); took < time.Second || took > 8*time.Second {
		t.Errorf("declared lost after %v, want about 3 s", took)
	}
	if !errors.Is(l.Err(), ErrLost) {
		t.Errorf("ended with %v", l.Err())
	}
	if got := b.journal.lease(l.ID()).State; got != journal.LeaseLost {
		t.Errorf("journal says %s", got)
	}
	if err := l.Close(b.context(40*time.Second), "lost"); err != nil {
		t.Fatal(err)
	}
	kept := b.settled(l.ID())
	if kept.Claim != 0 || kept.Verdict != chain.VerdictLost {
		t.Errorf("claim %d, verdict %s", kept.Claim, kept.Verdict)
	}
	b.balanced()
}

// A provider that reports twice what was used gets little more than what
// was used, three strikes, and a receipt that says so.
func TestLyingProvider(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newSeller(t, b.ledger, 2)
	p.lie = 200
	b.open()
	l := b.acquire(b.request(1))[0]
	select {
	case <-l.Done():
	case <-b.context(20 * time.Second).Done():
		t.Fatal("never ended")
	}
	if err := l.Close(b.context(20*time.Second), ""); err != nil {
		t.Fatal(err)
	}
	kept := b.settled(l.ID())
	sold := p.byContract(l.ID())
	answer := make(chan uint64, 1)
	sold.post(func() { answer <- sold.used })
	worth := types.Amount(<-answer * perSecond / 1e9)
	reports := types.Amount(kept.LastUsage.Seq)
	if most := worth + (reports+1)*perSecond/2; kept.Claim > most || kept.Verdict != chain.VerdictDispute {
		t.Errorf("claim %d for work of %d, at most %d; verdict %s", kept.Claim, worth, most, kept.Verdict)
	}
	b.balanced()
}

// A provider that closes twice, and with a forged voucher, gets its due once.
func TestDoubleClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newSeller(t, b.ledger, 2)
	p.closeTwice = true
	b.open()
	l := b.acquire(b.request(1))[0]
	b.until(20*time.Second, "a payment", func() bool { _, paid := l.Spent(); return paid > 0 })
	if err := l.Close(b.context(20*time.Second), "done"); err != nil {
		t.Fatal(err)
	}
	b.settled(l.ID())
	b.balanced()
}

// A link that breaks is redialled and resumed within the grace; service, readings
// and payments go on.
func TestLinkCutAndResumed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newSeller(t, b.ledger, 2)
	b.open()
	l := b.acquire(b.request(1))[0]
	for range 2 {
		_, before := l.Spent()
		for _, c := range p.host.Network().Conns() {
			c.Close()
		}
		b.until(20*time.Second, "payments after the cut", func() bool { _, paid := l.Spent(); return paid > before+perSecond })
	}
	if l.Err() != nil {
		t.Fatalf("lease ended: %v", l.Err())
	}
	if err := l.Close(b.context(20*time.Second), "done"); err != nil {
		t.Fatal(err)
	}
	b.settled(l.ID())
	b.balanced()
}

// A publisher that dies while a lease runs goes on with it: same container, same
// channel, no voucher lower than before.
func TestRestartWithLiveLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newSeller(t, b.ledger, 2)
	b.open()
	l := b.acquire(b.request(1))[0]
	b.until(20*time.Second, "a payment", func() bool { _, paid := l.Spent(); return paid > 0 })
	before := b.journal.lease(l.ID()).Paid()
	m := b.restart()
	// The provider redials before the journal is read: it is not dropped.
	time.Sleep(300 * time.Millisecond)
	var back []*Lease
	if err := m.Recover(b.context(20*time.Second), func(l *Lease) { back = append(back, l) }); err != nil {
		t.Fatal(err)
	}
	if len(back) != 1 || back[0].ID() != l.ID() || back[0].Provider() != p.key.Address() || back[0].Programs()["gmx"] != "2022.5" {
		t.Fatalf("recovered %d leases", len(back))
	}
	b.until(20*time.Second, "payments go on", func() bool { return b.journal.lease(l.ID()).Paid() > before+perSecond/2 })
	if err := back[0].Close(b.context(20*time.Second), "done"); err != nil {
		t.Fatal(err)
	}
	if got := len(p.funded()); got != 1 {
		t.Errorf("%d channels were opened", got)
	}
	b.settled(l.ID())
	b.balanced()
}

// The publisher dies at every write of its journal, just before and just after
// it. After the restart no money stays locked, nothing is paid twice, and the
// ledger and the journal agree.
func TestCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	// The writes of a short lease: OPEN, confirmed, ready, a payment an interval,
	// closing, the final payment, closed, the receipt.
	for n := 1; n <= 10; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d-%v", n, after), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				newSeller(t, b.ledger, 2)
				b.journal.failAt, b.journal.after = n, after
				b.open()
				ctx, cancel := context.WithCancel(b.context(60 * time.Second))
				lived := make(chan error, 1)
				go func() {
					lived <- b.market.Acquire(ctx, b.request(1), func(l *Lease) {
						go func() {
							select {
							case <-time.After(1500 * time.Millisecond):
								l.Close(ctx, "done")
							case <-b.journal.died:
							}
						}()
					})
				}()
				select {
				case <-b.journal.died:
				case <-time.After(8 * time.Second):
					t.Logf("only %d writes", b.journal.writes)
				}
				cancel()
				<-lived
				m := b.restart()
				err := m.Recover(b.context(60*time.Second), func(l *Lease) {
					go l.Close(b.context(90*time.Second), "recovered")
				})
				if err != nil {
					t.Fatal(err)
				}
				b.until(90*time.Second, "everything settled", func() bool {
					live, err := b.journal.Leases("", true)
					return err == nil && len(live) == 0 && b.ledger.supply().Deposits == 0
				})
				b.journal.mu.Lock()
				leases := b.journal.order
				b.journal.mu.Unlock()
				for _, id := range leases {
					if b.journal.lease(id).State == journal.LeaseSettled {
						b.settled(id)
					}
				}
			})
		}
	}
}

// The budget holds at every moment, deposits and top-ups included; when it is
// spent, leases wind down in order.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newSeller(t, b.ledger, 2)
	p.caps.Slots, p.busy = 8, true
	const budget = 1_200_000
	b.journal.job.Budget = budget
	b.journal.audit = func(sum types.Amount) {
		if sum > budget {
			t.Errorf("%d of a budget of %d", sum, budget)
		}
	}
	b.open()
	r := b.request(8)
	r.Budget = budget
	var mu sync.Mutex
	var got []*Lease
	err := b.market.Acquire(b.context(30*time.Second), r, func(l *Lease) {
		mu.Lock()
		got = append(got, l)
		mu.Unlock()
	})
	if !errors.Is(err, ErrNotAffordable) || len(got) == 0 {
		t.Fatalf("%d leases, %v", len(got), err)
	}
	for _, l := range got {
		select {
		case <-l.Done(): // no top-up was possible any more
		case <-b.context(90 * time.Second).Done():
			t.Fatal("a lease goes on without money")
		}
		if err := l.Close(b.context(20*time.Second), "spent"); err != nil {
			t.Error(err)
		}
		b.settled(l.ID())
	}
	if lost := b.ledger.spent(b.key.Address()); lost > budget {
		t.Errorf("the account lost %d, the budget was %d", lost, budget)
	}
}
