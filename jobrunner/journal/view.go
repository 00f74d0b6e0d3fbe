package journal

import (
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
)

// Status is what `zennet-job status ID --json` prints: the contract with scripts
// (DESIGN.md). Sums are nXEN. SpentNXEN is what providers may claim or have
// claimed (best vouchers, settled claims); ledger fees stand apart.
type Status struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Kind       string       `json:"kind"`
	State      JobState     `json:"state"`
	Tasks      TaskCounts   `json:"tasks"`
	SpentNXEN  types.Amount `json:"spent_nxen"`
	FeesNXEN   types.Amount `json:"fees_nxen"`
	BudgetNXEN types.Amount `json:"budget_nxen"`
	// ETASeconds is the expected time to the end; nil while nobody can know.
	ETASeconds *float64  `json:"eta_s"`
	Slots      []Slot    `json:"slots"`
	Failures   []Failure `json:"failures"`
	// Stage names what is being worked on, for people.
	Stage string `json:"stage,omitempty"`
	// Cause and Message say why the job ended as it did, or why it waits.
	Cause   Cause  `json:"cause,omitempty"`
	Message string `json:"message,omitempty"`
	// Stopped says why the runner can do nothing more for the job until it is
	// submitted again: its journal cannot be written. The state is not an end.
	Stopped string `json:"stopped,omitempty"`
	Outputs string `json:"outputs"` // the results' folder, absolute
	// Output is the folder that the job's tasks deliver into, where they do: a URL or
	// an absolute path. It is there once the job is done.
	Output  string    `json:"output,omitempty"`
	Since   time.Time `json:"since"` // when this run was submitted
	EndedAt time.Time `json:"ended,omitzero"`
}

// TaskCounts counts a job's tasks by state; waiting holds also those that wait
// for a failed one.
type TaskCounts struct {
	Total   int `json:"total"`
	Waiting int `json:"waiting"`
	Running int `json:"running"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
}

// Slot is one leased container of a job.
type Slot struct {
	Lease    types.Hash    `json:"lease"`
	Provider types.Address `json:"provider"`
	State    string        `json:"state"` // a LeaseState, or "frozen"
	Tasks    []string      `json:"tasks"` // running there now
	// Messages are what those last said of themselves (reporter:status), by task. Only
	// the job's host knows them.
	Messages map[string]string `json:"messages,omitempty"`
	BillNXEN types.Amount      `json:"bill_nxen"`
	PaidNXEN types.Amount      `json:"paid_nxen"`
}

// Failure is the end of one attempt that did not succeed, in its first words.
type Failure struct {
	Task     string `json:"task"`
	Attempt  int    `json:"attempt"`
	Provider string `json:"provider"`
	Class    string `json:"class"` // protocol.Class…
	Message  string `json:"message"`
}

// Ended reports whether the job is over.
func (s Status) Ended() bool { return s.State.Ended() }

// Exit is the exit status of `zennet-job` for a job that ended (DESIGN.md), 0
// for one that has not.
func (s Status) Exit() int {
	switch {
	case s.State == JobCancelled:
		return 130
	case s.State != JobFailed:
		return 0
	case s.Cause == CauseUnaffordable || s.Cause == CauseNoOffers:
		return 3
	case s.Cause == CauseInvalid:
		return 2
	}
	return 1
}

// Receipt is what `zennet-job receipt ID --json` prints and outputs/receipt.json
// holds. TotalNXEN is the sum of what the ledger settled.
type Receipt struct {
	Job       string         `json:"job"`
	Image     string         `json:"image"`
	Leases    []LeaseReceipt `json:"leases"`
	TotalNXEN types.Amount   `json:"total_nxen"`
	FeesNXEN  types.Amount   `json:"fees_nxen"`
}

// LeaseReceipt is one lease of a receipt. Usage is what was agreed, in base
// units; BillNXEN = Σ ⌊nxen·usage/per⌋ (PROTOCOL.md 2.6); SettledNXEN, Tx and
// Height are the ledger's, zero and empty until it has settled.
type LeaseReceipt struct {
	Provider    types.Address `json:"provider"`
	Contract    types.Hash    `json:"contract"`
	Channel     types.Hash    `json:"channel"`
	DepositNXEN types.Amount  `json:"deposit_nxen"`
	Rates       pricing.Rates `json:"rates"`
	Usage       pricing.Usage `json:"usage"`
	BillNXEN    types.Amount  `json:"bill_nxen"`
	VoucherNXEN types.Amount  `json:"voucher_nxen"`
	SettledNXEN types.Amount  `json:"settled_nxen"`
	Tx          string        `json:"tx"`
	Height      int64         `json:"height"`
	Verdict     chain.Verdict `json:"verdict"`
}

// Row is one line of `zennet-job ls`.
type Row struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Kind       string       `json:"kind"`
	State      JobState     `json:"state"`
	Tasks      TaskCounts   `json:"tasks"`
	SpentNXEN  types.Amount `json:"spent_nxen"`
	BudgetNXEN types.Amount `json:"budget_nxen"`
	Submitted  time.Time    `json:"submitted"`
	Outputs    string       `json:"outputs"`
}
