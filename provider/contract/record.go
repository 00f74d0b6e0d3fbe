package contract

import (
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// ProviderRecord is what a provider must not forget of a lease. Saving the whole
// record replaces the former one of the same contract. Restore continues from it.
type ProviderRecord struct {
	Phase        Phase                 `cbor:"1,keyasint" json:"phase"` // channel, confirmed, provisioning, active, closing or closed
	Announcement types.Hash            `cbor:"2,keyasint" json:"announcement"`
	Contract     protocol.Contract     `cbor:"3,keyasint" json:"contract"`
	PublisherSig types.Signature       `cbor:"4,keyasint" json:"-"`
	Channel      types.Hash            `cbor:"5,keyasint" json:"channel"`
	Deposit      types.Amount          `cbor:"6,keyasint" json:"deposit"` // as last proven
	Expiry       int64                 `cbor:"7,keyasint" json:"expiry"`  // as last proven, Unix seconds
	Usage        pricing.Usage         `cbor:"8,keyasint" json:"usage"`   // all that was counted (1.12)
	Report       *protocol.UsageReport `cbor:"9,keyasint,omitempty" json:"report,omitempty"`
	Paid         *protocol.Paid        `cbor:"10,keyasint,omitempty" json:"paid,omitempty"` // the best one
	Claim        types.Amount          `cbor:"11,keyasint" json:"claim"`                    // from closing on
	CloseTx      types.Hash            `cbor:"12,keyasint" json:"close_tx"`                 // once closed
	CloseHeight  int64                 `cbor:"13,keyasint" json:"close_height"`
	Heard        int64                 `cbor:"14,keyasint" json:"heard"` // Unix ns of the publisher's last frame
	Reason       string                `cbor:"15,keyasint" json:"reason"`
}

// PublisherRecord is what a publisher must not forget of a lease.
type PublisherRecord struct {
	Phase       Phase                 `cbor:"1,keyasint" json:"phase"` // channel, confirmed, ready, active, closing or closed
	Contract    protocol.Contract     `cbor:"2,keyasint" json:"contract"`
	ProviderSig types.Signature       `cbor:"3,keyasint" json:"-"`
	Programs    map[string]string     `cbor:"4,keyasint,omitempty" json:"programs,omitempty"` // versions, from the capabilities
	Channel     types.Hash            `cbor:"5,keyasint" json:"channel"`
	OpenTx      []byte                `cbor:"6,keyasint,omitempty" json:"-"`
	Deposit     types.Amount          `cbor:"7,keyasint" json:"deposit"` // what the ledger locks, all TOP-UPs that were ever sent included
	Expiry      int64                 `cbor:"8,keyasint" json:"expiry"`
	FinalAt     int64                 `cbor:"9,keyasint" json:"final_at"`                    // Unix ns when the channel was seen final
	TopUpTx     []byte                `cbor:"10,keyasint,omitempty" json:"-"`                // signed, not yet known to be final
	TopUp       types.Amount          `cbor:"11,keyasint" json:"top_up"`                     // what TopUpTx adds; not in Deposit
	TopUpExpiry int64                 `cbor:"12,keyasint" json:"top_up_expiry"`              // what TopUpTx sets
	Report      *protocol.UsageReport `cbor:"13,keyasint,omitempty" json:"report,omitempty"` // the newest that was answered
	Paid        *protocol.Paid        `cbor:"14,keyasint,omitempty" json:"paid,omitempty"`   // the newest that was signed
	Strikes     uint32                `cbor:"15,keyasint" json:"strikes"`
	Lost        bool                  `cbor:"16,keyasint" json:"lost"`
	Claim       types.Amount          `cbor:"17,keyasint" json:"claim"` // once closed
	CloseTx     types.Hash            `cbor:"18,keyasint" json:"close_tx"`
	CloseHeight int64                 `cbor:"19,keyasint" json:"close_height"`
	Refunded    bool                  `cbor:"20,keyasint" json:"refunded"`
	Heard       int64                 `cbor:"21,keyasint" json:"heard"` // Unix ns of the provider's last frame
	Reason      string                `cbor:"22,keyasint" json:"reason"`
}
