package types_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
)

func newKey(t *testing.T, name string) types.PrivateKey {
	t.Helper()
	secret := sha256.Sum256([]byte(name))
	key, err := types.KeyFromBytes(secret[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PROTOCOL.md 4.2: a signature is for one kind, one ledger, one body, one key.
func TestSignatureIsForOneThing(t *testing.T) {
	alice, bob := newKey(t, "alice"), newKey(t, "bob")
	ledger, body := types.Hash{1}, []byte("body")
	sig := alice.Sign("tx", ledger, body)
	if sig != alice.Sign("tx", ledger, body) {
		t.Error("signing twice gives two signatures")
	}
	broken := sig
	broken[63] ^= 1
	for name, c := range map[string]struct {
		by     types.Address
		kind   string
		ledger types.Hash
		body   string
		sig    types.Signature
		want   error
	}{
		"good":           {alice.Address(), "tx", ledger, "body", sig, nil},
		"other key":      {bob.Address(), "tx", ledger, "body", sig, types.ErrSignature},
		"other kind":     {alice.Address(), "voucher", ledger, "body", sig, types.ErrSignature},
		"other ledger":   {alice.Address(), "tx", types.Hash{2}, "body", sig, types.ErrSignature},
		"other body":     {alice.Address(), "tx", ledger, "Body", sig, types.ErrSignature},
		"broken":         {alice.Address(), "tx", ledger, "body", broken, types.ErrSignature},
		"none":           {alice.Address(), "tx", ledger, "body", types.Signature{}, types.ErrSignature},
		"r out of range": {alice.Address(), "tx", ledger, "body", types.Signature(bytes.Repeat([]byte{0xff}, 64)), types.ErrSignature},
		"no point":       {types.Address(bytes.Repeat([]byte{0xff}, 32)), "tx", ledger, "body", sig, types.ErrSignature},
		"no address":     {types.Address{}, "tx", ledger, "body", sig, types.ErrSignature},
	} {
		if err := types.Verify(c.by, c.kind, c.ledger, []byte(c.body), c.sig); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestKeyRefused(t *testing.T) {
	order, _ := hex.DecodeString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	for name, b := range map[string][]byte{
		"nil": nil, "zero": make([]byte, 32), "31 bytes": make([]byte, 31), "33 bytes": append(make([]byte, 32), 1),
		"group order": order, "beyond it": bytes.Repeat([]byte{0xff}, 32),
	} {
		if key, err := types.KeyFromBytes(b); !errors.Is(err, types.ErrKey) || !key.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := types.NewKey(bytes.NewReader(make([]byte, 40))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that runs dry gives %v", err)
	}
	zeroThenOne := append(make([]byte, 63), 1)
	if key, err := types.NewKey(bytes.NewReader(zeroThenOne)); err != nil || key.IsZero() {
		t.Errorf("a draw of zero is not repeated: %v", err)
	}
}

func TestTextForms(t *testing.T) {
	type both struct {
		Hash    types.Hash    `json:"hash"`
		Address types.Address `json:"address"`
	}
	want := both{types.HashOf("x"), newKey(t, "alice").Address()}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got both
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("%s reads as %v, %v", text, got, err)
	}
	if h, a := want.Hash, want.Address; len(h.Short()) != 12 || !strings.HasPrefix(a.Short(), "zen1") {
		t.Errorf("short forms %q, %q", h.Short(), a.Short())
	}
	for _, bad := range []string{"", strings.Repeat("0", 63), strings.Repeat("g", 64), strings.Repeat("0", 65)} {
		if err := new(types.Hash).UnmarshalText([]byte(bad)); !errors.Is(err, types.ErrHash) {
			t.Errorf("%q as a hash: %v", bad, err)
		}
	}
}
