package chain

import (
	"fmt"
	"math"

	"github.com/zennet/zennet/ledger/types"
)

// Params are the numbers that all peers of one ledger share; they are part of
// its genesis and never change (PROTOCOL.md 4.1). Times are in seconds of header
// time, money in nXEN.
type Params struct {
	// Fees (4.6): FeeBase + bytes·FeeByte + ⌈bytes·lifetime·FeeStore/3600⌉.
	FeeBase  types.Amount `cbor:"1,keyasint" json:"fee_base"`
	FeeByte  types.Amount `cbor:"2,keyasint" json:"fee_byte"`
	FeeStore types.Amount `cbor:"3,keyasint" json:"fee_store"` // a byte kept for an hour
	Shares   []Share      `cbor:"4,keyasint" json:"shares"`    // the producer's part, by height

	// MinBalance is what making an account costs (4.2): it stays in the account
	// and cannot be spent.
	MinBalance types.Amount `cbor:"5,keyasint" json:"min_balance"`

	// Channels (3).
	RefundDepth       uint32 `cbor:"6,keyasint" json:"refund_depth"`        // REFUND looks at the header this many blocks back (3.3)
	MarginSeconds     int64  `cbor:"7,keyasint" json:"margin_seconds"`      // payees close this long before expiry (3.3)
	MaxChannelSeconds int64  `cbor:"8,keyasint" json:"max_channel_seconds"` // expiry − block time, at most
	ReceiptSeconds    int64  `cbor:"9,keyasint" json:"receipt_seconds"`     // a closed channel waits this long for its receipt
	MaxReceiptSeconds int64  `cbor:"10,keyasint" json:"max_receipt_seconds"`

	// Announcements (4.7).
	MaxAnnouncement        uint32 `cbor:"11,keyasint" json:"max_announcement"`         // bytes
	MaxAnnouncementSeconds uint32 `cbor:"12,keyasint" json:"max_announcement_seconds"` // L
	MaxAnnouncements       uint32 `cbor:"13,keyasint" json:"max_announcements"`        // k, an account

	// Election and discipline (4.4, 4.5).
	Delegates       uint32       `cbor:"14,keyasint" json:"delegates"`        // N: seats, and votes a voter has
	RoundBlocks     uint64       `cbor:"15,keyasint" json:"round_blocks"`     // a round, at least 2
	Bond            types.Amount `cbor:"16,keyasint" json:"bond"`             // of a delegate
	UnbondSeconds   int64        `cbor:"17,keyasint" json:"unbond_seconds"`   // U
	EvidenceSeconds int64        `cbor:"18,keyasint" json:"evidence_seconds"` // double signing is punished this long
	TrustSeconds    int64        `cbor:"19,keyasint" json:"trust_seconds"`    // light clients trust a header this long
	JailMissed      uint64       `cbor:"20,keyasint" json:"jail_missed"`      // blocks missed in a round that a delegate may not reach
	JailRounds      uint64       `cbor:"21,keyasint" json:"jail_rounds"`      // J

	// Blocks (4.4, 4.6).
	BlockSeconds int64  `cbor:"22,keyasint" json:"block_seconds"` // a block at least this often
	BlockBytes   uint64 `cbor:"23,keyasint" json:"block_bytes"`   // of transactions; half is kept for channels
}

// Share is the producer's part of each fee from a height on, in percent.
type Share struct {
	Height  int64  `cbor:"1,keyasint" json:"height"`
	Percent uint64 `cbor:"2,keyasint" json:"percent"`
}

const (
	hour = 3600
	day  = 24 * hour
	year = 365 * day
)

// DefaultParams are those of a public ledger.
func DefaultParams() Params {
	const blocksAYear = year / 5
	return Params{
		FeeBase: 10_000, FeeByte: 100, FeeStore: 1,
		Shares: []Share{{0, 10}, {blocksAYear, 20}, {2 * blocksAYear, 40}, {3 * blocksAYear, 80}, {4 * blocksAYear, 100}},

		MinBalance:  types.XEN / 1000,
		RefundDepth: 20, MarginSeconds: 600, MaxChannelSeconds: 90 * day, ReceiptSeconds: 7 * day, MaxReceiptSeconds: 2 * year,
		MaxAnnouncement: 512, MaxAnnouncementSeconds: 7 * day, MaxAnnouncements: 16,

		Delegates: 21, RoundBlocks: 720, Bond: 1000 * types.XEN,
		UnbondSeconds: 21 * day, EvidenceSeconds: 20 * day, TrustSeconds: 14 * day,
		JailMissed: 360, JailRounds: 4,

		BlockSeconds: 10, BlockBytes: 4 << 20,
	}
}

// DevParams are those of the embedded network and of tests: short rounds and
// margins, small bonds, everything else as on a public ledger.
func DevParams() Params {
	p := DefaultParams()
	p.Shares = []Share{{0, 10}, {1_000, 20}, {2_000, 40}, {3_000, 80}, {4_000, 100}}
	p.RefundDepth, p.MarginSeconds = 5, 12
	p.Delegates, p.RoundBlocks, p.JailMissed, p.JailRounds = 4, 20, 10, 2
	p.Bond = types.XEN
	p.TrustSeconds, p.EvidenceSeconds, p.UnbondSeconds = hour, 2*hour, 2*hour // nodes keep blocks that long
	p.BlockSeconds = 1
	return p
}

// Validate returns ErrGenesis where the numbers contradict each other.
func (p Params) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrGenesis, fmt.Sprintf(format, args...))
	}
	const manySeconds = 100 * year // keeps every sum of times far from overflow
	for _, t := range []struct {
		name    string
		seconds int64
	}{
		{"margin_seconds", p.MarginSeconds}, {"max_channel_seconds", p.MaxChannelSeconds},
		{"receipt_seconds", p.ReceiptSeconds}, {"max_receipt_seconds", p.MaxReceiptSeconds},
		{"unbond_seconds", p.UnbondSeconds}, {"evidence_seconds", p.EvidenceSeconds},
		{"trust_seconds", p.TrustSeconds}, {"block_seconds", p.BlockSeconds},
	} {
		if t.seconds < 1 || t.seconds > manySeconds {
			return bad("%s %d is not within 1 and %d", t.name, t.seconds, int64(manySeconds))
		}
	}
	switch {
	case p.TrustSeconds >= p.EvidenceSeconds || p.EvidenceSeconds > p.UnbondSeconds:
		return bad("trust %d < evidence %d ≤ unbonding %d seconds does not hold", p.TrustSeconds, p.EvidenceSeconds, p.UnbondSeconds)
	case p.Delegates < 1 || p.Delegates > 1000:
		return bad("delegates %d is not within 1 and 1000", p.Delegates)
	case p.RoundBlocks < 2 || p.RoundBlocks > 1<<32:
		return bad("round_blocks %d is not within 2 and 2³²", p.RoundBlocks)
	case p.JailMissed < 1 || p.JailRounds < 1 || p.JailRounds > 1<<32:
		return bad("jail_missed %d and jail_rounds %d must be at least 1", p.JailMissed, p.JailRounds)
	case p.RefundDepth < 1 || p.RefundDepth > 10_000:
		return bad("refund_depth %d is not within 1 and 10000", p.RefundDepth)
	case p.MaxAnnouncement < 1 || p.MaxAnnouncement > MaxTxBytes/2:
		return bad("max_announcement %d is not within 1 and %d", p.MaxAnnouncement, MaxTxBytes/2)
	case p.MaxAnnouncementSeconds < 1 || p.MaxAnnouncements < 1:
		return bad("announcements must be allowed")
	case p.BlockBytes < 4*MaxTxBytes || p.BlockBytes > 64<<20:
		return bad("block_bytes %d is not within %d and %d", p.BlockBytes, 4*MaxTxBytes, 64<<20)
	case p.Bond < 1 || max(p.Bond, p.MinBalance) > math.MaxInt64/4:
		return bad("bond %s or minimum balance %s is out of range", p.Bond, p.MinBalance)
	case max(p.FeeBase, p.FeeByte, p.FeeStore) > 1<<40:
		return bad("a fee exceeds %d nXEN", int64(1)<<40)
	}
	return p.validateShares()
}

func (p Params) validateShares() error {
	for i, s := range p.Shares {
		if s.Percent > 100 || i == 0 && s.Height != 0 || i > 0 && s.Height <= p.Shares[i-1].Height {
			return fmt.Errorf("%w: share %d (%d%% from height %d) is above 100%% or out of order", ErrGenesis, i, s.Percent, s.Height)
		}
	}
	return nil
}

// ShareAt is the producer's part of a fee at a height, in percent.
func (p Params) ShareAt(height int64) uint64 {
	percent := uint64(0)
	for _, s := range p.Shares {
		if height >= s.Height {
			percent = s.Percent
		}
	}
	return percent
}
