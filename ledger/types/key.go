package types

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/bech32"
)

// Hash is a SHA-256 value; as text, 64 hex digits.
type Hash [32]byte

// HashOf is the tagged hash of BIP-340 with tag "zennet/<kind>/1" over the
// parts, each preceded by nothing: callers pass parts of fixed length, or one
// canonical encoding.
func HashOf(kind string, parts ...[]byte) Hash {
	tag := sha256.Sum256([]byte("zennet/" + kind + "/1"))
	h := sha256.New()
	h.Write(tag[:])
	h.Write(tag[:])
	for _, p := range parts {
		h.Write(p)
	}
	return Hash(h.Sum(nil))
}

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short is the first 12 hex digits, for people.
func (h Hash) Short() string { return hex.EncodeToString(h[:6]) }

// IsZero reports whether no hash was set.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText is the hash in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hex digits, or returns ErrHash.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 64 {
		return fmt.Errorf("%w: %d characters", ErrHash, len(text))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("%w: %q", ErrHash, text)
	}
	return nil
}

// MarshalCBOR encodes the hash as a byte string of 32.
func (h Hash) MarshalCBOR() ([]byte, error) { return marshalFixed(h[:]) }

// UnmarshalCBOR reads a byte string of 32.
func (h *Hash) UnmarshalCBOR(data []byte) error { return unmarshalFixed(data, h[:]) }

// Address names an account and a peer: the x-only secp256k1 public key of
// BIP-340, 32 bytes. As text it is bech32m with prefix "zen" ("zen1…").
type Address [32]byte

// String is the bech32m form, "zen1…".
func (a Address) String() string {
	data := must(bech32.ConvertBits(a[:], 8, 5, true))
	return must(bech32.EncodeM("zen", data))
}

// Short is the address for narrow tables, "zen1abcd…wxyz".
func (a Address) Short() string {
	s := a.String()
	return s[:8] + "…" + s[len(s)-4:]
}

// IsZero reports whether no address was set.
func (a Address) IsZero() bool { return a == Address{} }

// ParseAddress reads "zen1…" in bech32m, or returns ErrAddress.
func ParseAddress(s string) (Address, error) {
	var a Address
	hrp, data, version, err := bech32.DecodeGeneric(s)
	if err != nil || hrp != "zen" || version != bech32.VersionM {
		return a, fmt.Errorf("%w: %q", ErrAddress, s)
	}
	raw, err := bech32.ConvertBits(data, 5, 8, false)
	if err != nil || len(raw) != len(a) {
		return a, fmt.Errorf("%w: %q", ErrAddress, s)
	}
	copy(a[:], raw)
	if err := a.Validate(); err != nil {
		return Address{}, fmt.Errorf("%w (%q)", err, s)
	}
	return a, nil
}

// Validate returns ErrAddress where the address is the X of no point of the
// curve, so that nobody can ever sign for it.
func (a Address) Validate() error {
	if _, err := schnorr.ParsePubKey(a[:]); err != nil {
		return fmt.Errorf("%w: %x is no point of the curve", ErrAddress, a[:])
	}
	return nil
}

// Compare orders addresses by their bytes: -1, 0 or 1.
func (a Address) Compare(b Address) int { return bytes.Compare(a[:], b[:]) }

// MarshalText is the bech32m form.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is ParseAddress.
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAddress(string(text))
	return err
}

// MarshalCBOR encodes the address as a byte string of 32.
func (a Address) MarshalCBOR() ([]byte, error) { return marshalFixed(a[:]) }

// UnmarshalCBOR reads a byte string of 32.
func (a *Address) UnmarshalCBOR(data []byte) error { return unmarshalFixed(data, a[:]) }

// Signature is a BIP-340 signature.
type Signature [64]byte

// MarshalCBOR encodes the signature as a byte string of 64.
func (s Signature) MarshalCBOR() ([]byte, error) { return marshalFixed(s[:]) }

// UnmarshalCBOR reads a byte string of 64.
func (s *Signature) UnmarshalCBOR(data []byte) error { return unmarshalFixed(data, s[:]) }

func marshalFixed(b []byte) ([]byte, error) { return encMode.Marshal(b) }

func unmarshalFixed(data, into []byte) error {
	var b []byte
	if err := decMode.Unmarshal(data, &b); err != nil {
		return err
	}
	if len(b) != len(into) {
		return fmt.Errorf("%w: %d bytes, want %d", ErrEncoding, len(b), len(into))
	}
	copy(into, b)
	return nil
}

// PrivateKey is a secp256k1 key whose public key has even Y, so that the
// address alone determines it (PROTOCOL.md 1.3). The zero value is no key.
type PrivateKey struct {
	key  *btcec.PrivateKey
	addr Address
}

// NewKey draws a key from rand, a cryptographic source.
func NewKey(rand io.Reader) (PrivateKey, error) {
	for {
		var b [32]byte
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return PrivateKey{}, fmt.Errorf("draw a key: %w", err)
		}
		if k, err := KeyFromBytes(b[:]); err == nil {
			return k, nil
		}
	}
}

// KeyFromBytes makes the key of a 32-byte scalar. A scalar whose point has odd
// Y is replaced by its negation, which has the same address. Zero or a value
// beyond the group order is ErrKey.
func KeyFromBytes(b []byte) (PrivateKey, error) {
	var scalar btcec.ModNScalar
	if len(b) != 32 || scalar.SetByteSlice(b) || scalar.IsZero() {
		return PrivateKey{}, ErrKey
	}
	key := btcec.PrivKeyFromScalar(&scalar)
	if key.PubKey().SerializeCompressed()[0] == 3 {
		scalar.Negate()
		key = btcec.PrivKeyFromScalar(&scalar)
	}
	return PrivateKey{key, Address(schnorr.SerializePubKey(key.PubKey()))}, nil
}

// Bytes is the 32-byte scalar; keep it secret.
func (k PrivateKey) Bytes() []byte { return k.key.Serialize() }

// Address is the key's account.
func (k PrivateKey) Address() Address { return k.addr }

// IsZero reports whether no key was set.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Sign signs body for one ledger and one kind of message ("tx", "voucher",
// "usage", "contract", …). The signature is deterministic.
func (k PrivateKey) Sign(kind string, ledger Hash, body []byte) Signature {
	h := HashOf(kind, ledger[:], body)
	sig, err := schnorr.Sign(k.key, h[:])
	if err != nil {
		panic(err) // cannot happen for a key in range and a 32-byte hash
	}
	return Signature(sig.Serialize())
}

// Verify checks a signature that Sign made with the key of addr; a bad one is
// ErrSignature.
func Verify(addr Address, kind string, ledger Hash, body []byte, sig Signature) error {
	pub, err := schnorr.ParsePubKey(addr[:])
	if err != nil {
		return fmt.Errorf("%w: %v", ErrSignature, ErrAddress)
	}
	s, err := schnorr.ParseSignature(sig[:])
	if err != nil {
		return fmt.Errorf("%w: %s", ErrSignature, kind)
	}
	h := HashOf(kind, ledger[:], body)
	if !s.Verify(h[:], pub) {
		return fmt.Errorf("%w: %s by %s", ErrSignature, kind, addr.Short())
	}
	return nil
}
