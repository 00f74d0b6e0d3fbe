package api

import (
	"context"
	"io"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
)

// SubmitRequest is a job file with its place: relative paths in it are beside
// Dir. Set holds "key=value" overrides, applied in order.
type SubmitRequest struct {
	Name    string   `json:"name"` // as in errors: "fold.yaml"
	Text    []byte   `json:"text"`
	Dir     string   `json:"dir"` // absolute
	Set     []string `json:"set,omitempty"`
	Outputs string   `json:"outputs,omitempty"` // absolute; "" = as the file says
	Again   bool     `json:"again,omitempty"`   // run finished tasks too
}

// SubmitReply says what became of a submission: State is "new", "running"
// (attached), "resumed" or "done". Replaces is the job whose results the folder
// held; they are replaced. Output is the folder that its tasks deliver into, a URL or
// an absolute path; "" where none do.
type SubmitReply struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Output   string `json:"output,omitempty"`
	Replaces string `json:"replaces,omitempty"`
}

// LogsRequest names a stream of a task.
type LogsRequest struct {
	Job, Task string
	Stderr    bool
	Follow    bool
}

// Network is what a host says of the network that it is on.
type Network struct {
	Ledger    types.Hash    `json:"ledger"`
	Height    int64         `json:"height"`
	Publisher types.Address `json:"publisher"`
	Balance   types.Amount  `json:"balance_nxen"`
	Supply    *chain.Supply `json:"supply,omitempty"`
	Providers []Provider    `json:"providers,omitempty"` // of an embedded network
}

// Provider is one provider of an embedded network.
type Provider struct {
	Name    string        `json:"name"`
	Address types.Address `json:"address"`
	Balance types.Amount  `json:"balance_nxen"`
}

// Service is what the API needs of its host.
type Service interface {
	Submit(ctx context.Context, r SubmitRequest) (SubmitReply, error)
	Cancel(ctx context.Context, id string) error
	// Watch sends snapshots until the job has ended; the last one has a final state.
	Watch(ctx context.Context, id string) (<-chan journal.Status, error)
	Logs(ctx context.Context, r LogsRequest) (io.ReadCloser, error)
	Network(ctx context.Context) (Network, error)
}
