package spec

import (
	"fmt"
	"math"
	"strconv"
)

// ParseBytes reads a number of bytes as job files have it: 512M, 1GiB, 100GB.
// A text that is none is ErrValue.
func ParseBytes(s string) (uint64, error) {
	number, unit := splitUnit(s)
	scale, known := byteUnits[unit]
	n, err := strconv.ParseFloat(number, 64)
	if !known || err != nil || !plainNumber(number) || n*scale >= math.MaxInt64 {
		return 0, fmt.Errorf("%w: %q is no size (want for example 512M or 1GiB)", ErrValue, s)
	}
	return uint64(n * scale), nil
}
