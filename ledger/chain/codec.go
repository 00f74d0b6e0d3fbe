package chain

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// MaxTxBytes bounds the encoding of one transaction.
const MaxTxBytes = 64 << 10

const signedKind = "tx"

// EncodeTx is the transaction's canonical encoding, as it is sent and stored in
// blocks.
func EncodeTx(tx Tx) []byte { return types.Encode(tx) }

// DecodeTx reads exactly what EncodeTx writes, at most MaxTxBytes, with exactly
// one payload; all else is ErrTx. Neither signature nor state is looked at.
func DecodeTx(data []byte) (Tx, error) {
	var tx Tx
	if len(data) > MaxTxBytes {
		return Tx{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTx, len(data), MaxTxBytes)
	}
	if err := types.Decode(data, &tx); err != nil {
		return Tx{}, fmt.Errorf("%w: %w", ErrTx, err)
	}
	if _, err := ruleOf(&tx.Body); err != nil {
		return Tx{}, err
	}
	return tx, nil
}

// ID is the transaction's name: the hash of its body (PROTOCOL.md 4.2).
func (t Tx) ID() types.Hash { return t.Body.ID() }

// ID is the id of the transaction with this body, known before it is signed.
func (b Body) ID() types.Hash { return types.HashOf("tx-id", types.Encode(b)) }

// Sign makes the transaction of a body. The key should be that of b.From.
func (b Body) Sign(key types.PrivateKey, ledger types.Hash) Tx {
	return Tx{Body: b, Sig: key.Sign(signedKind, ledger, types.Encode(b))}
}

// RegisterMessage is what a consensus key signs (ed25519) to become the key of
// a delegate (PROTOCOL.md 4.5).
func RegisterMessage(ledger types.Hash, from types.Address) []byte {
	h := types.HashOf("register", ledger[:], from[:])
	return h[:]
}
