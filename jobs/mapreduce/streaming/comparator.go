package streaming

import (
	"bytes"
	"cmp"
)

// Comparator is the order of the keys in which a reducer reads them. The zero
// Comparator orders by unsigned bytes.
type Comparator struct {
	Specs     []KeySpec `json:",omitempty"` // KeyFieldBasedComparator's -k, most significant first
	Separator []byte    `json:",omitempty"` // of the key's fields
	// Offsets: the keys are byte offsets (LongWritable) and order as numbers.
	Offsets bool `json:",omitempty"`
}

// Plain reports whether the order is that of unsigned bytes, in which only equal
// keys tie.
func (c Comparator) Plain() bool { return len(c.Specs) == 0 && !c.Offsets }

// Compare is negative, zero or positive where a comes before b, ties with it, or
// comes after it. It is a strict weak order. Keys that tie are not one group: in
// Hadoop a group is a row of equal keys, whatever the comparator.
func (c Comparator) Compare(a, b []byte) int {
	if c.Offsets {
		return compareOffsets(a, b)
	}
	if len(c.Specs) == 0 {
		return bytes.Compare(a, b)
	}
	var spaceA, spaceB [16]int
	lengthsA := fieldLengths(spaceA[:0], a, c.Separator)
	lengthsB := fieldLengths(spaceB[:0], b, c.Separator)
	for _, spec := range c.Specs {
		startA, endA, okA := spec.find(a, lengthsA, len(c.Separator))
		startB, endB, okB := spec.find(b, lengthsB, len(c.Separator))
		order := 0
		switch {
		case !okA || !okB: // a missing field comes first
			order = bit(okA) - bit(okB)
		case spec.Numeric:
			order = numberAt(a, startA, endA).compare(numberAt(b, startB, endB))
		default:
			order = bytes.Compare(a[startA:max(startA, endA)], b[startB:max(startB, endB)])
			if order == 0 { // ranges that end before they start
				order = cmp.Compare(endA-startA, endB-startB)
			}
		}
		if spec.Reverse {
			order = -order
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
