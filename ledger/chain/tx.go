package chain

import (
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// Tx is one transaction: a signed Body. Its id is the hash of the body, so that
// it is known before it is signed or sent.
type Tx struct {
	Body Body            `cbor:"1,keyasint" json:"body"`
	Sig  types.Signature `cbor:"2,keyasint" json:"-"` // by Body.From
}

// Body is what is signed. Exactly one of the payload pointers is set. Close and
// Refund need neither nonce nor fee (PROTOCOL.md 3.3).
type Body struct {
	From  types.Address `cbor:"1,keyasint" json:"from"`
	Nonce uint64        `cbor:"2,keyasint" json:"nonce"`
	Fee   types.Amount  `cbor:"3,keyasint" json:"fee"` // the most From pays; the exact fee is charged

	Transfer *Transfer `cbor:"10,keyasint,omitempty" json:"transfer,omitempty"`
	Open     *Open     `cbor:"11,keyasint,omitempty" json:"open,omitempty"`
	TopUp    *TopUp    `cbor:"12,keyasint,omitempty" json:"topup,omitempty"`
	Close    *Close    `cbor:"13,keyasint,omitempty" json:"close,omitempty"`
	Refund   *Refund   `cbor:"14,keyasint,omitempty" json:"refund,omitempty"`
	Announce *Announce `cbor:"15,keyasint,omitempty" json:"announce,omitempty"`
	Withdraw *Withdraw `cbor:"16,keyasint,omitempty" json:"withdraw,omitempty"`
	Receipt  *Receipt  `cbor:"17,keyasint,omitempty" json:"receipt,omitempty"`
	Register *Register `cbor:"18,keyasint,omitempty" json:"register,omitempty"`
	Resign   *Resign   `cbor:"19,keyasint,omitempty" json:"resign,omitempty"`
	Unjail   *Unjail   `cbor:"20,keyasint,omitempty" json:"unjail,omitempty"`
	Vote     *Vote     `cbor:"21,keyasint,omitempty" json:"vote,omitempty"`
}

// Transfer moves Amount to To.
type Transfer struct {
	To     types.Address `cbor:"1,keyasint" json:"to"`
	Amount types.Amount  `cbor:"2,keyasint" json:"amount"`
}

// Open locks Deposit for a channel from the signer to Payee and prepays the fee
// of its end (PROTOCOL.md 3.1). The channel's id is ChannelID(ledger, From, Nonce).
type Open struct {
	Payee    types.Address `cbor:"1,keyasint" json:"payee"`
	Contract types.Hash    `cbor:"2,keyasint" json:"contract"`
	Deposit  types.Amount  `cbor:"3,keyasint" json:"deposit"`
	Expiry   int64         `cbor:"4,keyasint" json:"expiry"` // header time, Unix seconds
}

// TopUp adds Amount to a channel's deposit and may move its expiry later (3.4).
type TopUp struct {
	Channel types.Hash   `cbor:"1,keyasint" json:"channel"`
	Amount  types.Amount `cbor:"2,keyasint" json:"amount"`
	Expiry  int64        `cbor:"3,keyasint" json:"expiry"` // 0 leaves it
}

// Close is signed by the payee: it gets Claim, at most the voucher's amount, the
// payer the rest. A claim of 0 needs no voucher (3.3).
type Close struct {
	Channel types.Hash       `cbor:"1,keyasint" json:"channel"`
	Claim   types.Amount     `cbor:"2,keyasint" json:"claim"`
	Voucher *channel.Voucher `cbor:"3,keyasint,omitempty" json:"voucher,omitempty"`
}

// Refund is signed by the payer after expiry: it gets all (3.3).
type Refund struct {
	Channel types.Hash `cbor:"1,keyasint" json:"channel"`
}

// Announce puts an announcement on the ledger (PROTOCOL.md 1.1). Its id is the
// transaction's id. Body is opaque to the ledger (provider/protocol.Ann), at
// most Params.MaxAnnouncement bytes; LifetimeSeconds counts from the block's time.
type Announce struct {
	Body            []byte `cbor:"1,keyasint" json:"body"`
	LifetimeSeconds uint32 `cbor:"2,keyasint" json:"lifetime_seconds"`
}

// Withdraw ends the signer's own announcement.
type Withdraw struct {
	Announcement types.Hash `cbor:"1,keyasint" json:"announcement"`
}

// Verdict is what the payer says of a finished lease.
type Verdict string

// The verdicts of a Receipt.
const (
	VerdictOK       Verdict = "ok"       // delivered and paid
	VerdictLost     Verdict = "lost"     // the provider vanished
	VerdictDispute  Verdict = "dispute"  // the counters disagreed
	VerdictMismatch Verdict = "mismatch" // a result was proven wrong
)

// Receipt publishes the hash of a finished lease and its verdict, signed by its
// payer, once for each closed channel, kept until Expiry (PROTOCOL.md 4.3).
type Receipt struct {
	Channel types.Hash `cbor:"1,keyasint" json:"channel"`
	Lease   types.Hash `cbor:"2,keyasint" json:"lease"` // hash of the lease's record
	Verdict Verdict    `cbor:"3,keyasint" json:"verdict"`
	Expiry  int64      `cbor:"4,keyasint" json:"expiry"` // header time, Unix seconds
}

// Register makes the signer a delegate, with the bond of Params and a consensus
// key that signs too (PROTOCOL.md 4.5).
type Register struct {
	ConsensusKey []byte `cbor:"1,keyasint" json:"consensus_key"` // ed25519, 32 bytes
	ConsensusSig []byte `cbor:"2,keyasint" json:"-"`             // ed25519 over RegisterMessage(ledger, From)
	Name         string `cbor:"3,keyasint" json:"name"`          // at most 32 bytes, for people
}

// Resign takes the signer out of the election; its bond returns later (4.5).
type Resign struct {
	_ struct{} `cbor:",toarray"`
}

// Unjail lets a jailed delegate be elected again, once its term is served.
type Unjail struct {
	_ struct{} `cbor:",toarray"`
}

// Vote replaces the signer's votes; at most Params.Delegates, sorted, distinct;
// none withdraws them (PROTOCOL.md 4.4).
type Vote struct {
	Delegates []types.Address `cbor:"1,keyasint" json:"delegates"`
}
