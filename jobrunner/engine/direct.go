package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/zennet/zennet/jobrunner/lease"
)

// Direct is the market of jobrunner/lease for an engine (pool: direct).
func Direct(m *lease.Market) Market { return direct{m} }

type direct struct{ market *lease.Market }

func (d direct) Acquire(ctx context.Context, r Request, each func(Lease)) error {
	err := d.market.Acquire(ctx, r, func(l *lease.Lease) { each(l) })
	switch {
	case errors.Is(err, lease.ErrNotAffordable):
		return refusal{ErrNotAffordable, err}
	case errors.Is(err, lease.ErrNoOffers):
		return refusal{ErrNoOffers, err}
	case err != nil:
		return fmt.Errorf("acquire: %w", err)
	}
	return nil
}

func (d direct) Recover(ctx context.Context, each func(Lease)) error {
	return d.market.Recover(ctx, func(l *lease.Lease) { each(l) })
}

// refusal is the market's error under this package's kind, in its own words.
type refusal struct {
	kind ErrorKind
	err  error
}

func (r refusal) Error() string { return r.err.Error() }

func (r refusal) Unwrap() []error { return []error{r.kind, r.err} }
