package lease

import (
	"testing"
	"time"
)

// Short jobs, one after another, do not fill the account's places for announcements.
func TestManyAnnouncements(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open()
	for range 2 * b.ledger.state.Params().MaxAnnouncements {
		q, err := m.newRequest(b.request(1))
		if err != nil {
			t.Fatal(err)
		}
		id, err := q.announce(b.context(5 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		q.withdraw(id)
	}
	b.until(20*time.Second, "all but a few are withdrawn", func() bool {
		b.ledger.mu.Lock()
		defer b.ledger.mu.Unlock()
		return len(b.ledger.state.Announcements()) <= int(b.ledger.state.Params().MaxAnnouncements)/4
	})
}
