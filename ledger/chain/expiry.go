package chain

import (
	"encoding/binary"
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// What may end at a time, in the index of expiries.
const (
	expireAnnouncement = 'n'
	expireSettlement   = 's'
	expireReceipt      = 'r'
	expireBond         = 'b'
)

// expireAt puts something into the index of expiries: it ends in the first
// block whose time has reached the given one.
func (s *State) expireAt(time int64, kind byte, id [32]byte) {
	s.kv.Set(expiryKey(time, kind, id), []byte{1})
}

// expire ends everything whose time has come (4.7).
func (s *State) expire() {
	var due [][]byte
	s.kv.Iterate([]byte{prefixExpiry}, func(key, _ []byte) bool {
		if expiryTime(key) > s.now() {
			return false
		}
		due = append(due, append([]byte(nil), key...))
		return true
	})
	for _, key := range due {
		s.kv.Delete(key)
		kind, id := key[9], [32]byte(key[10:])
		switch kind {
		case expireAnnouncement:
			s.dropAnnouncement(id)
		case expireSettlement:
			s.kv.Delete(SettlementKey(id))
		case expireReceipt:
			s.kv.Delete(ReceiptKey(id))
		case expireBond:
			s.returnBond(types.Address(id))
		default:
			s.fail(fmt.Errorf("%w: %q ends", ErrStore, kind))
		}
	}
}

func expiryTime(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[1:9])) }
