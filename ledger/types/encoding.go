package types

import (
	"bytes"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

var (
	encMode = must(encOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		UTF8:              cbor.UTF8RejectInvalid,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   16,
		MaxArrayElements:  1 << 20,
		MaxMapPairs:       1 << 20,
	}.DecMode())
)

func encOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty // nil and empty mean the same, so they are written the same
	return o
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Encode returns the canonical encoding of v: CBOR, core deterministic (RFC
// 8949, 4.2.1). Structs should use the "keyasint" or "toarray" options. It
// panics where v's type has no encoding, which is a programming error.
func Encode(v any) []byte {
	return must(encMode.Marshal(v))
}

// Decode reads the canonical encoding of a value into v, a pointer. Bytes that
// Encode would not give back — unsorted or duplicate keys, longer integers,
// unknown fields, trailing bytes — are ErrEncoding. The caller bounds the size
// of data before.
func Decode(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %v", ErrEncoding, err)
	}
	if again, err := encMode.Marshal(v); err != nil || !bytes.Equal(again, data) {
		return fmt.Errorf("%w: %T has another encoding", ErrEncoding, v)
	}
	return nil
}
