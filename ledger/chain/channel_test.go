package chain

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// The money of one channel, to the last nXEN (PROTOCOL.md 3.1, 3.3, 3.5).
func TestChannelMoney(t *testing.T) {
	w := newWorld(t)
	prepaid := CloseFee(w.Params())
	alice, bob := w.Account(addr("alice")).Balance, w.Account(addr("bob")).Balance

	nonce := w.Account(addr("alice")).Nonce
	opened := w.do("alice", Body{Open: &Open{Payee: addr("bob"), Contract: types.Hash{7}, Deposit: 100, Expiry: w.Time() + 3600}})
	id := ChannelID(w.Ledger(), addr("alice"), nonce)
	c, ok := w.Channel(id)
	want := Channel{ID: id, Payer: addr("alice"), Payee: addr("bob"), Contract: types.Hash{7}, Deposit: 100,
		Expiry: startTime + 3600, Height: 1, Time: startTime + 1, ClosePrepaid: prepaid}
	if !ok || c != want {
		t.Fatal(cmp.Diff(want, c))
	}
	if got := c.Proven(w.Ledger()); got != (channel.Proven{Ledger: w.Ledger(), ID: id, Payer: c.Payer, Payee: c.Payee,
		Contract: c.Contract, Deposit: c.Deposit, Expiry: c.Expiry}) {
		t.Errorf("proven %+v", got)
	}
	if got := w.Account(addr("alice")).Balance; got != alice-100-opened.Fee {
		t.Errorf("alice has %d after OPEN, want %d − 100 − %d", got, alice, opened.Fee)
	}
	if s := w.Supply(); s.Deposits != 100 || s.PrepaidFees != prepaid {
		t.Errorf("%+v after OPEN", s)
	}

	topped := w.do("alice", Body{TopUp: &TopUp{Channel: id, Amount: 50}})
	if s := w.Supply(); s.Deposits != 150 || s.PrepaidFees != prepaid {
		t.Errorf("%+v after TOP-UP", s)
	}

	burned, d0 := w.Supply().Burned, w.Account(addr("d0")).Balance
	closed := w.do("bob", Body{Close: &Close{Channel: id, Claim: 120, Voucher: w.voucher(c, 130)}})
	if closed.Fee != 0 {
		t.Errorf("CLOSE costs its signer %d", closed.Fee)
	}
	if got := w.Account(addr("bob")); got.Balance != bob+120 || got.Nonce != 0 {
		t.Errorf("bob has %+v, want %d and 120", got, bob)
	}
	if got := w.Account(addr("alice")).Balance; got != alice-opened.Fee-topped.Fee-120 {
		t.Errorf("alice has %d after CLOSE", got)
	}
	if s := w.Supply(); s.Deposits != 0 || s.PrepaidFees != 0 || s.Burned != burned+prepaid-prepaid/10 {
		t.Errorf("%+v after CLOSE", s)
	}
	if got := w.Account(addr("d0")).Balance; got != d0+prepaid/10 {
		t.Errorf("the producer gets %d of the prepaid %d", got-d0, prepaid)
	}
	if _, ok := w.Channel(id); ok {
		t.Error("a closed channel is in the state")
	}
	left, ok := w.Settlement(id)
	if want := (Settlement{Channel: id, Payer: addr("alice"), Payee: addr("bob"), Contract: types.Hash{7}, Deposit: 150,
		Claim: 120, Height: 3, Until: w.Time() + w.Params().ReceiptSeconds}); !ok || left != want {
		t.Error(cmp.Diff(want, left))
	}

	expiry := w.Time() + 10
	w.do("alice", Body{Receipt: &Receipt{Channel: id, Lease: types.Hash{8}, Verdict: VerdictOK, Expiry: expiry}})
	if _, ok := w.Settlement(id); ok {
		t.Error("the settlement stays beside its receipt")
	}
	r, ok := w.Receipt(id)
	if want := (ReceiptRecord{Receipt: Receipt{id, types.Hash{8}, VerdictOK, expiry}, Payer: addr("alice"), Payee: addr("bob"), Claim: 120, Height: 4}); !ok || r != want {
		t.Error(cmp.Diff(want, r))
	}
	w.begin(expiry - w.Time() - 1)
	if _, ok := w.Receipt(id); !ok {
		t.Error("the receipt is gone before its expiry")
	}
	w.end()
	w.pass(1)
	if _, ok := w.Receipt(id); ok {
		t.Error("the receipt outlives its expiry")
	}
}

// A provider with an empty account can always close (3.1), also one without any.
func TestCloseIntoEmptyAccount(t *testing.T) {
	w := newWorld(t)
	w.do("alice", Body{Open: &Open{Payee: addr("new"), Deposit: 100, Expiry: w.Time() + 60}})
	c := w.only()
	w.do("new", Body{Close: &Close{Channel: c.ID, Claim: 5, Voucher: w.voucher(c, 5)}})
	if got := w.Account(addr("new")).Balance; got != 5 {
		t.Errorf("it has %d, want 5", got)
	}
	// What is below the minimum cannot be spent, and counts once there is more.
	b := w.body("new", Body{Vote: &Vote{}})
	tx := b.Sign(newKey("new"), w.Ledger())
	if err := w.Validate(&tx); !errors.Is(err, ErrBalance) {
		t.Errorf("5 nXEN are spent: %v", err)
	}
	w.do("alice", Body{Transfer: &Transfer{To: addr("new"), Amount: w.Params().MinBalance - 5 + b.Fee}})
	w.do("new", Body{Vote: &Vote{}})
}

func TestRefundMoney(t *testing.T) {
	w := newWorld(t)
	c := w.open()
	alice := w.Account(addr("alice")).Balance
	w.begin(5000)
	w.end()
	w.pass(2)
	w.do("alice", Body{Refund: &Refund{Channel: c.ID}})
	if got := w.Account(addr("alice")).Balance; got != alice+c.Deposit {
		t.Errorf("alice has %d, want %d and the deposit %d", got, alice, c.Deposit)
	}
	if left, ok := w.Settlement(c.ID); !ok || !left.Refund || left.Claim != 0 {
		t.Errorf("settlement %+v", left)
	}
	// A lost lease gets its receipt too.
	w.do("alice", Body{Receipt: &Receipt{Channel: c.ID, Verdict: VerdictLost, Expiry: w.Time() + 60}})
}

// REFUND in block h only if the header of h − RefundDepth had time ≥ expiry (3.3).
func TestRefundLooksBack(t *testing.T) {
	for depth := uint32(1); depth <= 20; depth++ {
		w := newWorld(t, func(g *Genesis) { g.Params.RefundDepth = depth })
		w.pass(int(depth))
		c := w.open()
		tx := w.tx("alice", Body{Refund: &Refund{Channel: c.ID}})
		w.begin(c.Expiry - w.Time() - 1) // one second before
		w.end()
		w.pass(1) // at expiry
		reached := w.Height()
		for w.Height()+1 < reached+int64(depth) {
			if err := w.Validate(&tx); !errors.Is(err, ErrTime) {
				t.Fatalf("depth %d: %d blocks after the header at expiry: %v", depth, w.Height()+1-reached, err)
			}
			w.begin(1000)
			if r := w.Apply(&tx); r.Code != CodeRejected {
				t.Fatalf("depth %d: refund %d blocks after the header at expiry", depth, w.Height()-reached)
			}
			w.end()
			w.reload()
		}
		if err := w.Validate(&tx); err != nil {
			t.Fatalf("depth %d: %v", depth, err)
		}
		w.do("alice", tx.Body)
	}
}

// On a young chain there is no header that far back.
func TestNoRefundOnAYoungChain(t *testing.T) {
	w := newWorld(t, func(g *Genesis) { g.Params.RefundDepth = 10 })
	w.do("alice", Body{Open: &Open{Payee: addr("bob"), Deposit: 100, Expiry: w.Time() + 2}})
	tx := w.tx("alice", Body{Refund: &Refund{Channel: w.only().ID}})
	for w.Height() < 11 {
		if err := w.Validate(&tx); !errors.Is(err, ErrTime) {
			t.Fatalf("height %d: %v", w.Height(), err)
		}
		w.pass(1)
	}
	w.pass(1)
	w.do("alice", tx.Body)
}

// Of CLOSE and REFUND after expiry, the first one settles.
func TestCloseAndRefundRace(t *testing.T) {
	for _, first := range []string{"close", "refund"} {
		w := newWorld(t)
		c := w.open()
		w.begin(5000)
		w.end()
		w.pass(2)
		w.begin(1)
		closing := w.tx("bob", Body{Close: &Close{Channel: c.ID, Claim: 9, Voucher: w.voucher(c, 9)}})
		refund := w.tx("alice", Body{Refund: &Refund{Channel: c.ID}})
		order := []*Tx{&closing, &refund}
		if first == "refund" {
			order = []*Tx{&refund, &closing}
		}
		if r := w.Apply(order[0]); r.Code != CodeOK {
			t.Errorf("%s first: %+v", first, r)
		}
		if r := w.Apply(order[1]); r.Code != CodeRejected {
			t.Errorf("after %s: %+v", first, r)
		}
		w.end()
	}
}

func TestAnnouncementLife(t *testing.T) {
	w := newWorld(t)
	tx := w.tx("alice", Body{Announce: &Announce{Body: []byte("wanted"), LifetimeSeconds: 10}})
	w.do("alice", tx.Body)
	want := Announcement{ID: tx.ID(), From: addr("alice"), Body: []byte("wanted"), Expiry: w.Time() + 10, Height: 1}
	got, ok := w.Announcement(tx.ID())
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Announcement{want}, w.Announcements()); diff != "" {
		t.Error(diff)
	}
	w.pass(9)
	if _, ok := w.Announcement(tx.ID()); !ok {
		t.Error("gone a second before its expiry")
	}
	w.pass(1)
	if _, ok := w.Announcement(tx.ID()); ok || len(w.Announcements()) != 0 || w.Account(addr("alice")).Announcements != 0 {
		t.Error("still there at its expiry")
	}
}
