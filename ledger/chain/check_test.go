package chain

import (
	"errors"
	"testing"

	"github.com/zennet/zennet/ledger/types"
)

// Check finds each kind of damage.
func TestCheckFinds(t *testing.T) {
	change := func(w *world, key []byte, record any) { w.kv.Set(key, types.Encode(record)) }
	for name, c := range map[string]struct {
		damage func(w *world)
		want   error
	}{
		"nothing": {func(w *world) {}, nil},
		"money from nowhere": {func(w *world) {
			acc := w.Account(addr("alice"))
			acc.Balance++
			change(w, AccountKey(addr("alice")), acc)
		}, ErrInvariant},
		"account lost": {func(w *world) { w.kv.Delete(AccountKey(addr("carol"))) }, ErrInvariant},
		"deposit changed": {func(w *world) {
			c := w.only()
			c.Deposit--
			change(w, ChannelKey(c.ID), c)
		}, ErrInvariant},
		"prepaid fee changed": {func(w *world) {
			c := w.only()
			c.ClosePrepaid++
			change(w, ChannelKey(c.ID), c)
		}, ErrInvariant},
		"bond changed": {func(w *world) {
			d := w.delegate("d1")
			d.Bond++
			change(w, DelegateKey(d.Address), d)
		}, ErrInvariant},
		"banned with a bond": {func(w *world) {
			d := w.delegate("d1")
			d.Banned = true
			change(w, DelegateKey(d.Address), d)
		}, ErrInvariant},
		"sums agree with each other only": {func(w *world) {
			acc := w.Account(addr("alice"))
			acc.Balance++
			w.head.Supply.Balances++
			change(w, AccountKey(addr("alice")), acc)
		}, ErrInvariant},
		"sum overflows":       {func(w *world) { change(w, AccountKey(addr("carol")), Account{Balance: 1<<64 - 1}) }, ErrInvariant},
		"burned is forgotten": {func(w *world) { w.head.Supply.Burned-- }, ErrInvariant},
		"announcement lost":   {func(w *world) { w.kv.Delete(AnnouncementKey(w.Announcements()[0].ID)) }, ErrInvariant},
		"announcement not counted": {func(w *world) {
			acc := w.Account(addr("alice"))
			acc.Announcements++
			change(w, AccountKey(addr("alice")), acc)
		}, ErrInvariant},
		"expiry lost": {func(w *world) {
			a := w.Announcements()[0]
			w.kv.Delete(expiryKey(a.Expiry, expireAnnouncement, a.ID))
		}, ErrInvariant},
		"expiry of nothing":   {func(w *world) { w.expireAt(w.Time()+5, expireReceipt, types.Hash{9}) }, ErrInvariant},
		"nobody sits":         {func(w *world) { w.head.Set = nil }, ErrInvariant},
		"a stranger sits":     {func(w *world) { w.head.Next = []seat{{addr("alice"), consensusPub("d0")}} }, ErrInvariant},
		"with another's key":  {func(w *world) { w.head.Next = []seat{{addr("d1"), consensusPub("d0")}} }, ErrInvariant},
		"too many are jailed": {func(w *world) { w.head.Jails = []jail{{addr("d0"), 99}, {addr("d1"), 99}} }, ErrInvariant},
		"account is damaged":  {func(w *world) { w.kv.Set(AccountKey(addr("alice")), []byte("x")) }, ErrStore},
		"channel is damaged":  {func(w *world) { w.kv.Set(ChannelKey(w.only().ID), []byte("x")) }, ErrStore},
		"delegate is damaged": {func(w *world) { w.kv.Set(DelegateKey(addr("d1")), []byte("x")) }, ErrStore},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			w.announce(2)
			c.damage(w)
			if err := w.Check(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// A damaged record stops the node: nothing is applied to a state that is not
// that of the peers, and nothing panics.
func TestDamageStops(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"account":      func(w *world) { w.kv.Set(AccountKey(addr("alice")), []byte("x")) },
		"header":       func(w *world) { w.kv.Set(headerKey(w.height()-int64(w.Params().RefundDepth)), []byte{0xff}) },
		"vote":         func(w *world) { w.kv.Set(voteKey(addr("alice")), []byte{0xff}) },
		"empty vote":   func(w *world) { w.kv.Set(voteKey(addr("alice")), types.Encode(ballot{})) },
		"expiry":       func(w *world) { w.kv.Set(expiryKey(1, '?', types.Hash{}), []byte{1}) },
		"expired none": func(w *world) { w.kv.Set(expiryKey(1, expireAnnouncement, types.Hash{}), []byte{1}) },
	} {
		w := newWorld(t)
		w.pass(4)
		c := w.open()
		w.pass(3) // the next block takes a tally
		refund := w.tx("alice", Body{Refund: &Refund{Channel: c.ID}})
		transfer := w.tx("alice", Body{Transfer: &Transfer{To: addr("carol"), Amount: 5}})
		damage(w)
		w.BeginBlock(w.next())
		w.Apply(&refund)
		w.Apply(&transfer)
		w.EndBlock()
		if err := w.Err(); !errors.Is(err, ErrStore) && !errors.Is(err, ErrInvariant) {
			t.Errorf("%s: %v", name, err)
		}
		if err := w.Check(); err == nil {
			t.Errorf("%s: Check is content", name)
		}
		good := w.tx("bob", Body{Transfer: &Transfer{To: addr("carol"), Amount: 5}})
		if r := w.Apply(&good); r.Code != CodeRejected {
			t.Errorf("%s: goes on: %+v", name, r)
		}
	}
}
