package contract

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// Check returns ErrInvariant where a state breaks a rule of PROTOCOL.md 1.9,
// 1.12, 1.13, 2.6 or 3.5. Tests call it after every step. Signatures are not
// verified again: what is in a record was when it came.
func (m Provider) Check(s ProviderState) error {
	rec, t := s.Record, s.Record.Contract.Terms
	bill, err := t.Rates.Bill(rec.Usage)
	switch {
	case err != nil:
		return broken("usage has no bill: %v", err)
	case bill != s.Bill:
		return broken("bill is %s, the rates make %s", s.Bill, bill)
	case s.Best() > rec.Deposit:
		return broken("voucher %s exceeds the deposit %s", s.Best(), rec.Deposit)
	case rec.Report != nil && rec.Report.Bill > s.Bill:
		return broken("reported %s of a bill of %s", rec.Report.Bill, s.Bill)
	case s.Phase == Closing && s.claimAt == 0 && rec.Claim > s.Best():
		return broken("claim %s exceeds the voucher %s", rec.Claim, s.Best())
	case Prepaid(t) && rec.Claim > s.Bill && s.Phase == Closing:
		return broken("claim %s exceeds the bill %s", rec.Claim, s.Bill)
	case s.Phase == Active && s.Frozen:
		return broken("active and frozen")
	case s.Phase == Active && !s.Linked:
		return broken("active without a link")
	}
	if (s.Phase == Active || s.Phase == Suspended) && !s.Frozen {
		if most := saturate(s.Best().Add(Exposure(t))); s.Bill > most {
			return broken("bill %s runs beyond voucher and exposure, %s", s.Bill, most)
		}
	}
	if err := checkPaid(rec.Paid, rec.Channel); err != nil {
		return err
	}
	return checkReport(rec.Report, t.Rates, rec.Channel)
}

// Check returns ErrInvariant where a state breaks a rule of PROTOCOL.md 1.9,
// 1.12, 1.13, 2.6 or 3.5. Tests call it after every step, with the step's time. Signatures are
// not verified again: what is in a record was when it came.
func (m Publisher) Check(s PublisherState, now int64) error {
	rec, t := s.Record, s.Record.Contract.Terms
	if s.Paid() > rec.Deposit {
		return broken("voucher %s exceeds the deposit %s", s.Paid(), rec.Deposit)
	}
	if most := Cap(t, now-rec.FinalAt); rec.FinalAt != 0 && s.Paid() > most {
		return broken("voucher %s exceeds the cap %s", s.Paid(), most)
	}
	if s.Phase == Closed && !rec.Refunded && rec.Claim > s.Paid() {
		return broken("claim %s exceeds the voucher %s", rec.Claim, s.Paid())
	}
	if p := rec.Paid; p != nil {
		bill, err := t.Rates.Bill(p.Agreed)
		if err != nil {
			return broken("agreed counters have no bill: %v", err)
		}
		if !Prepaid(t) && p.Voucher.Amount > bill {
			return broken("voucher %s exceeds the agreed bill %s", p.Voucher.Amount, bill)
		}
		if rec.Report != nil && bill > rec.Report.Bill {
			return broken("agreed to %s of a bill of %s", bill, rec.Report.Bill)
		}
	}
	if err := checkPaid(rec.Paid, rec.Channel); err != nil {
		return err
	}
	return checkReport(rec.Report, t.Rates, rec.Channel)
}

func checkPaid(p *protocol.Paid, channel types.Hash) error {
	if p == nil {
		return nil
	}
	if p.Voucher.Channel != channel {
		return broken("voucher of another channel")
	}
	if p.Voucher.UsageHash != protocol.AgreedHash(p.Agreed) {
		return broken("voucher for other counters than agreed")
	}
	return nil
}

func checkReport(u *protocol.UsageReport, rates pricing.Rates, channel types.Hash) error {
	if u == nil {
		return nil
	}
	if u.Channel != channel {
		return broken("report of another channel")
	}
	if bill, err := rates.Bill(u.Usage); err != nil || bill != u.Bill {
		return broken("reported bill %s, the rates make %s (%v)", u.Bill, bill, err)
	}
	return nil
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvariant, fmt.Sprintf(format, args...))
}
