package protocol

import (
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
)

// Ann is the body of an announcement on the ledger (PROTOCOL.md 1.1), encoded
// in at most 512 bytes.
type Ann struct {
	Spec            Spec         `cbor:"1,keyasint"`
	Count           uint16       `cbor:"2,keyasint"`           // containers wanted
	Addrs           []string     `cbor:"3,keyasint"`           // libp2p multiaddrs of the publisher, without /p2p
	LeaseSeconds    uint32       `cbor:"4,keyasint"`           // how long a lease is expected to last
	IntervalSeconds int32        `cbor:"5,keyasint"`           // between payments; negative: the publisher prepays
	MaxRate         types.Amount `cbor:"6,keyasint"`           // nXEN an hour and container, the most it pays; 0 = it will see
	Difficulty      uint8        `cbor:"7,keyasint"`           // leading zero bits wanted of an identity proof
	Deadline        int64        `cbor:"8,keyasint"`           // Unix seconds; later proposals are refused
	Info            string       `cbor:"9,keyasint,omitempty"` // short, for people
}

// Spec is the container that is leased.
type Spec struct {
	MilliCPU uint32   `cbor:"1,keyasint" json:"milli_cpu"`          // 1000 = one core
	Memory   uint64   `cbor:"2,keyasint" json:"memory"`             // bytes
	Disk     uint64   `cbor:"3,keyasint" json:"disk"`               // bytes of scratch
	Pids     uint32   `cbor:"4,keyasint" json:"pids"`               // processes and threads
	Image    string   `cbor:"5,keyasint" json:"image"`              // "host", or a rootfs known to the provider by this name or path
	Programs []string `cbor:"6,keyasint,omitempty" json:"programs"` // whose versions the capabilities must tell
}

// Capabilities is the provider's first message: what it is and asks (1.4).
type Capabilities struct {
	Announcement types.Hash        `cbor:"1,keyasint"` // what it answers; zero for a direct talk
	Cores        uint32            `cbor:"2,keyasint"`
	Memory       uint64            `cbor:"3,keyasint"` // bytes it offers in all
	Disk         uint64            `cbor:"4,keyasint"`
	Machine      string            `cbor:"5,keyasint"`           // CPU model, for people
	Programs     map[string]string `cbor:"6,keyasint,omitempty"` // program → version, of those that the ann names and that it has
	Benchmarks   []Benchmark       `cbor:"7,keyasint"`
	Rates        pricing.Rates     `cbor:"8,keyasint"`  // what it asks
	MaxRate      types.Amount      `cbor:"9,keyasint"`  // nXEN an hour that this container would cost under full load, with a margin
	Slots        uint16            `cbor:"10,keyasint"` // how many such containers it can give now, this one included
}

// Benchmark is one row of the canonical benchmark report: V's row and s (2.2).
type Benchmark struct {
	Name   string        `cbor:"1,keyasint" json:"name"`
	WallNS uint64        `cbor:"2,keyasint" json:"wall_ns"`
	Usage  pricing.Usage `cbor:"3,keyasint" json:"usage"`
	Price  types.Amount  `cbor:"4,keyasint" json:"price"` // s: what this run shall cost
}

// Terms is what is negotiated (1.5).
type Terms struct {
	Rates           pricing.Rates `cbor:"1,keyasint" json:"rates"`
	MaxRate         types.Amount  `cbor:"2,keyasint" json:"max_rate"` // nXEN an hour
	IntervalSeconds int32         `cbor:"3,keyasint" json:"interval_seconds"`
	GraceSeconds    uint32        `cbor:"4,keyasint" json:"grace_seconds"`
	TolerancePPM    uint32        `cbor:"5,keyasint" json:"tolerance_ppm"` // rel of 5.4, in millionths
	Holdback        types.Amount  `cbor:"6,keyasint" json:"holdback"`
	Deposit         types.Amount  `cbor:"7,keyasint" json:"deposit"` // the first
	Expiry          int64         `cbor:"8,keyasint" json:"expiry"`  // of the channel, Unix seconds
}

// Contract is the outcome of a negotiation. Its hash, HashOf("contract", Encode),
// names the lease; both sides sign it.
type Contract struct {
	Ledger    types.Hash    `cbor:"1,keyasint" json:"ledger"`
	Publisher types.Address `cbor:"2,keyasint" json:"publisher"`
	Provider  types.Address `cbor:"3,keyasint" json:"provider"`
	Nonce     [16]byte      `cbor:"4,keyasint" json:"-"`
	Spec      Spec          `cbor:"5,keyasint" json:"spec"`
	Terms     Terms         `cbor:"6,keyasint" json:"terms"`
}

// ID is the hash that names the lease on the wire and in the channel.
func (c Contract) ID() types.Hash { return types.HashOf("contract", types.Encode(c)) }

// Offer proposes a contract (publisher); Counter answers with other terms
// (either side); Accept takes the last proposal, with its sender's signature
// over the contract's hash; Reject ends the talk.
type Offer struct {
	Contract Contract `cbor:"1,keyasint"`
}

// Counter proposes other terms for the contract under negotiation; at most 8.
type Counter struct {
	Terms Terms `cbor:"1,keyasint"`
}

// Accept takes the last proposal. Sig is over the contract's canonical encoding,
// kind "contract". The other side answers with its own Accept.
type Accept struct {
	Contract types.Hash      `cbor:"1,keyasint"`
	Sig      types.Signature `cbor:"2,keyasint"`
}

// Reject ends a negotiation, with a sentence.
type Reject struct {
	Reason string `cbor:"1,keyasint"`
}

// Opened tells the provider where its channel is; it verifies that with a proof.
type Opened struct {
	Channel types.Hash `cbor:"1,keyasint"`
	Tx      types.Hash `cbor:"2,keyasint"`
	Height  int64      `cbor:"3,keyasint"`
}

// Starting says that the start of the container, which takes long, gets on: Done,
// the bytes of its image that were read so far, has grown (1.7).
type Starting struct {
	Done uint64 `cbor:"1,keyasint"`
}

// Ready says that the container runs and its worker answers.
type Ready struct {
	_ struct{} `cbor:",toarray"`
}

// UsageReport is USAGE of 1.12, signed by the provider.
type UsageReport struct {
	Channel types.Hash      `cbor:"1,keyasint" json:"channel"`
	Seq     uint64          `cbor:"2,keyasint" json:"seq"`
	TimeNS  int64           `cbor:"3,keyasint" json:"time_ns"` // Unix ns of the reading
	Usage   pricing.Usage   `cbor:"4,keyasint" json:"usage"`   // cumulative
	Bill    types.Amount    `cbor:"5,keyasint" json:"bill"`    // of Usage by the contract's rates
	Before  types.Hash      `cbor:"6,keyasint" json:"before"`  // hash of the report before; zero for the first
	Commits []types.Hash    `cbor:"7,keyasint,omitempty" json:"commits,omitempty"`
	Final   bool            `cbor:"8,keyasint" json:"final"`
	Sig     types.Signature `cbor:"9,keyasint" json:"-"`
}

// Hash names the report: HashOf("usage-report") over its encoding with its
// signature cleared. That is what is signed, kind "usage", and what Before holds.
func (u UsageReport) Hash() types.Hash { return types.HashOf("usage-report", u.body()) }

func (u UsageReport) body() []byte {
	u.Sig = types.Signature{}
	return types.Encode(u)
}

// Sign returns u with the provider's signature.
func (u UsageReport) Sign(key types.PrivateKey, ledger types.Hash) UsageReport {
	u.Sig = key.Sign("usage", ledger, u.body())
	return u
}

// Verify checks the provider's signature, or returns types.ErrSignature.
func (u UsageReport) Verify(provider types.Address, ledger types.Hash) error {
	return types.Verify(provider, "usage", ledger, u.body(), u.Sig)
}

// Paid is the publisher's answer to USAGE: the voucher and the agreed counters
// that it pays, whose hash is the voucher's UsageHash (5.4).
type Paid struct {
	Voucher channel.Voucher `cbor:"1,keyasint"`
	Agreed  pricing.Usage   `cbor:"2,keyasint"`
	Answers uint64          `cbor:"3,keyasint"` // Seq of the report that it answers
}

// AgreedHash is the UsageHash of a voucher that pays the agreed counters.
func AgreedHash(agreed pricing.Usage) types.Hash {
	return types.HashOf("agreed", types.Encode(agreed))
}

// TopUpNotice tells the provider that its channel's deposit grew.
type TopUpNotice struct {
	Tx     types.Hash `cbor:"1,keyasint"`
	Height int64      `cbor:"2,keyasint"`
}

// State tells the publisher that the container was frozen or thawed, and why.
type State struct {
	Frozen bool   `cbor:"1,keyasint"`
	Reason string `cbor:"2,keyasint"`
}

// Bye ends a lease in order: the provider answers with the final USAGE, gets the
// final voucher, closes the channel, and says Closed (1.11).
type Bye struct {
	Reason string `cbor:"1,keyasint"`
}

// Closed says that the channel is settled.
type Closed struct {
	Tx     types.Hash   `cbor:"1,keyasint"`
	Height int64        `cbor:"2,keyasint"`
	Claim  types.Amount `cbor:"3,keyasint"`
}

// Resume opens a stream for a lease that already exists, from either side: its
// last report and last payment; the newest validly signed win (1.11).
type Resume struct {
	Contract types.Hash   `cbor:"1,keyasint"`
	Usage    *UsageReport `cbor:"2,keyasint,omitempty"`
	Paid     *Paid        `cbor:"3,keyasint,omitempty"`
}

// Drop answers a Resume of a lease that was declared lost: settle and go.
type Drop struct {
	Reason string `cbor:"1,keyasint"`
}
