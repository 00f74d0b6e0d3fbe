package types_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/types"
)

// sample has one field of every shape that Zennet's messages use.
type sample struct {
	Count   uint64            `cbor:"1,keyasint"`
	Time    int64             `cbor:"2,keyasint"`
	Hash    types.Hash        `cbor:"3,keyasint"`
	Data    []byte            `cbor:"4,keyasint"`
	Text    string            `cbor:"5,keyasint"`
	List    []types.Amount    `cbor:"6,keyasint"`
	Map     map[string]string `cbor:"7,keyasint"`
	Nested  *sample           `cbor:"8,keyasint,omitempty"`
	Address types.Address     `cbor:"9,keyasint"`
	Sig     types.Signature   `cbor:"10,keyasint"`
}

const (
	emptyHead = "a9" + "0100" + "0200" + "035820" + zeros32
	zeros32   = "0000000000000000000000000000000000000000000000000000000000000000"
	emptyTail = "095820" + zeros32 + "0a5840" + zeros32 + zeros32
	empty     = emptyHead + "0440" + "0560" + "0680" + "07a0" + emptyTail
)

func TestEncodeEmpty(t *testing.T) {
	if got := hex.EncodeToString(types.Encode(sample{})); got != empty {
		t.Errorf("nil containers: %s, want %s", got, empty)
	}
	full := sample{Data: []byte{}, List: []types.Amount{}, Map: map[string]string{}}
	if got := hex.EncodeToString(types.Encode(full)); got != empty {
		t.Errorf("empty containers: %s, want %s", got, empty)
	}
}

func TestDecodeIsStrict(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":             "",
		"trailing byte":       empty + "00",
		"cut":                 empty[:len(empty)-2],
		"null data":           emptyHead + "04f6" + "0560" + "0680" + "07a0" + emptyTail,
		"null list":           emptyHead + "0440" + "0560" + "06f6" + "07a0" + emptyTail,
		"null map":            emptyHead + "0440" + "0560" + "0680" + "07f6" + emptyTail,
		"null nested":         "aa" + emptyHead[2:] + "0440" + "0560" + "0680" + "07a0" + "08f6" + emptyTail,
		"long integer":        "a9" + "011800" + empty[6:],
		"integer as float":    "a9" + "01f90000" + empty[6:],
		"unsorted keys":       "a9" + "0200" + "0100" + empty[10:],
		"duplicate key":       "aa" + "0100" + "0100" + empty[6:],
		"missing key":         "a8" + "0200" + empty[10:],
		"unknown key":         "aa" + empty[2:] + "0b00",
		"indefinite map":      "bf" + empty[2:] + "ff",
		"indefinite bytes":    emptyHead + "045fff" + "0560" + "0680" + "07a0" + emptyTail,
		"indefinite list":     emptyHead + "0440" + "0560" + "069fff" + "07a0" + emptyTail,
		"tag":                 "c0" + empty,
		"text is no UTF-8":    emptyHead + "0440" + "0561ff" + "0680" + "07a0" + emptyTail,
		"negative count":      "a9" + "0120" + empty[6:],
		"short hash":          "a9" + "0100" + "0200" + "03581f" + zeros32[2:] + "0440" + "0560" + "0680" + "07a0" + emptyTail,
		"unsorted map":        emptyHead + "0440" + "0560" + "0680" + "07a2616260616160" + emptyTail,
		"duplicate in map":    emptyHead + "0440" + "0560" + "0680" + "07a2616160616160" + emptyTail,
		"list that is a lie":  emptyHead + "0440" + "0560" + "069affffffff" + "07a0" + emptyTail,
		"bytes that are none": emptyHead + "045affffffff",
		"array for the map":   "80",
		"integer":             "00",
	} {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var v sample
		if err := types.Decode(data, &v); !errors.Is(err, types.ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, _ := hex.DecodeString(empty)
	if err := types.Decode(good, new(sample)); err != nil {
		t.Errorf("the unchanged bytes: %v", err)
	}
}

func TestEncodeDecode(t *testing.T) {
	want := sample{
		Count: 1 << 63, Time: -1, Hash: types.Hash{9}, Data: []byte("data"), Text: "täxt",
		List: []types.Amount{0, 23, 24, 1 << 32}, Map: map[string]string{"b": "1", "a": "2", "aa": "3"},
		Nested: &sample{Text: "inner"}, Address: types.Address{7}, Sig: types.Signature{8},
	}
	var got sample
	if err := types.Decode(types.Encode(want), &got); err != nil {
		t.Fatal(err)
	}
	// Nil and empty have one encoding, so what comes back is the empty one.
	want.Nested.Data, want.Nested.List, want.Nested.Map = []byte{}, []types.Amount{}, map[string]string{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(types.Encode(sample{}))
	f.Add(types.Encode(sample{Map: map[string]string{"a": "b"}, List: []types.Amount{1, 2}, Nested: &sample{Count: 9}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v sample
		if len(data) > 1<<16 || types.Decode(data, &v) != nil {
			return
		}
		if again := types.Encode(v); !bytes.Equal(again, data) {
			t.Errorf("accepted %x, which encodes as %x", data, again)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	f.Add("zen1pklg3r544n3scjut876enxs5cv9vcknkvcmyl87wzuulk6mc40kqjfvxjk")
	f.Add("zen1")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := types.ParseAddress(text)
		if err != nil {
			return
		}
		if back, err := types.ParseAddress(a.String()); err != nil || back != a {
			t.Errorf("%q is %v, which prints as %q: %v", text, a, a.String(), err)
		}
	})
}

func FuzzParseAmount(f *testing.F) {
	f.Add("2.5 XEN")
	f.Add("18446744073709551615 nXEN")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := types.ParseAmount(text)
		if err != nil {
			return
		}
		if back, err := types.ParseAmount(a.String()); err != nil || back != a {
			t.Errorf("%q is %d, which prints as %q: %v", text, a, a, err)
		}
	})
}
