package streaming

import (
	"math"
	"strconv"
	"strings"
)

// parseDouble reads a number as Java's Double.parseDouble does: white space around
// it, a final f or d, NaN and Infinity are allowed; underscores are not.
func parseDouble(text string) (float64, error) {
	text = trim(text)
	sign, body := "", text
	if body != "" && (body[0] == '-' || body[0] == '+') {
		sign, body = body[:1], body[1:]
	}
	switch {
	case body == "NaN":
		return math.NaN(), nil
	case body == "Infinity" && sign == "-":
		return math.Inf(-1), nil
	case body == "Infinity":
		return math.Inf(1), nil
	}
	hex := strings.HasPrefix(body, "0x") || strings.HasPrefix(body, "0X")
	if n := len(body); n > 1 && strings.IndexByte("fFdD", body[n-1]) >= 0 && (!hex || strings.ContainsAny(body, "pP")) {
		body = body[:n-1]
	}
	if body == "" || strings.ContainsAny(body, "_inIN") || hex && !strings.ContainsAny(body, "pP") {
		return 0, strconv.ErrSyntax
	}
	x, err := strconv.ParseFloat(sign+body, 64)
	if err != nil && math.IsInf(x, 0) {
		return x, nil // too large is infinite
	}
	return x, err
}

// appendDouble writes a number as Java's Double.toString does: with a point always,
// and with an exponent outside 0.001 to 10,000,000. The digits are the fewest that
// name the number; Java 17 differs in about one number of 2,000 of arbitrary size,
// such as 1.0E23, which it calls 9.999999999999999E22.
func appendDouble(dst []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(dst, "NaN"...)
	case math.IsInf(x, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(x, -1):
		return append(dst, "-Infinity"...)
	}
	size := math.Abs(x)
	if size == 0 || 1e-3 <= size && size < 1e7 {
		from := len(dst)
		dst = strconv.AppendFloat(dst, x, 'f', -1, 64)
		if !strings.Contains(string(dst[from:]), ".") {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	text := strconv.FormatFloat(x, 'e', -1, 64)
	if size < 1<<63 && size == math.Trunc(size) {
		text = wholeDigits(x)
	}
	mantissa, exponent, _ := strings.Cut(text, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	dst = append(append(dst, mantissa...), 'E')
	return strconv.AppendInt(dst, int64(n), 10)
}

// wholeDigits writes a whole number below 2^63 as d.ddde+nn with all its digits but
// those that its 53 bits cannot carry, as Java 17 does.
func wholeDigits(x float64) string {
	n, sign := int64(math.Abs(x)), ""
	if x < 0 {
		sign = "-"
	}
	drop := 0
	if _, exponent := math.Frexp(x); exponent-1 > 53 {
		drop = (exponent - 55) * 30103 / 100000 // ⌊log10 of 2^…⌋
	}
	unit := int64(1)
	for range drop {
		unit *= 10
	}
	if rest := n % unit; rest >= unit>>1 && drop > 0 {
		n += unit
	}
	digits := strconv.FormatInt(n/unit, 10)
	exponent := len(digits) - 1 + drop
	digits = strings.TrimRight(digits, "0")
	return sign + strings.TrimSuffix(digits[:1]+"."+digits[1:], ".") + "e" + strconv.Itoa(exponent)
}
