package journal

import (
	"fmt"
	"time"

	"github.com/zennet/zennet/ledger/types"
)

// Fee is what a transaction that belongs to no lease costs its job: announcements
// and their withdrawals. It is stored before the transaction is sent, with all
// that it may cost, and again when that is known.
type Fee struct {
	Tx     types.Hash
	Job    string
	What   string // "announcement", for people
	Amount types.Amount
	At     time.Time // counts against the budget of runs that began before
}

// SaveFee stores a fee, replacing that of the same transaction. It is durable when
// it returns.
func (j *Journal) SaveFee(f Fee) error {
	return j.do("fee", true, func(tx *txn) error {
		return tx.exec(`INSERT INTO fees (tx, job, what, amount, at) VALUES (?,?,?,?,?)
			ON CONFLICT (tx) DO UPDATE SET amount=excluded.amount`, f.Tx[:], f.Job, f.What, int64(f.Amount), stamp(f.At))
	})
}

// Fees is the sum of a job's fees outside its leases since a time, nXEN.
func (j *Journal) Fees(job string, since time.Time) (types.Amount, error) {
	var sum int64
	err := j.read.QueryRow(`SELECT COALESCE(SUM(amount), 0) FROM fees WHERE job=? AND at>=?`, job, stamp(since)).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("read fees: %w", err)
	}
	return types.Amount(sum), nil
}

// Spent sums what a job cost since a time: claims of its leases where settled, best
// vouchers where not; and the fees of all its transactions (nXEN).
func (j *Journal) Spent(job string, since time.Time) (spent, fees types.Amount, err error) {
	leases, err := j.Leases(job, false)
	if err != nil {
		return 0, 0, err
	}
	if fees, err = j.Fees(job, since); err != nil {
		return 0, 0, err
	}
	for _, l := range leases {
		if !l.Opened.Before(since) {
			spent += l.spent()
			fees += l.Fees
		}
	}
	return spent, fees, nil
}

// spent is the claim of a settled lease, else its best voucher.
func (l Lease) spent() types.Amount {
	if l.State == LeaseSettled {
		return l.Claim
	}
	return l.Paid()
}
