package spec

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/zennet/zennet/ledger/types"
)

// SimTime is a span of simulated time in femtoseconds.
type SimTime int64

// Picoseconds is the span in gromacs' unit.
func (t SimTime) Picoseconds() float64 { return float64(t) / 1000 }

// String prints the span in the largest unit that it reaches: "30ps", "1.5ns".
// ParseSimTime reads it back exactly.
func (t SimTime) String() string {
	for _, u := range simUnits {
		if int64(t) >= u.scale || u.scale == 1 {
			return decimal(int64(t), u.scale) + u.name
		}
	}
	return "0fs"
}

var simUnits = []struct {
	name  string
	scale int64 // femtoseconds
}{{"ms", 1e12}, {"us", 1e9}, {"ns", 1e6}, {"ps", 1e3}, {"fs", 1}}

// decimal is n/scale exactly, where scale is a power of ten.
func decimal(n, scale int64) string {
	whole, frac := n/scale, n%scale
	if frac == 0 {
		return strconv.FormatInt(whole, 10)
	}
	digits := strconv.FormatInt(scale+frac, 10)[1:]
	return strconv.FormatInt(whole, 10) + "." + strings.TrimRight(digits, "0")
}

// ParseSimTime reads "0.5ps", "5 ns" or "1ms": fs, ps, ns, us (µs) and ms of
// simulated time. The second result says what is wrong, "" if nothing is.
func ParseSimTime(s string) (SimTime, string) {
	text := strings.ReplaceAll(strings.TrimSpace(s), "µ", "u")
	for _, u := range simUnits {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, ok := scaled(strings.TrimSpace(number), u.scale)
		if !ok {
			return 0, clip(s) + " is no span of simulated time (want for example 0.5ps or 5ns; whole femtoseconds)"
		}
		return SimTime(n), ""
	}
	return 0, clip(s) + " has no unit of simulated time (want for example 0.5ps or 5ns)"
}

// scaled is number·scale where scale is a power of ten and the product is whole
// and fits; number is plain decimal digits with at most one point.
func scaled(number string, scale int64) (int64, bool) {
	whole, frac, dotted := strings.Cut(number, ".")
	if !isDigits(whole) || dotted && !isDigits(frac) {
		return 0, false
	}
	places := len(strconv.FormatInt(scale, 10)) - 1
	frac = strings.TrimRight(frac, "0")
	if len(frac) > places {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+frac+strings.Repeat("0", places-len(frac)), 10, 64)
	return n, err == nil
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

var byteUnits = map[string]float64{"B": 1,
	"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}

// size reads a number of bytes: 512M and 512MiB are 512·2²⁰, 512MB is 512·10⁶.
func (r *reader) size(f field, fallback, least, most uint64) uint64 {
	s, ok := r.text(f)
	if !ok {
		return fallback
	}
	number, unit := splitUnit(s)
	scale, known := byteUnits[unit]
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case unit == "" && err == nil:
		r.report(f.node, f.path, ErrValue, "%s has no unit (want for example 512M or 1GiB)", clip(s))
	case !known || err != nil || !plainNumber(number):
		r.report(f.node, f.path, ErrValue, "%s is no size (want for example 512M or 1GiB)", clip(s))
	case n*scale < float64(least) || n*scale > float64(most):
		r.report(f.node, f.path, ErrValue, "%s is out of bounds: %s to %s", clip(s), bytesText(least), bytesText(most))
	default:
		return uint64(n * scale)
	}
	return fallback
}

func bytesText(n uint64) string {
	for _, unit := range []string{"T", "G", "M", "K"} {
		if scale := uint64(byteUnits[unit]); n >= scale && n%scale == 0 {
			return strconv.FormatUint(n/scale, 10) + unit
		}
	}
	return strconv.FormatUint(n, 10) + "B"
}

// splitUnit cuts "2.5 GiB" into "2.5" and "GiB".
func splitUnit(s string) (number, unit string) {
	s = strings.TrimSpace(s)
	i := strings.LastIndexAny(s, "0123456789.") + 1
	return s[:i], strings.TrimSpace(s[i:])
}

// plainNumber says that a text is digits with at most one point and one sign:
// no exponent, hexadecimal, underscore, infinity.
func plainNumber(s string) bool {
	whole, frac, dotted := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return isDigits(whole) && (!dotted || isDigits(frac))
}

// number reads a plain number with an optional unit that must then be there.
func (r *reader) number(f field, unit string, fallback, least, most float64, example string) float64 {
	s, ok := r.text(f)
	if !ok {
		return fallback
	}
	number, got := splitUnit(s)
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case unit != "" && got == "" && plainNumber(number):
		r.report(f.node, f.path, ErrValue, "%s has no unit (want for example %s)", clip(s), example)
	case got != unit || err != nil || !plainNumber(number):
		r.report(f.node, f.path, ErrValue, "%s is not understood (want for example %s)", clip(s), example)
	case n < least || n > most:
		r.report(f.node, f.path, ErrValue, "%s is out of bounds: %s%s to %s%s", clip(s), short(least), unit, short(most), unit)
	default:
		return n
	}
	return fallback
}

func short(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// integer reads a whole number in decimal digits.
func (r *reader) integer(f field, fallback, least, most int64) int64 {
	s, ok := r.text(f)
	if !ok {
		return fallback
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case !isDigits(strings.TrimPrefix(s, "-")):
		r.report(f.node, f.path, ErrValue, "%s is no whole number", clip(s))
	case err != nil || n < least || n > most:
		r.report(f.node, f.path, ErrValue, "%s is out of bounds: %d to %d", clip(s), least, most)
	default:
		return n
	}
	return fallback
}

// duration reads wall-clock time such as 30m, 2h or 1h30m; at least a second.
func (r *reader) duration(f field, fallback time.Duration) time.Duration {
	s, ok := r.text(f)
	if !ok {
		return fallback
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil && plainNumber(s):
		r.report(f.node, f.path, ErrValue, "%s has no unit (want for example 90s, 30m or 2h)", clip(s))
	case err != nil:
		r.report(f.node, f.path, ErrValue, "%s is no duration (want for example 90s, 30m or 2h)", clip(s))
	case d < time.Second || d > MaxDuration:
		r.report(f.node, f.path, ErrValue, "%s is out of bounds: 1s to %dh", clip(s), int(MaxDuration.Hours()))
	default:
		return d
	}
	return fallback
}

// sim reads simulated time between two bounds.
func (r *reader) sim(f field, fallback, least SimTime) SimTime {
	s, ok := r.text(f)
	if !ok {
		return fallback
	}
	t, problem := ParseSimTime(s)
	if problem == "" && (t < least || t > math.MaxInt64/1024) {
		problem = clip(s) + " is out of bounds: at least " + least.String()
	}
	if problem != "" {
		r.report(f.node, f.path, ErrValue, "%s", problem)
		return fallback
	}
	return t
}

// amount reads money; suffix is "" or "/h".
func (r *reader) amount(f field, suffix string, fallback types.Amount) types.Amount {
	s, ok := r.text(f)
	if !ok {
		return fallback
	}
	text, ok := strings.CutSuffix(strings.TrimSpace(s), suffix)
	if !ok {
		r.report(f.node, f.path, ErrValue, "%s is no rate (want for example 0.1 XEN/h)", clip(s))
		return fallback
	}
	sum, err := types.ParseAmount(text)
	switch {
	case err != nil:
		r.report(f.node, f.path, ErrValue, "%s is no amount of money (want for example 2.5 XEN%s)", clip(s), suffix)
	case sum == 0:
		r.report(f.node, f.path, ErrValue, "must be more than 0")
	default:
		return sum
	}
	return fallback
}
