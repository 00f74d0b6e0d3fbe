package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
)

// channel reads a channel with its proof. One that is proven absent has no
// Channel and no error.
func (a *Agent) channel(ctx context.Context, id types.Hash) (contract.ChannelSeen, error) {
	c, header, err := a.cfg.Ledger.Channel(ctx, id)
	switch {
	case errors.Is(err, client.ErrNotFound):
		return contract.ChannelSeen{Header: header.Time}, nil
	case err != nil:
		return contract.ChannelSeen{}, err
	}
	proven := c.Proven(a.machine.Ledger)
	return contract.ChannelSeen{Channel: &proven, Header: header.Time, Height: c.Height}, nil
}

// close settles a channel. It may be called again with the same claim: the
// transaction is the same then, and takes effect once. A channel that is gone
// though this CLOSE never took effect was refunded.
func (a *Agent) close(ctx context.Context, e contract.SubmitClose) (contract.Settled, error) {
	body := chain.Body{From: a.cfg.Key.Address(), Close: &chain.Close{Channel: e.Channel, Claim: e.Claim, Voucher: e.Voucher}}
	receipt, err := a.cfg.Ledger.Broadcast(ctx, body.Sign(a.cfg.Key, a.machine.Ledger))
	if err == nil {
		return contract.Settled{Tx: receipt.Tx, Height: receipt.Height, Claim: e.Claim}, nil
	}
	if errors.Is(err, client.ErrRejected) {
		seen, failed := a.channel(ctx, e.Channel)
		if failed == nil && seen.Channel == nil {
			return contract.Settled{Refund: true}, nil
		}
	}
	return contract.Settled{}, fmt.Errorf("close channel %s: %w", e.Channel.Short(), err)
}
