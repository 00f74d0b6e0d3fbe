package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// LeaseState is where a lease stands, as the publisher knows it.
type LeaseState string

// The states of a lease. The first four are live: money may still move.
const (
	LeaseOpening LeaseState = "opening" // OPEN is signed, not known to be final
	LeaseActive  LeaseState = "active"  // the channel is open
	LeaseClosing LeaseState = "closing" // BYE was sent, the provider's CLOSE is awaited
	LeaseLost    LeaseState = "lost"    // declared lost (PROTOCOL.md 1.11); its channel is not settled
	LeaseSettled LeaseState = "settled" // closed or refunded on the ledger
	LeaseFailed  LeaseState = "failed"  // its channel was never opened
)

// Live reports whether the lease's channel may still hold money.
func (s LeaseState) Live() bool { return s != LeaseSettled && s != LeaseFailed }

// Lease is the publisher's record of one lease: contract, channel, payments.
type Lease struct {
	ID       types.Hash // the contract's hash
	Job      string
	Provider types.Address
	Contract protocol.Contract
	Sig      types.Signature // the provider's, over the contract
	State    LeaseState
	Channel  types.Hash
	// OpenTx is the signed OPEN, encoded: what is broadcast again after a restart.
	OpenTx []byte
	// TopUpTx is the signed TOP-UP that is not known to be final, encoded; nil if none.
	TopUpTx []byte
	// Record is what the lease's machine goes on from after a restart, encoded by
	// its owner (jobrunner/lease).
	Record   []byte
	Deposit  types.Amount // nXEN locked in all, top-ups included
	Fees     types.Amount // nXEN of fees for OPEN with the prepaid CLOSE, TOP-UPs, the receipt
	Programs map[string]string
	// LastUsage and LastPaid are the newest report and payment. SavePayment alone
	// writes them; SaveLease leaves them as they are.
	LastUsage *protocol.UsageReport
	LastPaid  *protocol.Paid
	// CloseTx, CloseHeight and Claim tell the settlement, once it is final.
	CloseTx     types.Hash
	CloseHeight int64
	Claim       types.Amount
	Verdict     chain.Verdict
	Reason      string // why it ended, one sentence
	ReceiptTx   types.Hash
	ReceiptOver bool // the receipt is on the ledger, or cannot get there any more
	Opened      time.Time
	Closed      time.Time
}

// Paid is the sum of the best voucher, nXEN.
func (l Lease) Paid() types.Amount {
	if l.LastPaid == nil {
		return 0
	}
	return l.LastPaid.Voucher.Amount
}

// Cost is what the lease counts against a budget: its claim once settled, else
// the whole deposit, and the fees (nXEN).
func (l Lease) Cost() types.Amount {
	switch {
	case l.State == LeaseSettled:
		return l.Claim + l.Fees
	case l.State == LeaseFailed:
		return l.Fees
	}
	return l.Deposit + l.Fees
}

// SaveLease stores a lease, replacing the record of its ID but for LastUsage and
// LastPaid. It is durable when it returns.
func (j *Journal) SaveLease(l Lease) error {
	programs, err := json.Marshal(l.Programs)
	if err != nil {
		return fmt.Errorf("store lease: %w", err)
	}
	args := []any{l.ID[:], l.Job, l.Provider[:], types.Encode(l.Contract), l.Sig[:], string(l.State), l.Channel[:],
		l.OpenTx, l.TopUpTx, l.Record, int64(l.Deposit), int64(l.Fees), string(programs), l.CloseTx[:], l.CloseHeight, int64(l.Claim),
		string(l.Verdict), bounded(l.Reason), l.ReceiptTx[:], l.ReceiptOver, stamp(l.Opened), stamp(l.Closed)}
	return j.do("lease", true, func(tx *txn) error {
		return tx.exec(`INSERT INTO leases (id, job, provider, contract, sig, state, channel, open_tx, topup_tx, record, deposit, fees,
			programs, close_tx, close_height, claim, verdict, reason, receipt_tx, receipt_over, opened, closed)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
			ON CONFLICT (id) DO UPDATE SET job=excluded.job, provider=excluded.provider, contract=excluded.contract, sig=excluded.sig,
			state=excluded.state, channel=excluded.channel, open_tx=excluded.open_tx, topup_tx=excluded.topup_tx, record=excluded.record,
			deposit=excluded.deposit, fees=excluded.fees, programs=excluded.programs, close_tx=excluded.close_tx,
			close_height=excluded.close_height, claim=excluded.claim, verdict=excluded.verdict, reason=excluded.reason,
			receipt_tx=excluded.receipt_tx, receipt_over=excluded.receipt_over, opened=excluded.opened, closed=excluded.closed`, args...)
	})
}

// keptPayments is how many reports and payments of a lease are kept, newest first.
const keptPayments = 64

// SavePayment stores a lease's newest usage report, its newest payment, or both
// (nil leaves what is there). It is durable when it returns: vouchers are stored
// before they are sent (PROTOCOL.md 1.12). A report or voucher older than the
// stored one, or a voucher above the deposit, is ErrOrder.
func (j *Journal) SavePayment(lease types.Hash, report *protocol.UsageReport, paid *protocol.Paid) error {
	return j.do("payment", true, func(tx *txn) error {
		var oldReport, oldPaid []byte
		var deposit int64
		err := tx.row(`SELECT last_usage, last_paid, deposit FROM leases WHERE id=?`, lease[:]).Scan(&oldReport, &oldPaid, &deposit)
		if errors.Is(err, errNoRows) {
			return fmt.Errorf("%w: lease %s", ErrNotFound, lease.Short())
		}
		if err != nil {
			return err
		}
		if report != nil {
			if last, err := decodeReport(oldReport); err != nil {
				return err
			} else if last != nil && report.Seq < last.Seq {
				return fmt.Errorf("%w: usage report %d after %d", ErrOrder, report.Seq, last.Seq)
			}
			data := types.Encode(report)
			if err := tx.exec(`UPDATE leases SET last_usage=? WHERE id=?`, data, lease[:]); err != nil {
				return err
			}
			if err := tx.exec(`INSERT OR REPLACE INTO payments (lease, kind, seq, data) VALUES (?,'usage',?,?)`, lease[:], int64(report.Seq), data); err != nil {
				return err
			}
			if err := tx.exec(`DELETE FROM payments WHERE lease=? AND kind='usage' AND seq<=?`, lease[:], int64(report.Seq)-keptPayments); err != nil {
				return err
			}
		}
		if paid == nil {
			return nil
		}
		last, err := decodePaid(oldPaid)
		if err != nil {
			return err
		}
		v := paid.Voucher
		if last != nil && (v.Amount < last.Voucher.Amount || v.Seq < last.Voucher.Seq) {
			return fmt.Errorf("%w: voucher %d of %d nXEN after %d of %d", ErrOrder, v.Seq, v.Amount, last.Voucher.Seq, last.Voucher.Amount)
		}
		if int64(v.Amount) > deposit {
			return fmt.Errorf("%w: voucher of %d nXEN exceeds the deposit of %d", ErrOrder, v.Amount, deposit)
		}
		data := types.Encode(paid)
		if err := tx.exec(`UPDATE leases SET last_paid=? WHERE id=?`, data, lease[:]); err != nil {
			return err
		}
		if err := tx.exec(`INSERT OR REPLACE INTO payments (lease, kind, seq, data) VALUES (?,'paid',?,?)`, lease[:], int64(v.Seq), data); err != nil {
			return err
		}
		return tx.exec(`DELETE FROM payments WHERE lease=? AND kind='paid' AND seq<=?`, lease[:], int64(v.Seq)-keptPayments)
	})
}

const leaseColumns = `id, job, provider, contract, sig, state, channel, open_tx, topup_tx, record, deposit, fees, programs,
	last_usage, last_paid, close_tx, close_height, claim, verdict, reason, receipt_tx, receipt_over, opened, closed`

// Leases lists the leases of a job, or of all jobs where job is "", in the order
// of their opening; only those that may still hold money where liveOnly is set.
func (j *Journal) Leases(job string, liveOnly bool) ([]Lease, error) {
	query := `SELECT ` + leaseColumns + ` FROM leases WHERE (?1='' OR job=?1)`
	if liveOnly {
		query += ` AND state NOT IN ('settled','failed')`
	}
	return j.leases(query+` ORDER BY opened, id`, job)
}

// Unreceipted lists the settled leases whose receipts are not known to be on the
// ledger.
func (j *Journal) Unreceipted() ([]Lease, error) {
	return j.leases(`SELECT ` + leaseColumns + ` FROM leases WHERE state='settled' AND receipt_over=0 ORDER BY closed, id`)
}

func (j *Journal) leases(query string, args ...any) ([]Lease, error) {
	rows, err := j.read.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	defer rows.Close()
	var out []Lease
	for rows.Next() {
		l, err := scanLease(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// Lease reads one lease, or returns ErrNotFound.
func (j *Journal) Lease(id types.Hash) (Lease, error) {
	l, err := scanLease(j.read.QueryRow(`SELECT `+leaseColumns+` FROM leases WHERE id=?`, id[:]))
	if errors.Is(err, errNoRows) {
		return l, fmt.Errorf("%w: lease %s", ErrNotFound, id.Short())
	}
	return l, err
}

func scanLease(row interface{ Scan(...any) error }) (Lease, error) {
	var l Lease
	var id, provider, contract, sig, channel, usage, paid, closeTx, receiptTx []byte
	var state, programs, verdict string
	var deposit, fees, claim, opened, closed int64
	if err := row.Scan(&id, &l.Job, &provider, &contract, &sig, &state, &channel, &l.OpenTx, &l.TopUpTx, &l.Record, &deposit, &fees,
		&programs, &usage, &paid, &closeTx, &l.CloseHeight, &claim, &verdict, &l.Reason, &receiptTx, &l.ReceiptOver, &opened, &closed); err != nil {
		return l, err
	}
	copy(l.ID[:], id)
	copy(l.Provider[:], provider)
	copy(l.Sig[:], sig)
	copy(l.Channel[:], channel)
	copy(l.CloseTx[:], closeTx)
	copy(l.ReceiptTx[:], receiptTx)
	l.State, l.Verdict = LeaseState(state), chain.Verdict(verdict)
	l.Deposit, l.Fees, l.Claim = types.Amount(deposit), types.Amount(fees), types.Amount(claim)
	l.Opened, l.Closed = unstamp(opened), unstamp(closed)
	if err := types.Decode(contract, &l.Contract); err != nil {
		return l, fmt.Errorf("lease %s: contract: %w", l.ID.Short(), err)
	}
	if err := json.Unmarshal([]byte(programs), &l.Programs); err != nil {
		return l, fmt.Errorf("lease %s: programs: %w", l.ID.Short(), err)
	}
	var err error
	if l.LastUsage, err = decodeReport(usage); err != nil {
		return l, fmt.Errorf("lease %s: %w", l.ID.Short(), err)
	}
	if l.LastPaid, err = decodePaid(paid); err != nil {
		return l, fmt.Errorf("lease %s: %w", l.ID.Short(), err)
	}
	return l, nil
}

func decodeReport(data []byte) (*protocol.UsageReport, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var r protocol.UsageReport
	if err := types.Decode(data, &r); err != nil {
		return nil, fmt.Errorf("stored usage report: %w", err)
	}
	return &r, nil
}

func decodePaid(data []byte) (*protocol.Paid, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var p protocol.Paid
	if err := types.Decode(data, &p); err != nil {
		return nil, fmt.Errorf("stored payment: %w", err)
	}
	return &p, nil
}
