package contract

import (
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// Event is something that happened, told to a machine by its driver. Every
// event carries Now, Unix nanoseconds of the driver's clock; it never goes back.
type Event interface{ now() int64 }

// At is the time of an event, Unix nanoseconds.
type At int64

func (a At) now() int64 { return int64(a) }

// Events of both machines.
type (
	// Tick says that time has passed; due at the state's Deadline at the latest.
	Tick struct{ At }
	// LinkUp says that a lease stream is open. On a lease that exists already
	// (after LinkDown or Restore) the machine exchanges RESUME on it.
	LinkUp struct{ At }
	// LinkDown says that the stream ended or broke.
	LinkDown struct {
		At
		Reason string
	}
	// Received is a validated message from the peer.
	Received struct {
		At
		Message protocol.Message
	}
	// ChannelSeen answers VerifyChannel, or tells of the channel on the driver's
	// own account (Broadcast was final, a TOP-UP was seen): the channel as proven
	// against a finalized header, or nil where it is proven absent there.
	ChannelSeen struct {
		At
		Channel *channel.Proven
		Header  int64 // the header's time, Unix seconds
		Tx      types.Hash
		Height  int64 // where Tx was included, if known
	}
	// HeaderSeen is the time of the newest finalized header, Unix seconds.
	HeaderSeen struct {
		At
		Header int64
	}
	// Settled says that the channel is gone from the ledger and how: by a CLOSE
	// with Claim, or by a REFUND. Reason is why that is not known for certain, else "".
	Settled struct {
		At
		Tx     types.Hash
		Height int64
		Claim  types.Amount
		Refund bool
		Reason string
	}
	// SettleFailed says that a CLOSE or REFUND could not be sent or was not
	// accepted; it is tried again later.
	SettleFailed struct {
		At
		Reason string
	}
	// Leave asks the side that gets it to end the lease in order. On the
	// publisher it sends BYE; on the provider it winds down at once. Forfeit
	// keeps the holdback back (5.10; publisher only).
	Leave struct {
		At
		Reason  string
		Forfeit bool
	}
)

// Events of the provider's machine.
type (
	// Match begins a lease: this provider wants to serve the publisher's
	// announcement (zero for a direct talk). The driver dials; then LinkUp.
	Match struct {
		At
		Publisher    types.Address
		Announcement types.Hash
		Spec         protocol.Spec
		Capabilities protocol.Capabilities // what it will send
	}
	// Provisioned answers Provision: the container runs and its worker answers.
	Provisioned struct{ At }
	// Progressed says that the start of the container gets on: Done, in bytes of its
	// image, has grown. The driver tells it every few seconds.
	Progressed struct {
		At
		Done uint64
	}
	// ProvisionFailed answers Provision: there is no container.
	ProvisionFailed struct {
		At
		Reason string
	}
	// Exited says that the container ended by itself.
	Exited struct {
		At
		Reason string
	}
	// Metered answers Measure: the meter's cumulative counters, read at TimeNS
	// (Usage nil where it cannot be read any more). Rebase is copied from the effect.
	Metered struct {
		At
		TimeNS int64
		Usage  pricing.Usage
		Rebase bool
	}
)

// Events of the publisher's machine.
type (
	// Choose answers Offered: negotiate for these terms. Nonce is 16 fresh random
	// bytes.
	Choose struct {
		At
		Terms protocol.Terms
		Nonce [16]byte
	}
	// Decline answers Offered: not this one.
	Decline struct {
		At
		Reason string
	}
	// OpenPrepared answers OpenChannel: the signed transaction, not yet sent.
	OpenPrepared struct {
		At
		Channel types.Hash
		Tx      []byte
	}
	// OpenFailed answers OpenChannel or Broadcast. Rejected says that the ledger
	// refused the transaction for good, so that nothing is locked; otherwise it is
	// unknown and sent again.
	OpenFailed struct {
		At
		Reason   string
		Rejected bool
	}
	// TopUpPrepared answers PrepareTopUp with the signed transaction.
	TopUpPrepared struct {
		At
		Amount types.Amount
		Expiry int64
		Tx     []byte
	}
	// TopUpFailed answers PrepareTopUp or Broadcast: no more money, or not yet.
	TopUpFailed struct {
		At
		Reason   string
		Rejected bool
	}
	// Inside answers Measure on the publisher's side: the worker's cumulative
	// counters at TimeNS of its clock (nil where they could not be read), and the
	// publisher's own counts of staged bytes.
	Inside struct {
		At
		TimeNS    int64
		Usage     pricing.Usage
		StagedIn  uint64
		StagedOut uint64
	}
)
