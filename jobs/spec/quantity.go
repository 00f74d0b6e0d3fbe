package spec

import (
	"strconv"
	"strings"
)

// SimTime is a span of simulated time in femtoseconds.
type SimTime int64

// Picoseconds is the span in gromacs' unit.
func (t SimTime) Picoseconds() float64 { return float64(t) / 1000 }

// String prints the span in the largest unit that keeps it short: "30ps", "1.5ns".
func (t SimTime) String() string {
	for _, u := range simUnits {
		if t >= SimTime(u.scale) || u.scale == 1 {
			return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(float64(t)/float64(u.scale), 'f', 6, 64), "0"), ".") + u.name
		}
	}
	return "0fs"
}

var simUnits = []struct {
	name  string
	scale int64 // femtoseconds
}{{"ms", 1e12}, {"us", 1e9}, {"ns", 1e6}, {"ps", 1e3}, {"fs", 1}}
