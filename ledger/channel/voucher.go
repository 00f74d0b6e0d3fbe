package channel

import "github.com/zennet/zennet/ledger/types"

// Voucher is the payer's signed word that the payee of a channel may claim up
// to Amount in all (PROTOCOL.md 3.2). Amounts are cumulative: the newest voucher
// replaces all before it.
type Voucher struct {
	Channel   types.Hash      `cbor:"1,keyasint" json:"channel"`
	Seq       uint64          `cbor:"2,keyasint" json:"seq"` // from 1
	Amount    types.Amount    `cbor:"3,keyasint" json:"amount"`
	UsageHash types.Hash      `cbor:"4,keyasint" json:"usage_hash"` // hash of the agreed usage that Amount pays
	Sig       types.Signature `cbor:"5,keyasint" json:"-"`          // by the payer, over the rest
}

// SignedKind is the kind of a voucher's signature (types.Verify).
const SignedKind = "voucher"

// Signed is what is signed: the encoding of the voucher with an empty signature.
func (v Voucher) Signed() []byte {
	v.Sig = types.Signature{}
	return types.Encode(v)
}

// Sign returns v with the payer's signature.
func (v Voucher) Sign(key types.PrivateKey, ledger types.Hash) Voucher {
	v.Sig = key.Sign(SignedKind, ledger, v.Signed())
	return v
}

// Verify checks the payer's signature, or returns types.ErrSignature.
func (v Voucher) Verify(payer types.Address, ledger types.Hash) error {
	return types.Verify(payer, SignedKind, ledger, v.Signed(), v.Sig)
}
