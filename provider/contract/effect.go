package contract

import (
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// Effect is something that a driver has to do. Effects are carried out in their
// order, and where one of the Save effects fails none after it may be carried
// out and the machine must not be stepped again: what is sent was stored before.
// Long ones (Provision, VerifyChannel, OpenChannel, Broadcast, SubmitClose, …)
// are only begun in order; their result comes back as an event. Freeze, Thaw
// and Measure are carried out before the next effect.
type Effect interface{ effect() }

// Effects of both machines.
type (
	// Send sends a message on the lease stream; where there is none, it is lost.
	Send struct{ Message protocol.Message }
	// Hangup ends the lease stream after what was sent.
	Hangup struct{ Reason string }
	// VerifyChannel reads the channel with its proof; ChannelSeen answers.
	VerifyChannel struct{ ID types.Hash }
	// Fail says that the lease ended before money was at stake (phase failed).
	Fail struct{ Reason string }
)

// Effects of the provider's machine.
type (
	// SaveProvider stores the record durably before the next effect.
	SaveProvider struct{ Record ProviderRecord }
	// Provision starts the container; Provisioned or ProvisionFailed answers.
	Provision struct{ Contract protocol.Contract }
	// Measure reads the meter; Metered answers and is stepped next, once the
	// effects of this step are carried out. On the publisher's side it asks the
	// worker; Inside answers when it is there.
	Measure struct{ Rebase bool }
	// Freeze stops the container, staging and tunnels.
	Freeze struct{ Reason string }
	// Thaw lets them go on.
	Thaw struct{}
	// Destroy removes the container and its scratch disk.
	Destroy struct{}
	// SubmitClose settles: CLOSE with this claim. It may come again after a
	// restart or a SettleFailed, always with the same claim; Settled or
	// SettleFailed answers. Voucher is nil where Claim is 0.
	SubmitClose struct {
		Channel types.Hash
		Claim   types.Amount
		Voucher *channel.Voucher
	}
)

// Effects of the publisher's machine.
type (
	// SaveLease stores the record durably before the next effect.
	SaveLease struct{ Record PublisherRecord }
	// SavePayment stores the report and the payment that answers it durably
	// before the next effect; Record holds them too.
	SavePayment struct {
		Report protocol.UsageReport
		Paid   protocol.Paid
		Record PublisherRecord
	}
	// Offered shows a provider's capabilities; Choose or Decline answers.
	Offered struct{ Capabilities protocol.Capabilities }
	// OpenChannel asks for a signed OPEN transaction, not sent; OpenPrepared or
	// OpenFailed answers.
	OpenChannel struct {
		Contract protocol.Contract
		Deposit  types.Amount
		Expiry   int64
	}
	// Broadcast sends a stored transaction, again after a restart; ChannelSeen,
	// OpenFailed or TopUpFailed answers.
	Broadcast struct {
		Tx    []byte
		TopUp bool
	}
	// PrepareTopUp asks for a signed TOP-UP, not sent; TopUpPrepared or
	// TopUpFailed answers.
	PrepareTopUp struct {
		Channel types.Hash
		Amount  types.Amount
		Expiry  int64
	}
	// Usable says that the container is ready.
	Usable struct{}
	// Lost says that the lease was declared lost; that is stored already.
	Lost struct{ Reason string }
	// AwaitSettlement watches the ledger for the channel's end; Settled answers.
	AwaitSettlement struct{ Channel types.Hash }
	// SubmitRefund takes the deposit back after expiry; Settled or SettleFailed
	// answers.
	SubmitRefund struct{ Channel types.Hash }
	// Done says that the channel is settled (phase closed).
	Done struct {
		Claim  types.Amount
		Tx     types.Hash
		Height int64
	}
)

func (Send) effect()            {}
func (Hangup) effect()          {}
func (VerifyChannel) effect()   {}
func (Fail) effect()            {}
func (SaveProvider) effect()    {}
func (Provision) effect()       {}
func (Measure) effect()         {}
func (Freeze) effect()          {}
func (Thaw) effect()            {}
func (Destroy) effect()         {}
func (SubmitClose) effect()     {}
func (SaveLease) effect()       {}
func (SavePayment) effect()     {}
func (Offered) effect()         {}
func (OpenChannel) effect()     {}
func (Broadcast) effect()       {}
func (PrepareTopUp) effect()    {}
func (Usable) effect()          {}
func (Lost) effect()            {}
func (AwaitSettlement) effect() {}
func (SubmitRefund) effect()    {}
func (Done) effect()            {}
