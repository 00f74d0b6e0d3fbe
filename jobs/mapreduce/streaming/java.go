package streaming

import (
	"cmp"
	"unicode/utf16"
	"unicode/utf8"
)

// replacement is what Java's decoder makes of bytes that are not UTF-8.
const replacement = "\uFFFD"

// javaText is text as Java's String keeps it: what is not UTF-8 becomes U+FFFD, one
// for every maximal beginning of a character. Valid text is returned as it is.
func javaText(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	out := make([]byte, 0, len(text)+8)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n <= 1 {
			out = append(out, replacement...)
			text = text[malformed(text):]
			continue
		}
		out = append(out, text[:n]...)
		text = text[n:]
	}
	return out
}

// malformed is how many bytes of invalid text Java replaces by one U+FFFD: as many
// as could begin a character, or as stand for half a surrogate pair.
func malformed(text []byte) int {
	if len(text) > 1 && text[0] == 0xED && text[1]&0xE0 == 0xA0 {
		if len(text) > 2 && text[2]&0xC0 == 0x80 {
			return 3
		}
		return 2
	}
	for n := min(3, len(text)); n > 1; n-- {
		if !utf8.FullRune(text[:n]) {
			return n
		}
	}
	return 1
}

// javaHash is String.hashCode of the text: over UTF-16 units.
func javaHash(text []byte) int32 {
	h := int32(0)
	for text := javaText(text); len(text) > 0; {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			h = 31*h + hi
			r = lo
		}
		h = 31*h + r
	}
	return h
}

// compareUTF16 is String.compareTo: by UTF-16 units, in which characters beyond
// U+FFFF come before those from U+E000 on. Both texts are valid UTF-8.
func compareUTF16(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) || n == len(b) {
		return cmp.Compare(len(a), len(b))
	}
	for !utf8.RuneStart(a[n]) {
		n--
	}
	x, _ := utf8.DecodeRune(a[n:])
	y, _ := utf8.DecodeRune(b[n:])
	return cmp.Compare(unitOrder(x), unitOrder(y))
}

func unitOrder(r rune) rune {
	if 0xE000 <= r && r <= 0xFFFF {
		return r + utf8.MaxRune
	}
	return r
}
