package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// txVectors are made by ledger/types/testdata/vectors.py, without this module.
type txVectors struct {
	Ledger       types.Hash
	Channel      struct{ ID types.Hash }
	Transactions []struct {
		Name string
		ID   types.Hash
		Tx   string
	}
}

func readVectors(t testing.TB) txVectors {
	t.Helper()
	data, err := os.ReadFile("../types/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v txVectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// vectorBodies are what the vectors of those names mean.
func vectorBodies(v txVectors) map[string]Body {
	hash := types.Hash(sha256.Sum256([]byte("a hash")))
	id := v.Channel.ID
	pub := sha256.Sum256([]byte("consensus"))
	var sig [64]byte
	for i := range sig {
		sig[i] = byte(i)
	}
	alice, bob := addr("alice"), addr("bob")
	voucher := &channel.Voucher{Channel: id, Seq: 3, Amount: 1_500_000_000, UsageHash: hash}
	return map[string]Body{
		"transfer":              {From: alice, Fee: 100_000, Transfer: &Transfer{bob, math.MaxUint64}},
		"open":                  {From: alice, Nonce: 7, Fee: 1_000_000, Open: &Open{bob, hash, 5_000_000_000, 1_800_000_000}},
		"topup":                 {From: alice, Nonce: 300, Fee: 24, TopUp: &TopUp{id, 1, 0}},
		"close":                 {From: bob, Close: &Close{id, 1_500_000_000, voucher}},
		"close without voucher": {From: bob, Close: &Close{Channel: id}},
		"refund":                {From: alice, Refund: &Refund{id}},
		"announce":              {From: alice, Nonce: 8, Fee: 65536, Announce: &Announce{[]byte("wanted"), 3600}},
		"withdraw":              {From: alice, Nonce: 9, Fee: 5, Withdraw: &Withdraw{hash}},
		"receipt":               {From: alice, Nonce: 10, Fee: 5, Receipt: &Receipt{id, hash, VerdictOK, 1_800_000_000}},
		"register":              {From: bob, Nonce: 1, Fee: 5, Register: &Register{pub[:], sig[:], "bob’s"}},
		"resign":                {From: bob, Nonce: 2, Fee: 5, Resign: &Resign{}},
		"unjail":                {From: bob, Nonce: 3, Fee: 5, Unjail: &Unjail{}},
		"vote":                  {From: alice, Nonce: 11, Fee: 5, Vote: &Vote{sorted("alice", "bob")}},
		"vote for none":         {From: alice, Nonce: 12, Fee: 5, Vote: &Vote{}},
	}
}

func TestTxVectors(t *testing.T) {
	v := readVectors(t)
	want := vectorBodies(v)
	if got := ChannelID(v.Ledger, addr("alice"), 7); got != v.Channel.ID {
		t.Errorf("channel %s, want %s", got, v.Channel.ID)
	}
	for _, c := range v.Transactions {
		data, _ := hex.DecodeString(c.Tx)
		tx, err := DecodeTx(data)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if again := EncodeTx(tx); !bytes.Equal(again, data) {
			t.Errorf("%s: encodes as %x, want %x", c.Name, again, data)
		}
		body, known := want[c.Name]
		delete(want, c.Name)
		ignore := cmpopts.IgnoreFields(channel.Voucher{}, "Sig")
		if diff := cmp.Diff(body, tx.Body, ignore, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Resign{}, Unjail{})); !known || diff != "" {
			t.Errorf("%s: %s", c.Name, diff)
		}
		if tx.ID() != c.ID || tx.Body.ID() != c.ID {
			t.Errorf("%s: id %s, want %s", c.Name, tx.ID(), c.ID)
		}
		if err := types.Verify(tx.Body.From, "tx", v.Ledger, types.Encode(tx.Body), tx.Sig); err != nil {
			t.Errorf("%s: signed by BIP-340's own signing: %v", c.Name, err)
		}
		if tx.Body.Close != nil && tx.Body.Close.Voucher != nil {
			if err := tx.Body.Close.Voucher.Verify(addr("alice"), v.Ledger); err != nil {
				t.Errorf("%s: voucher: %v", c.Name, err)
			}
		}
	}
	if len(want) != 0 {
		t.Errorf("no vector for %v", want)
	}
}

func TestDecodeTxRefuses(t *testing.T) {
	good := Body{From: addr("alice"), Nonce: 1, Fee: 2, Transfer: &Transfer{addr("bob"), 3}}.Sign(newKey("alice"), types.Hash{1})
	data := EncodeTx(good)
	large := good
	large.Body.Transfer, large.Body.Announce = nil, &Announce{make([]byte, MaxTxBytes), 1}
	two := good
	two.Body.Resign = &Resign{}
	none := good
	none.Body.Transfer = nil
	for name, c := range map[string][]byte{
		"nothing":       nil,
		"trailing byte": append(bytes.Clone(data), 0),
		"cut":           data[:len(data)-1],
		"too large":     EncodeTx(large),
		"two payloads":  EncodeTx(two),
		"no payload":    EncodeTx(none),
		"null payload":  bytes.Replace(EncodeTx(none), []byte{0xa3}, []byte{0xa4}, 1),
		"JSON":          []byte(`{"body":{}}`),
	} {
		if _, err := DecodeTx(c); !errors.Is(err, ErrTx) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The largest that fits is read, and refused by the state's rules, not by the decoder's.
	large.Body.Announce.Body = make([]byte, MaxTxBytes-len(EncodeTx(large))+MaxTxBytes)
	if got := len(EncodeTx(large)); got > MaxTxBytes {
		t.Fatalf("%d bytes", got)
	}
	tx, err := DecodeTx(EncodeTx(large))
	if err != nil {
		t.Errorf("the largest: %v", err)
	}
	w := newWorld(t)
	if err := w.Validate(&tx); !errors.Is(err, ErrLimit) {
		t.Errorf("the largest: %v", err)
	}
}

// A register message is for one ledger and one account.
func TestRegisterMessage(t *testing.T) {
	a := RegisterMessage(types.Hash{1}, addr("alice"))
	if bytes.Equal(a, RegisterMessage(types.Hash{2}, addr("alice"))) || bytes.Equal(a, RegisterMessage(types.Hash{1}, addr("bob"))) || len(a) != 32 {
		t.Error("messages are alike")
	}
}

func FuzzDecodeTx(f *testing.F) {
	for _, c := range readVectors(f).Transactions {
		data, _ := hex.DecodeString(c.Tx)
		f.Add(data)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		tx, err := DecodeTx(data)
		if err != nil {
			return
		}
		if again := EncodeTx(tx); !bytes.Equal(again, data) {
			t.Errorf("accepted %x, which encodes as %x", data, again)
		}
		FeeOf(w.Params(), tx.Body, math.MinInt64)
		w.SetVerifier(func(types.Address, string, types.Hash, []byte, types.Signature) error { return nil })
		if err := w.Validate(&tx); err == nil && tx.Body.Kind() == "" {
			t.Errorf("%x has no kind and is valid", data)
		}
	})
}

// Records come from a peer's store with proofs: nothing in them may panic, and
// what is accepted encodes as it was.
func FuzzDecodeRecord(f *testing.F) {
	w := newWorld(f)
	w.open()
	w.announce(1)
	for _, value := range dump(w.kv) {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(v any, err error) {
			if err == nil && !bytes.Equal(types.Encode(v), data) {
				t.Errorf("accepted %x, which encodes as %x", data, types.Encode(v))
			}
		}
		account, err := DecodeAccount(data)
		check(account, err)
		ch, err := DecodeChannel(data)
		check(ch, err)
		ann, err := DecodeAnnouncement(data)
		check(ann, err)
		left, err := DecodeSettlement(data)
		check(left, err)
		receipt, err := DecodeReceipt(data)
		check(receipt, err)
		delegate, err := DecodeDelegate(data)
		check(delegate, err)
	})
}
