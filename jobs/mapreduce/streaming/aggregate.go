package streaming

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Aggregate adds up the values of one key of Hadoop's aggregate package. A key is
// TYPE:NAME, in which TYPE is LongValueSum, DoubleValueSum, LongValueMax,
// LongValueMin, StringValueMax, StringValueMin, UniqValueCount or ValueHistogram, in
// any case. Memory is bounded for all but UniqValueCount and ValueHistogram, which
// keep every distinct value.
type Aggregate struct {
	kind  string
	long  int64
	real  float64
	text  []byte
	some  bool
	count map[string]int64
	most  int64 // distinct values that UniqValueCount keeps
}

// NewAggregate begins the aggregation of a key; name is the key without its type,
// which is the key of the reducer's output. most bounds the distinct values of
// UniqValueCount (mapreduce.aggregate.max.num.unique.values); 0 = no bound.
func NewAggregate(key []byte, most int64) (a *Aggregate, name []byte, err error) {
	kind, name, ok := bytes.Cut(javaText(key), []byte(":"))
	if !ok {
		return nil, nil, fmt.Errorf("aggregate: key %q has no type; want TYPE:NAME", clip(string(key)))
	}
	a = &Aggregate{most: most}
	if most <= 0 {
		a.most = math.MaxInt64
	}
	switch a.kind = strings.ToLower(string(kind)); a.kind {
	case "longvaluemax":
		a.long = math.MinInt64
	case "longvaluemin":
		a.long = math.MaxInt64
	case "uniqvaluecount", "valuehistogram":
		a.count = map[string]int64{}
	case "longvaluesum", "doublevaluesum", "stringvaluemax", "stringvaluemin":
	default:
		return nil, nil, fmt.Errorf("aggregate: key %q: %q is no type of aggregation", clip(string(key)), clip(string(kind)))
	}
	return a, name, nil
}

// Add takes one value. It keeps no reference to it.
func (a *Aggregate) Add(value []byte) error {
	value = javaText(value)
	switch a.kind {
	case "longvaluesum", "longvaluemax", "longvaluemin":
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("aggregate: %q is no whole number", clip(string(value)))
		}
		switch {
		case a.kind == "longvaluesum":
			a.long += n
		case a.kind == "longvaluemax":
			a.long = max(a.long, n)
		default:
			a.long = min(a.long, n)
		}
	case "doublevaluesum":
		x, err := parseDouble(string(value))
		if err != nil {
			return fmt.Errorf("aggregate: %q is no number", clip(string(value)))
		}
		a.real += x
	case "stringvaluemax", "stringvaluemin":
		order := compareUTF16(value, a.text)
		if !a.some || (order > 0) == (a.kind == "stringvaluemax") && order != 0 {
			a.text, a.some = append(a.text[:0], value...), true
		}
	case "uniqvaluecount":
		if int64(len(a.count)) <= a.most {
			a.count[string(value)] = 1
		}
	case "valuehistogram":
		item, n := string(value), int64(1)
		if at := strings.LastIndexByte(item, '\t'); at >= 0 {
			var err error
			if n, err = strconv.ParseInt(item[at+1:], 10, 64); err != nil {
				return fmt.Errorf("aggregate: %q does not end in a whole number", clip(item))
			}
			item = item[:at]
		}
		a.count[item] += n
	}
	return nil
}

// Result is the value that the reducer writes.
func (a *Aggregate) Result() []byte {
	switch a.kind {
	case "doublevaluesum":
		return appendDouble(nil, a.real)
	case "stringvaluemax", "stringvaluemin":
		return a.text
	case "uniqvaluecount":
		return strconv.AppendInt(nil, int64(len(a.count)), 10)
	case "valuehistogram":
		return a.histogram()
	}
	return strconv.AppendInt(nil, a.long, 10)
}

// Combined are the values that a combiner writes in the place of those added, under
// the same key.
func (a *Aggregate) Combined() [][]byte {
	if a.count == nil {
		return [][]byte{a.Result()}
	}
	out := make([][]byte, 0, len(a.count))
	for item := range a.count {
		out = append(out, []byte(item))
	}
	slices.SortFunc(out, compareUTF16)
	if a.kind == "valuehistogram" {
		for i, item := range out {
			out[i] = strconv.AppendInt(append(item, '\t'), a.count[string(item)], 10)
		}
	}
	return out
}

// histogram is: number of distinct values, and of their counts the least, the
// median, the greatest, the mean and the standard deviation, parted by TABs.
func (a *Aggregate) histogram() []byte {
	counts := make([]int64, 0, len(a.count))
	sum := int64(0)
	for _, n := range a.count {
		counts = append(counts, n)
		sum += n
	}
	slices.Sort(counts)
	out := strconv.AppendInt(nil, int64(len(counts)), 10)
	if len(counts) == 0 {
		return out
	}
	for _, n := range []int64{counts[0], counts[len(counts)/2], counts[len(counts)-1]} {
		out = strconv.AppendInt(append(out, '\t'), n, 10)
	}
	mean := float64(sum) / float64(len(counts))
	deviation := 0.0
	for _, n := range counts {
		d := float64(n) - mean
		square := d * d // apart, so that no fused multiply-add changes the last digit
		deviation += square
	}
	out = appendDouble(append(out, '\t'), mean)
	return appendDouble(append(out, '\t'), math.Sqrt(deviation/float64(len(counts))))
}
