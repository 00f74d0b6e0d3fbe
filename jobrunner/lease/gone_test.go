package lease

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
)

// A publisher that was away until the ledger had forgotten how its channel ended
// does not wait for ever: the last voucher counts as claimed, which it was, and the
// rest of the deposit is the job's again.
func TestAwayTooLong(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.on(newLedgerWith(t, func(p *chain.Params) { p.MarginSeconds, p.ReceiptSeconds = 10, 2 }, b.key))
	b.grace = time.Second
	newSeller(t, b.ledger, 2)
	b.open()
	l := b.acquire(b.request(1))[0]
	b.until(20*time.Second, "a payment", func() bool { _, paid := l.Spent(); return paid > 0 })
	b.market.Close()
	channel := b.journal.lease(l.ID()).Channel
	b.until(30*time.Second, "the channel's end", func() bool { return len(b.ledger.settlements(channel)) > 0 })
	b.until(30*time.Second, "the ledger has forgotten it", func() bool {
		b.ledger.mu.Lock()
		defer b.ledger.mu.Unlock()
		return b.ledger.kv.Get(chain.SettlementKey(channel)) == nil
	})
	m := b.restart()
	if err := m.Recover(b.context(30*time.Second), func(*Lease) { t.Error("it lives") }); err != nil {
		t.Fatal(err)
	}
	b.until(20*time.Second, "its end", func() bool { l := b.journal.lease(l.ID()); return l.State == journal.LeaseSettled && l.ReceiptOver })
	kept := b.journal.lease(l.ID())
	if claim := b.ledger.settlements(channel)[0].Tx.Body.Close.Claim; kept.Claim != claim || claim == 0 || claim != kept.Paid() {
		t.Errorf("claim %d, on the ledger %d, best voucher %d", kept.Claim, claim, kept.Paid())
	}
	if !strings.Contains(kept.Reason, "how is not kept any longer") || !strings.Contains(kept.Reason, channel.Short()) {
		t.Errorf("reason %q", kept.Reason)
	}
	b.balanced()
}

// forgetful is a ledger whose node keeps no block but the newest.
type forgetful struct{ *testClient }

func (f forgetful) FollowFrom(ctx context.Context, height int64) (<-chan client.Block, error) {
	if h, _ := f.Header(ctx); height <= h.Height {
		none := make(chan client.Block)
		close(none)
		return none, nil
	}
	return f.testClient.FollowFrom(ctx, height)
}

// Where the block of a settlement is not kept any more, the settlement counts
// without its transaction's name.
func TestBlockNotKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.client = func() Ledger { return forgetful{b.ledger.client()} }
	newSeller(t, b.ledger, 2)
	b.open()
	l := b.acquire(b.request(1))[0]
	b.until(20*time.Second, "a payment", func() bool { _, paid := l.Spent(); return paid > 0 })
	if err := l.Close(b.context(20*time.Second), "done"); err != nil {
		t.Fatal(err)
	}
	if kept := b.journal.lease(l.ID()); kept.State != journal.LeaseSettled || kept.Claim != kept.Paid() || kept.CloseHeight == 0 || !kept.CloseTx.IsZero() || !kept.ReceiptOver {
		t.Errorf("%+v", kept)
	}
	b.balanced()
}

// A provider that takes a channel and never gives a container is left as soon as its
// start does not get on, and holds up nobody although it does not settle either.
func TestNoContainer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start = 1
	p := newSeller(t, b.ledger, 2)
	p.stuck = true
	b.open()
	came := make(chan *Lease, 1)
	go func() {
		defer close(came)
		if err := b.market.Acquire(b.context(30*time.Second), b.request(1), func(l *Lease) { came <- l }); err != nil {
			t.Error(err)
		}
	}()
	b.until(20*time.Second, "a channel", func() bool { return len(p.funded()) > 0 })
	other := newSeller(t, b.ledger, 3) // comes when the first one is taken
	l := <-came
	if l == nil {
		t.Fatal("no container")
	}
	if l.Provider() != other.key.Address() {
		t.Errorf("a container of %s", l.Provider().Short())
	}
	sold := p.funded()
	if len(sold) != 1 {
		t.Fatalf("%d channels with the provider that does nothing", len(sold))
	}
	id := sold[0].snapshot().Record.Contract.ID()
	if kept := b.journal.lease(id); !kept.State.Live() || !strings.Contains(kept.Reason, "does not get on") {
		t.Errorf("the other lease is %s: %q", kept.State, kept.Reason)
	}
	if err := l.Close(b.context(20*time.Second), "done"); err != nil {
		t.Fatal(err)
	}
	b.settled(l.ID())
}
