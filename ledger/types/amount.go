package types

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Amount is a sum of money in nXEN; 1 XEN is 10⁹ nXEN. It is never negative
// and never a float.
type Amount uint64

// XEN is one whole coin.
const XEN Amount = 1_000_000_000

// Add returns a + b, or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	sum, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return 0, fmt.Errorf("%w: %d + %d nXEN", ErrOverflow, uint64(a), uint64(b))
	}
	return Amount(sum), nil
}

// Sub returns a - b, or ErrUnderflow where b exceeds a.
func (a Amount) Sub(b Amount) (Amount, error) {
	if b > a {
		return 0, fmt.Errorf("%w: %d - %d nXEN", ErrUnderflow, uint64(a), uint64(b))
	}
	return a - b, nil
}

// MulDiv returns ⌊a·num/den⌋ computed in 128 bits. It returns ErrOverflow where
// the result exceeds 64 bits or den is 0.
func (a Amount) MulDiv(num, den uint64) (Amount, error) {
	hi, lo := bits.Mul64(uint64(a), num)
	if hi >= den {
		return 0, fmt.Errorf("%w: %d·%d/%d nXEN", ErrOverflow, uint64(a), num, den)
	}
	q, _ := bits.Div64(hi, lo, den)
	return Amount(q), nil
}

// String prints the amount in XEN, exactly: "2.5 XEN", "0.000000001 XEN".
func (a Amount) String() string {
	whole, frac := a/XEN, a%XEN
	if frac == 0 {
		return strconv.FormatUint(uint64(whole), 10) + " XEN"
	}
	digits := strings.TrimRight(fmt.Sprintf("%09d", uint64(frac)), "0")
	return fmt.Sprintf("%d.%s XEN", uint64(whole), digits)
}

// ParseAmount reads "2.5 XEN", "2.5XEN" or "700 nXEN". A unit is required, at
// most nine decimals are taken, and nothing is rounded.
func ParseAmount(s string) (Amount, error) {
	text := strings.TrimSpace(s)
	var scale Amount
	switch {
	case strings.HasSuffix(text, "nXEN"):
		text, scale = strings.TrimSuffix(text, "nXEN"), 1
	case strings.HasSuffix(text, "XEN"):
		text, scale = strings.TrimSuffix(text, "XEN"), XEN
	default:
		return 0, fmt.Errorf("%w: %q has no unit (XEN or nXEN)", ErrAmount, s)
	}
	text = strings.TrimSpace(text)
	whole, frac, dotted := strings.Cut(text, ".")
	if !digits(whole) || dotted && (!digits(frac) || scale == 1 || len(frac) > 9) {
		return 0, fmt.Errorf("%w: %q (want for example 2.5 XEN or 700 nXEN)", ErrAmount, s)
	}
	w, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || w > math.MaxUint64/uint64(scale) {
		return 0, fmt.Errorf("%w: %q is too large", ErrAmount, s)
	}
	sum := Amount(w) * scale
	if dotted {
		f, _ := strconv.ParseUint(frac+strings.Repeat("0", 9-len(frac)), 10, 64)
		return sum.Add(Amount(f))
	}
	return sum, nil
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
