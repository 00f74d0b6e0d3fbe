package agent

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

func record(n byte, phase contract.Phase) contract.ProviderRecord {
	return contract.ProviderRecord{Phase: phase, Claim: types.Amount(n), Announcement: types.Hash{n, 1}, Usage: pricing.Usage{},
		Contract: protocol.Contract{Nonce: [16]byte{n}, Spec: testSpec(), Terms: protocol.Terms{Rates: testRates}}}
}

func TestStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agent.db")
	s, err := openStore(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range byte(40) {
		wg.Go(func() {
			if err := s.save(record(n, contract.Channel), []string{"/ip4/1.2.3.4/tcp/5"}, true); err != nil {
				t.Error(err)
			}
			if n%2 == 0 {
				if err := s.save(record(n, contract.Closed), nil, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.save(record(3, contract.Channel), nil, true); !errors.Is(err, ErrDuplicate) {
		t.Errorf("got %v, want ErrDuplicate", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if err := s.save(record(99, contract.Channel), nil, true); !errors.Is(err, ErrStore) {
		t.Errorf("got %v, want ErrStore", err)
	}
	if s, err = openStore(path); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	live, err := s.live()
	if err != nil || len(live) != 20 {
		t.Fatalf("%d live leases (%v)", len(live), err)
	}
	for _, l := range live {
		n := l.rec.Contract.Nonce[0]
		if diff := cmp.Diff(record(n, contract.Channel), l.rec); diff != "" || l.addrs[0] != "/ip4/1.2.3.4/tcp/5" {
			t.Errorf("addrs %v, %s", l.addrs, diff)
		}
	}
	if old, err := s.ended(5); err != nil || len(old) != 5 {
		t.Errorf("%d ended leases (%v)", len(old), err)
	}
	if n, earned, err := s.totals(); err != nil || n != 20 || earned != 380 {
		t.Errorf("%d settled for %d (%v), want 20 for 380", n, earned, err)
	}
	if all, err := s.answered(); err != nil || len(all) != 40 {
		t.Errorf("%d announcements were answered (%v)", len(all), err)
	}
}

// The oldest ended leases are forgotten, their sum is not.
func TestStorePrunes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agent.db")
	s, err := openStore(path)
	if err != nil {
		t.Fatal(err)
	}
	const n = maxEnded + 50
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			rec := record(1, contract.Closed)
			rec.Contract.Nonce = [16]byte{byte(i), byte(i >> 8)}
			if err := s.save(rec, nil, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 2 {
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if s, err = openStore(path); err != nil {
			t.Fatal(err)
		}
	}
	defer s.close()
	if old, err := s.ended(10 * maxEnded); err != nil || len(old) != maxEnded {
		t.Errorf("%d are kept (%v)", len(old), err)
	}
	if settled, earned, err := s.totals(); err != nil || settled != n || earned != n {
		t.Errorf("%d settled for %d (%v), want %d", settled, earned, err, n)
	}
}

// Where a record cannot be stored, the agent stops: nothing is sent that it would
// forget, the container is frozen, and the next start goes on.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	w, _, l := leased(t)
	w.paid(l)
	if _, err := w.agent.store.db.Exec(`CREATE TRIGGER broken BEFORE INSERT ON lease BEGIN SELECT RAISE(ABORT, 'disk is full'); END`); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-w.done:
		if !errors.Is(err, ErrStore) {
			t.Fatalf("got %v, want ErrStore", err)
		}
		w.done <- err
	case <-t.Context().Done():
		t.Fatal("it goes on")
	}
	until(t, "freezing", func() bool {
		b := w.rt.box(l.snapshot().Record.Contract.ID().String())
		w.rt.mu.Lock()
		defer w.rt.mu.Unlock()
		return b.frozen
	})
	if _, err := w.agent.store.db.Exec(`DROP TRIGGER broken`); err != nil {
		t.Fatal(err)
	}
	w.stop(false)
	w.start()
	w.paid(l)
	l.leave("done")
	if s := w.checkSettled(l); s.Bill != s.Paid {
		t.Errorf("bill %d, paid %d", s.Bill, s.Paid)
	}
}
