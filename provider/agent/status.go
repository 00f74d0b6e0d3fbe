package agent

import (
	"slices"
	"strings"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/protocol"
)

// Status is what an agent does, and has earned.
type Status struct {
	Address  types.Address `json:"address"`
	Capacity Capacity      `json:"capacity"`
	Used     Capacity      `json:"used"`
	Header   int64         `json:"header"` // newest final header, Unix seconds; 0 = none yet
	Leases   []LeaseStatus `json:"leases"` // not ended, oldest contract first
	Settled  int           `json:"settled"`
	Earned   types.Amount  `json:"earned_nxen"` // by all settled leases
}

// LeaseStatus is one lease as its provider sees it.
type LeaseStatus struct {
	Contract  types.Hash     `json:"contract"` // zero while it is negotiated
	Publisher types.Address  `json:"publisher"`
	Channel   types.Hash     `json:"channel"`
	Phase     contract.Phase `json:"phase"`
	Linked    bool           `json:"linked"`
	Frozen    bool           `json:"frozen"`
	Spec      protocol.Spec  `json:"spec"`
	MaxRate   types.Amount   `json:"max_rate_nxen"` // an hour
	Deposit   types.Amount   `json:"deposit_nxen"`
	Usage     pricing.Usage  `json:"usage"`
	Bill      types.Amount   `json:"bill_nxen"`
	Paid      types.Amount   `json:"paid_nxen"`  // by the best voucher
	Claim     types.Amount   `json:"claim_nxen"` // from closing on
	CloseTx   types.Hash     `json:"close_tx"`   // once settled
	Height    int64          `json:"height"`
	Reason    string         `json:"reason,omitempty"` // why it is suspended or ended
	Changed   time.Time      `json:"changed"`

	funded bool
}

// show takes the lease's state for Status.
func (a *Agent) show(l *lease) {
	s := describe(l.state.Record)
	s.Publisher, s.Spec, s.Phase = l.publisher, l.spec, l.state.Phase
	s.Linked, s.Frozen, s.Bill, s.funded = l.state.Linked, l.state.Frozen, l.state.Bill, l.funded
	if l.state.Reason != "" {
		s.Reason = l.state.Reason
	}
	if !l.saved {
		s.Contract = types.Hash{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if before, ok := a.leases[l]; ok {
		if s.Changed = before.Changed; before.Phase != s.Phase || before.Frozen != s.Frozen {
			s.Changed = time.Now()
		}
		a.leases[l] = s
	}
}

// describe is what a record says.
func describe(rec contract.ProviderRecord) LeaseStatus {
	s := LeaseStatus{Contract: rec.Contract.ID(), Publisher: rec.Contract.Publisher, Channel: rec.Channel, Phase: rec.Phase,
		Spec: rec.Contract.Spec, MaxRate: rec.Contract.Terms.MaxRate, Deposit: rec.Deposit, Usage: rec.Usage.Clone(),
		Claim: rec.Claim, CloseTx: rec.CloseTx, Height: rec.CloseHeight, Reason: rec.Reason}
	if rec.Paid != nil {
		s.Paid = rec.Paid.Voucher.Amount
	}
	if rec.Report != nil {
		s.Bill = rec.Report.Bill
	}
	return s
}

// Status is a snapshot.
func (a *Agent) Status() (Status, error) {
	out := Status{Address: a.cfg.Key.Address(), Capacity: a.pool.all, Used: a.pool.taken(), Header: a.header.Load()}
	a.mu.Lock()
	for _, s := range a.leases {
		out.Leases = append(out.Leases, s)
	}
	a.mu.Unlock()
	slices.SortFunc(out.Leases, func(a, b LeaseStatus) int {
		if c := a.Changed.Compare(b.Changed); c != 0 {
			return c
		}
		return strings.Compare(a.Contract.String(), b.Contract.String())
	})
	var err error
	out.Settled, out.Earned, err = a.store.totals()
	return out, err
}

// Past lists leases that have ended, newest first, at most n.
func (a *Agent) Past(n int) ([]LeaseStatus, error) {
	old, err := a.store.ended(n)
	if err != nil {
		return nil, err
	}
	out := make([]LeaseStatus, len(old))
	for i, s := range old {
		out[i] = describe(s.rec)
	}
	return out, nil
}
