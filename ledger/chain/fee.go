package chain

import (
	"math"
	"math/bits"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// settlementBytes is what a settlement takes in the store, roughly.
const settlementBytes = 256

// FeeOf is all that a transaction takes from its signer beside the amounts that
// it names (PROTOCOL.md 4.6): base + bytes·a + bytes·lifetime·b, in nXEN, and for
// OPEN the prepaid fee of its end. CLOSE and REFUND are free.
//
// Lifetimes count from now, the block's time in Unix seconds; an earlier now
// never gives a lower fee, so a signer may offer FeeOf at the newest header. The
// nonce and the offered fee do not matter. Where it leaves 64 bits, it is the
// greatest Amount, which nobody owns.
func FeeOf(p Params, b Body, now int64) types.Amount {
	rule, err := ruleOf(&b)
	if err != nil || rule.free {
		return 0
	}
	fee := ownFee(p, b, rule, now)
	if b.Open != nil {
		fee = saturate(fee.Add(CloseFee(p)))
	}
	return fee
}

// CloseFee is what OPEN prepays for the channel's CLOSE or REFUND: the fee of
// the longest CLOSE, and the settlement's stay in the store.
func CloseFee(p Params) types.Amount {
	id := types.Hash{}
	longest := Body{Close: &Close{Channel: id, Claim: math.MaxUint64,
		Voucher: &channel.Voucher{Channel: id, Seq: math.MaxUint64, Amount: math.MaxUint64}}}
	stay := storeFee(p, settlementBytes, p.ReceiptSeconds)
	return saturate(stay.Add(fee(p, len(EncodeTx(Tx{Body: longest})), 0)))
}

// ownFee is the fee without what OPEN prepays: what a failed transaction pays.
func ownFee(p Params, b Body, rule *rule, now int64) types.Amount {
	stays := int64(0)
	if rule.lifetime != nil {
		stays = rule.lifetime(&b, max(now, 0))
	}
	b.Nonce, b.Fee = math.MaxUint64, math.MaxUint64 // so that the fee does not depend on them
	return fee(p, len(EncodeTx(Tx{Body: b})), stays)
}

func fee(p Params, bytes int, seconds int64) types.Amount {
	hi, lo := bits.Mul64(uint64(p.FeeByte), uint64(bytes))
	if hi != 0 {
		return math.MaxUint64
	}
	size := saturate(p.FeeBase.Add(types.Amount(lo)))
	return saturate(size.Add(storeFee(p, bytes, seconds)))
}

// storeFee is ⌈bytes·seconds·FeeStore/3600⌉.
func storeFee(p Params, bytes int, seconds int64) types.Amount {
	if seconds <= 0 {
		return 0
	}
	hi, amount := bits.Mul64(uint64(bytes), uint64(seconds))
	if hi != 0 {
		return math.MaxUint64
	}
	const hour = 3600
	hi, lo := bits.Mul64(amount, uint64(p.FeeStore))
	lo, carry := bits.Add64(lo, hour-1, 0)
	if hi+carry >= hour {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi+carry, lo, hour)
	return types.Amount(q)
}

// saturate turns an overflow into the greatest Amount.
func saturate(a types.Amount, err error) types.Amount {
	if err != nil {
		return math.MaxUint64
	}
	return a
}
