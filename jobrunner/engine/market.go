package engine

import (
	"context"
	"io"

	"github.com/zennet/zennet/jobrunner/lease"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
)

// Request asks a market for containers.
type Request = lease.Request

// Market leases containers (jobrunner/lease; Direct adapts it).
type Market interface {
	// Acquire hands containers to each as they become ready and returns when
	// there are Count of them or no more will come: then ErrNotAffordable or
	// ErrNoOffers say why.
	Acquire(ctx context.Context, r Request, each func(Lease)) error
	// Recover resumes the journal's live leases and hands those that live to
	// each; it returns when every one is resumed or lost.
	Recover(ctx context.Context, each func(Lease)) error
}

// Lease is one leased container with a worker in it.
type Lease interface {
	ID() types.Hash
	Job() string
	Provider() types.Address
	Programs() map[string]string
	// Done is closed when the lease has ended or was lost; Err then says why.
	Done() <-chan struct{}
	Err() error
	// Stage pushes the blobs that the provider lacks.
	Stage(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error
	// Worker opens a connection to the worker in the container.
	Worker(ctx context.Context) (io.ReadWriteCloser, error)
	// Spent is the agreed bill and the best voucher so far.
	Spent() (bill, paid types.Amount)
	Frozen() bool
	// SetVerdict says what the lease's receipt shall say, where not ok or lost.
	SetVerdict(v chain.Verdict)
	// Close ends the lease and returns when its channel is settled.
	Close(ctx context.Context, reason string) error
}
