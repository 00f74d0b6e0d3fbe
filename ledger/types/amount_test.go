package types_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"pgregory.net/rapid"
)

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text string
		want types.Amount
		err  error
	}{
		{"2.5 XEN", 2_500_000_000, nil},
		{"2.5XEN", 2_500_000_000, nil},
		{" 0.000000001 XEN ", 1, nil},
		{"700 nXEN", 700, nil},
		{"0 XEN", 0, nil},
		{"007 XEN", 7 * types.XEN, nil},
		{"18446744073709551615 nXEN", math.MaxUint64, nil},
		{"18446744073.709551615 XEN", math.MaxUint64, nil},
		{"18446744073.709551616 XEN", 0, types.ErrOverflow},
		{"18446744074 XEN", 0, types.ErrAmount},
		{"18446744073709551616 nXEN", 0, types.ErrAmount},
		{"99999999999999999999999 XEN", 0, types.ErrAmount},
		{"2.5", 0, types.ErrAmount},
		{"XEN", 0, types.ErrAmount},
		{".5 XEN", 0, types.ErrAmount},
		{"5. XEN", 0, types.ErrAmount},
		{"-1 XEN", 0, types.ErrAmount},
		{"+1 XEN", 0, types.ErrAmount},
		{"1e3 XEN", 0, types.ErrAmount},
		{"1,5 XEN", 0, types.ErrAmount},
		{"1.5 nXEN", 0, types.ErrAmount},
		{"0.0000000001 XEN", 0, types.ErrAmount},
		{"1 000 XEN", 0, types.ErrAmount},
		{"1 xen", 0, types.ErrAmount},
		{"", 0, types.ErrAmount},
	} {
		got, err := types.ParseAmount(c.text)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: %d, %v; want %d, %v", c.text, got, err, c.want, c.err)
		}
	}
}

func TestAmountPrintsExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := types.Amount(rapid.Uint64().Draw(t, "amount"))
		back, err := types.ParseAmount(a.String())
		if err != nil || back != a {
			t.Fatalf("%d prints as %q, which reads as %d, %v", a, a, back, err)
		}
	})
}

func TestAmountArithmetic(t *testing.T) {
	word := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 10), rapid.Uint64Range(math.MaxUint64-10, math.MaxUint64))
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		A, B, C := new(big.Int).SetUint64(a), new(big.Int).SetUint64(b), new(big.Int).SetUint64(c)
		same := func(name string, got types.Amount, err error, want *big.Int, kind error) {
			if want.IsUint64() && (err != nil || uint64(got) != want.Uint64()) {
				t.Fatalf("%s: %d, %v; want %s", name, got, err, want)
			}
			if !want.IsUint64() && (!errors.Is(err, kind) || got != 0) {
				t.Fatalf("%s: %d, %v; want %v", name, got, err, kind)
			}
		}
		sum, err := types.Amount(a).Add(types.Amount(b))
		same("sum", sum, err, new(big.Int).Add(A, B), types.ErrOverflow)
		rest, err := types.Amount(a).Sub(types.Amount(b))
		same("rest", rest, err, new(big.Int).Sub(A, B), types.ErrUnderflow)
		part, err := types.Amount(a).MulDiv(b, c)
		if c == 0 {
			if !errors.Is(err, types.ErrOverflow) {
				t.Fatalf("division by 0 gives %v", err)
			}
			return
		}
		same("part", part, err, new(big.Int).Div(new(big.Int).Mul(A, B), C), types.ErrOverflow)
	})
}
