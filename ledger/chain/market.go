package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

func shapeAnnounce(b *Body, p Params) error {
	a := b.Announce
	switch {
	case len(a.Body) == 0 || len(a.Body) > int(p.MaxAnnouncement):
		return fmt.Errorf("%w: announcement of %d bytes, want 1 to %d", ErrLimit, len(a.Body), p.MaxAnnouncement)
	case a.LifetimeSeconds == 0 || a.LifetimeSeconds > p.MaxAnnouncementSeconds:
		return fmt.Errorf("%w: lifetime of %d seconds, want 1 to %d", ErrTime, a.LifetimeSeconds, p.MaxAnnouncementSeconds)
	}
	return nil
}

func checkAnnounce(s *State, b *Body) error {
	if most := s.genesis.Params.MaxAnnouncements; s.Account(b.From).Announcements >= most {
		return fmt.Errorf("%w: %s has %d announcements", ErrLimit, b.From.Short(), most)
	}
	return nil
}

func applyAnnounce(s *State, b *Body) {
	a := Announcement{ID: b.ID(), From: b.From, Body: b.Announce.Body,
		Expiry: s.now() + int64(b.Announce.LifetimeSeconds), Height: s.height()}
	acc := s.Account(a.From)
	acc.Announcements++
	s.put(AccountKey(a.From), acc)
	s.put(AnnouncementKey(a.ID), a)
	s.expireAt(a.Expiry, expireAnnouncement, a.ID)
}

func checkWithdraw(s *State, b *Body) error {
	a, ok := s.Announcement(b.Withdraw.Announcement)
	if !ok {
		return fmt.Errorf("%w: announcement %s", ErrNotFound, b.Withdraw.Announcement.Short())
	}
	if a.From != b.From {
		return fmt.Errorf("%w: announcement %s is %s's", ErrOwner, a.ID.Short(), a.From.Short())
	}
	return nil
}

func applyWithdraw(s *State, b *Body) {
	a, _ := s.Announcement(b.Withdraw.Announcement)
	s.kv.Delete(expiryKey(a.Expiry, expireAnnouncement, a.ID))
	s.dropAnnouncement(a.ID)
}

func (s *State) dropAnnouncement(id types.Hash) {
	a, ok := s.Announcement(id)
	if !ok {
		s.fail(fmt.Errorf("%w: announcement %s ends but is not there", ErrInvariant, id))
		return
	}
	acc := s.Account(a.From)
	acc.Announcements--
	s.put(AccountKey(a.From), acc)
	s.kv.Delete(AnnouncementKey(id))
}

func shapeReceipt(b *Body, _ Params) error {
	switch v := b.Receipt.Verdict; v {
	case VerdictOK, VerdictLost, VerdictDispute, VerdictMismatch:
		return nil
	default:
		return fmt.Errorf("%w: verdict %q", ErrTx, string(v))
	}
}

func checkReceipt(s *State, b *Body) error {
	left, ok := s.Settlement(b.Receipt.Channel)
	now, most := s.now(), s.genesis.Params.MaxReceiptSeconds
	switch expiry := b.Receipt.Expiry; {
	case !ok:
		return fmt.Errorf("%w: closed channel %s without a receipt", ErrNotFound, b.Receipt.Channel.Short())
	case left.Payer != b.From:
		return fmt.Errorf("%w: channel %s was paid by %s", ErrOwner, left.Channel.Short(), left.Payer.Short())
	case expiry <= now || expiry > now+most:
		return fmt.Errorf("%w: expiry %d is not within %d and %d", ErrTime, expiry, now+1, now+most)
	}
	return nil
}

// applyReceipt puts the receipt in the settlement's place, so that there is one
// for each channel, once.
func applyReceipt(s *State, b *Body) {
	left, _ := s.Settlement(b.Receipt.Channel)
	s.kv.Delete(expiryKey(left.Until, expireSettlement, left.Channel))
	s.kv.Delete(SettlementKey(left.Channel))
	s.put(ReceiptKey(left.Channel), ReceiptRecord{Receipt: *b.Receipt,
		Payer: left.Payer, Payee: left.Payee, Claim: left.Claim, Height: s.height()})
	s.expireAt(b.Receipt.Expiry, expireReceipt, left.Channel)
}
