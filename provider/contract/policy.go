package contract

import (
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// ProviderPolicy bounds what a provider agrees to. Rates and MaxRate that it
// asks are in the Capabilities of the lease (Match).
type ProviderPolicy struct {
	// ReservePPM is the least share of the asked prices that is accepted, in
	// millionths; 0 means 1,000,000: nothing less. The prices come down towards it
	// in four steps, one a counter (all rates in the same proportion, 2.7).
	ReservePPM         uint32
	MinIntervalSeconds uint32 // of |interval|
	MaxIntervalSeconds uint32
	MinGraceSeconds    uint32
	MaxGraceSeconds    uint32
	MaxHoldback        types.Amount
	MaxLeaseSeconds    uint32 // the channel's expiry is at most this far away
}

// PublisherPolicy bounds what a publisher agrees to.
type PublisherPolicy struct {
	MaxRate            types.Amount // nXEN an hour, 0 = any
	MaxIntervalSeconds uint32
	MaxGraceSeconds    uint32
	MaxHoldback        types.Amount // it never grants the provider less than Terms.Holdback of Choose
	MaxDeposit         types.Amount // the first one, 0 = any
	MaxLeaseSeconds    uint32
	// TopUpSeconds is how much service at maxRate one TOP-UP buys, and
	// LeaseSeconds how far it moves the expiry.
	TopUpSeconds uint32
	LeaseSeconds uint32
}

// talk is a negotiation on either side.
type talk struct {
	contract protocol.Contract
	counters int  // by both
	mine     bool // the last proposal is ours
	accepted bool // we sent Accept
}
