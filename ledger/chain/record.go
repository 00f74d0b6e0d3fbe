package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// Account is what the ledger keeps of an address. The zero value is an account
// that does not exist yet.
type Account struct {
	Balance       types.Amount `cbor:"1,keyasint" json:"balance"` // Params.MinBalance of it cannot be spent
	Nonce         uint64       `cbor:"2,keyasint" json:"nonce"`   // of the next transaction
	Announcements uint32       `cbor:"3,keyasint" json:"announcements"`
	Tally         uint64       `cbor:"4,keyasint" json:"-"` // the number of the tally after which Balance changed last
	TallyBalance  types.Amount `cbor:"5,keyasint" json:"-"` // the balance at that tally
}

// Channel is an open payment channel (PROTOCOL.md 3).
type Channel struct {
	ID           types.Hash    `cbor:"1,keyasint" json:"id"`
	Payer        types.Address `cbor:"2,keyasint" json:"payer"`
	Payee        types.Address `cbor:"3,keyasint" json:"payee"`
	Contract     types.Hash    `cbor:"4,keyasint" json:"contract"`
	Deposit      types.Amount  `cbor:"5,keyasint" json:"deposit"`
	Expiry       int64         `cbor:"6,keyasint" json:"expiry"` // header time, Unix seconds
	Height       int64         `cbor:"7,keyasint" json:"height"` // of its OPEN
	Time         int64         `cbor:"8,keyasint" json:"time"`   // of that block
	ClosePrepaid types.Amount  `cbor:"9,keyasint" json:"close_prepaid"`
}

// Proven is the channel as its two ends see it, for one ledger.
func (c Channel) Proven(ledger types.Hash) channel.Proven {
	return channel.Proven{Ledger: ledger, ID: c.ID, Payer: c.Payer, Payee: c.Payee,
		Contract: c.Contract, Deposit: c.Deposit, Expiry: c.Expiry}
}

// Announcement is a live announcement (PROTOCOL.md 1.1, 4.7).
type Announcement struct {
	ID     types.Hash    `cbor:"1,keyasint" json:"id"`
	From   types.Address `cbor:"2,keyasint" json:"from"`
	Body   []byte        `cbor:"3,keyasint" json:"body"`
	Expiry int64         `cbor:"4,keyasint" json:"expiry"` // header time, Unix seconds
	Height int64         `cbor:"5,keyasint" json:"height"`
}

// Settlement is what stays of a closed channel until its payer has published
// the receipt, or Params.ReceiptSeconds are over.
type Settlement struct {
	Channel  types.Hash    `cbor:"1,keyasint" json:"channel"`
	Payer    types.Address `cbor:"2,keyasint" json:"payer"`
	Payee    types.Address `cbor:"3,keyasint" json:"payee"`
	Contract types.Hash    `cbor:"4,keyasint" json:"contract"`
	Deposit  types.Amount  `cbor:"5,keyasint" json:"deposit"`
	Claim    types.Amount  `cbor:"6,keyasint" json:"claim"` // what the payee got; 0 for a refund
	Refund   bool          `cbor:"7,keyasint" json:"refund"`
	Height   int64         `cbor:"8,keyasint" json:"height"`
	Until    int64         `cbor:"9,keyasint" json:"until"` // header time, Unix seconds
}

// ReceiptRecord is a published receipt (PROTOCOL.md 4.3).
type ReceiptRecord struct {
	Receipt Receipt       `cbor:"1,keyasint" json:"receipt"`
	Payer   types.Address `cbor:"2,keyasint" json:"payer"`
	Payee   types.Address `cbor:"3,keyasint" json:"payee"`
	Claim   types.Amount  `cbor:"4,keyasint" json:"claim"`
	Height  int64         `cbor:"5,keyasint" json:"height"`
}

// Delegate is a registered block producer (PROTOCOL.md 4.4, 4.5).
type Delegate struct {
	Address      types.Address `cbor:"1,keyasint" json:"address"`
	ConsensusKey []byte        `cbor:"2,keyasint" json:"consensus_key"` // ed25519
	Name         string        `cbor:"3,keyasint" json:"name"`
	Bond         types.Amount  `cbor:"4,keyasint" json:"bond"`
	Weight       types.Amount  `cbor:"5,keyasint" json:"weight"`        // at the last tally
	Missed       uint64        `cbor:"6,keyasint" json:"missed"`        // blocks, this round
	Jailed       bool          `cbor:"7,keyasint" json:"jailed"`        // until its own UNJAIL
	JailedUntil  uint64        `cbor:"8,keyasint" json:"jailed_until"`  // the first round in which it may unjail
	Resigned     bool          `cbor:"9,keyasint" json:"resigned"`      // the bond is on its way back
	Banned       bool          `cbor:"10,keyasint" json:"banned"`       // signed twice; for ever
	LastSat      int64         `cbor:"11,keyasint" json:"last_sat"`     // header time at which it left the set; 0 = it never sat
	BondReturns  int64         `cbor:"12,keyasint" json:"bond_returns"` // header time, once it is known; else 0
}

// eligible reports whether the delegate may be elected.
func (d Delegate) eligible() bool { return !d.Jailed && !d.Resigned && !d.Banned }

// ballot is a voter's standing vote.
type ballot struct {
	Delegates []types.Address `cbor:"1,keyasint"`
}

// DecodeAccount reads the value at AccountKey; ErrStore where it is damaged.
func DecodeAccount(value []byte) (Account, error) { return decode[Account](value) }

// DecodeChannel reads the value at ChannelKey.
func DecodeChannel(value []byte) (Channel, error) { return decode[Channel](value) }

// DecodeAnnouncement reads the value at AnnouncementKey.
func DecodeAnnouncement(value []byte) (Announcement, error) { return decode[Announcement](value) }

// DecodeSettlement reads the value at SettlementKey.
func DecodeSettlement(value []byte) (Settlement, error) { return decode[Settlement](value) }

// DecodeReceipt reads the value at ReceiptKey.
func DecodeReceipt(value []byte) (ReceiptRecord, error) { return decode[ReceiptRecord](value) }

// DecodeDelegate reads the value at DelegateKey.
func DecodeDelegate(value []byte) (Delegate, error) { return decode[Delegate](value) }

func decode[T any](value []byte) (T, error) {
	var v T
	if err := types.Decode(value, &v); err != nil {
		return v, fmt.Errorf("%w: %w", ErrStore, err)
	}
	return v, nil
}
