package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/zennet/zennet/ledger/types"
)

// The first byte of a key in the store tells what lies there.
const (
	prefixAccount      = 'a' // address → Account
	prefixChannel      = 'c' // channel id → Channel
	prefixAnnouncement = 'n' // announcement id → Announcement
	prefixSettlement   = 's' // channel id → Settlement
	prefixReceipt      = 'r' // channel id → ReceiptRecord
	prefixDelegate     = 'd' // address → Delegate
	prefixConsensus    = 'k' // consensus key → address of its delegate, for ever
	prefixValidator    = 'e' // consensus address → address of its delegate, for ever
	prefixVote         = 'v' // voter → ballot
	prefixExpiry       = 'x' // time, kind, id → nothing: what ends then
	prefixHeader       = 't' // height → time of that header
	prefixGenesis      = 'g' // the one genesis record
	prefixClock        = 'h' // the one clock record: height and time of the last block
	prefixHead         = 'm' // the one head record
)

// FromHeaders tells which keys hold nothing but what the headers say: the times
// of the last ones, and height and time of the last one. They change with every
// block, also an empty one, so a node may keep them out of its authenticated tree.
func FromHeaders(key []byte) bool {
	return len(key) > 0 && (key[0] == prefixHeader || key[0] == prefixClock)
}

func key(prefix byte, parts ...[]byte) []byte {
	return append([]byte{prefix}, slices.Concat(parts...)...)
}

// AccountKey is where an account lies in the store, for proofs (PROTOCOL.md 4.8).
func AccountKey(a types.Address) []byte { return key(prefixAccount, a[:]) }

// ChannelKey is where an open channel lies in the store, for proofs.
func ChannelKey(id types.Hash) []byte { return key(prefixChannel, id[:]) }

// AnnouncementKey is where a live announcement lies in the store, for proofs.
func AnnouncementKey(id types.Hash) []byte { return key(prefixAnnouncement, id[:]) }

// SettlementKey is where a closed channel lies that awaits its receipt.
func SettlementKey(id types.Hash) []byte { return key(prefixSettlement, id[:]) }

// ReceiptKey is where the receipt of a closed channel lies.
func ReceiptKey(id types.Hash) []byte { return key(prefixReceipt, id[:]) }

// DelegateKey is where a delegate lies in the store.
func DelegateKey(a types.Address) []byte { return key(prefixDelegate, a[:]) }

func voteKey(a types.Address) []byte { return key(prefixVote, a[:]) }

func consensusKey(pub []byte) []byte { return key(prefixConsensus, pub) }

func validatorKey(addr []byte) []byte { return key(prefixValidator, addr) }

func headerKey(height int64) []byte { return key(prefixHeader, be64(uint64(height))) }

func expiryKey(time int64, kind byte, id [32]byte) []byte {
	return key(prefixExpiry, be64(uint64(time)), []byte{kind}, id[:])
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// ConsensusAddress is CometBFT's name for a validator: the first 20 bytes of
// the SHA-256 of its ed25519 key.
func ConsensusAddress(pub []byte) []byte {
	sum := sha256.Sum256(pub)
	return sum[:20]
}

// ChannelID names the channel that an OPEN of from with that nonce makes (3.1).
func ChannelID(ledger types.Hash, from types.Address, nonce uint64) types.Hash {
	return types.HashOf("channel", ledger[:], from[:], be64(nonce))
}
