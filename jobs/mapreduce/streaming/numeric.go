package streaming

import (
	"bytes"
	"cmp"
)

// number is a field as -n reads it: [-]digits[.anything].
//
// Hadoop's own comparison (KeyFieldBasedComparator.numericalCompare) is no order: it
// has 05 = 05.0 = 5 and yet 05 < 5. compare is an order that agrees with it wherever
// it says less or greater, but for two texts that both have a minus and nothing but
// zeros (-x), and keeps the ties of numbers proper (2.5 = 2.50, -0 = 0).
type number struct {
	sign     int    // -1, 0 or 1
	whole    []byte // digits before the point, without leading zeros
	fraction []byte // what follows the point, as it stands
	// mark parts equal numbers: Hadoop compares the byte after the digits, or the
	// field's first byte where the digits end it. Signed, as Java's bytes are.
	mark int8
}

// numberAt reads the number in key[start:end]. start is inside the key; an empty
// range has the byte at start as its mark, as in Hadoop.
func numberAt(key []byte, start, end int) number {
	n := number{sign: 1, mark: int8(key[start])}
	if end <= start {
		n.sign = 0
		return n
	}
	field := key[start:end]
	if field[0] == '-' {
		n.sign = -1
		field = field[1:]
	}
	digits := len(field) - len(bytes.TrimLeft(field, "0123456789"))
	n.whole = bytes.TrimLeft(field[:digits], "0")
	if rest := field[digits:]; len(rest) > 0 {
		n.mark = int8(rest[0])
		if rest[0] == '.' {
			n.fraction = rest[1:]
			n.mark = firstOr(n.whole, '0')
			if n.sign < 0 {
				n.mark = '-'
			}
		}
	}
	if len(n.whole) == 0 && !more(n.fraction) {
		if n.sign < 0 && n.mark == '-' {
			n.mark = '0'
		}
		n.sign = 0
	}
	return n
}

func firstOr(digits []byte, other int8) int8 {
	if len(digits) > 0 {
		return int8(digits[0])
	}
	return other
}

// more reports whether the digits after the point hold more than zeros.
func more(fraction []byte) bool {
	rest := bytes.TrimLeft(fraction, "0")
	return len(rest) > 0 && digit(rest[0])
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func (n number) compare(m number) int {
	if n.sign != m.sign {
		return cmp.Compare(n.sign, m.sign)
	}
	order := cmp.Compare(len(n.whole), len(m.whole))
	if order == 0 {
		order = bytes.Compare(n.whole, m.whole)
	}
	if order == 0 {
		order = compareFractions(n.fraction, m.fraction)
	}
	if order == 0 {
		order = cmp.Compare(n.mark, m.mark)
	}
	if n.sign < 0 {
		order = -order
	}
	return order
}

// compareFractions orders what follows two points: digit by digit, where an ended
// one goes on with zeros and whatever is no digit is below all of them.
func compareFractions(a, b []byte) int {
	for i := range max(len(a), len(b)) {
		x, y := fractionByte(a, i), fractionByte(b, i)
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return 0
}

func fractionByte(fraction []byte, i int) int {
	switch {
	case i >= len(fraction):
		return 256 + '0'
	case digit(fraction[i]):
		return 256 + int(fraction[i])
	}
	return int(fraction[i])
}
