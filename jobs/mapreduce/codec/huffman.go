package codec

import (
	"errors"
	"fmt"
)

const (
	maxCode    = 20  // bits of a code
	maxSymbols = 258 // two for runs, 255 places in the list of bytes, the block's end
	fastBits   = 10  // codes up to here are looked up
)

// huffman is a canonical prefix code: shorter codes first, equally long ones in
// their symbols' order.
type huffman struct {
	fast  [1 << fastBits]uint16 // symbol·16 + length of the code that the bits begin with; 0 = longer or none
	first [maxCode + 1]uint32   // the first code of a length
	count [maxCode + 1]uint32   // how many there are
	index [maxCode + 1]uint32   // where their symbols begin in order
	order [maxSymbols]uint16
}

// set makes the code of the symbols' lengths, each from 1 to maxCode. A code that
// leaves bits unused is as good.
func (h *huffman) set(lengths []uint8) error {
	*h = huffman{}
	for _, n := range lengths {
		h.count[n]++
	}
	code, index := uint32(0), uint32(0)
	for n := 1; n <= maxCode; n++ {
		code <<= 1
		h.first[n], h.index[n] = code, index
		code += h.count[n]
		index += h.count[n]
		if code > 1<<n {
			return errors.New("more codes than bits for them")
		}
	}
	next := h.first
	for symbol, n := range lengths {
		c := next[n]
		next[n]++
		h.order[h.index[n]+c-h.first[n]] = uint16(symbol)
		if n <= fastBits {
			spare := fastBits - n
			for i := c << spare; i < (c+1)<<spare; i++ {
				h.fast[i] = uint16(symbol)<<4 | uint16(n)
			}
		}
	}
	return nil
}

// next reads a symbol.
func (h *huffman) next(r *bitReader) (uint16, error) {
	bits := uint32(r.peek(maxCode))
	if f := h.fast[bits>>(maxCode-fastBits)]; f != 0 {
		return f >> 4, r.drop(uint(f & 15))
	}
	for n := fastBits + 1; n <= maxCode; n++ {
		if i := bits>>(maxCode-n) - h.first[n]; i < h.count[n] { // below first: far above count
			return h.order[h.index[n]+i], r.drop(uint(n))
		}
	}
	return 0, fmt.Errorf("no code begins with the bits %020b", bits)
}
