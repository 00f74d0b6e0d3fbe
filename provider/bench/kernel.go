package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// Version changes whenever a kernel does other work for the same arguments; then
// cached measurements and checksums of another version are void.
const Version = 1

// Kernel is one canonical benchmark.
type Kernel struct {
	Name string
	For  string // what it loads, for people
	run  func(w work) (checksum uint64, err error)
}

// work is the argument of a kernel.
type work struct {
	rng   random
	scale float64 // 1 = about half a second of a core of 2024
	dir   string  // a folder that may be written to
}

// times scales a number of rounds, at least 1.
func (w work) times(n int) int { return max(1, int(math.Round(float64(n)*w.scale))) }

// Kernels are all of them, in the order in which they are measured: the seven
// that every report has, and three whose load is lopsided, so that the columns
// which go together in programs can be told apart.
var Kernels = []Kernel{
	{Name: "integer", For: "integer arithmetic with branches that cannot be foreseen", run: integer},
	{Name: "float", For: "double-precision arithmetic: forces between particles", run: float},
	{Name: "bandwidth", For: "memory bandwidth: long vectors", run: bandwidth},
	{Name: "random", For: "memory latency: a chase through a permutation", run: chase},
	{Name: "hash", For: "SHA-256", run: hash},
	{Name: "disk", For: "large files: written, synced, read back", run: disk},
	{Name: "mixed", For: "records made, sorted, hashed and stored", run: mixed},
	{Name: "hold", For: "memory that is held and hardly used", run: hold},
	{Name: "fault", For: "page faults and the kernel's own work", run: fault},
	{Name: "sync", For: "small writes, each synced", run: small},
}

// Run does the named kernel's work and returns its checksum, which depends on
// nothing but name, seed, scale and Version. dir is a folder for the kernels that
// write; they leave nothing in it. scale is between 0 and 100; at 1 a kernel takes
// about half a second. An unknown name or another scale is ErrKernel.
func Run(name string, seed uint64, scale float64, dir string) (checksum uint64, err error) {
	if !(scale > 0 && scale <= 100) {
		return 0, fmt.Errorf("%w: scale %v is not above 0 and at most 100", ErrKernel, scale)
	}
	i := slices.IndexFunc(Kernels, func(k Kernel) bool { return k.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("%w: %q", ErrKernel, name)
	}
	sum, err := Kernels[i].run(work{rng: random{seed}, scale: scale, dir: dir})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return sum, nil
}

// random is SplitMix64 (G. L. Steele, D. Lea, C. H. Flood: "Fast splittable
// pseudorandom number generators", 2014): the same numbers everywhere and
// always, which no library's generator promises.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is a number in [0, 1).
func (r *random) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// below is a number in [0, n), by multiplication: its bias is below n/2⁶⁴.
func (r *random) below(n uint32) uint32 {
	return uint32(uint64(uint32(r.next()>>32)) * uint64(n) >> 32)
}

// fill writes random bytes.
func (r *random) fill(b []byte) {
	for i := 0; i+8 <= len(b); i += 8 {
		x := r.next()
		for j := range 8 {
			b[i+j] = byte(x >> (8 * j))
		}
	}
}

// fold mixes one more value into a checksum.
func fold(sum, value uint64) uint64 {
	r := random{sum ^ value}
	return r.next()
}

// foldReader mixes all that a reader gives into a checksum, in pieces of buf.
func foldReader(sum uint64, r io.Reader, buf []byte) (uint64, error) {
	for {
		n, err := io.ReadFull(r, buf)
		for i := 0; i+8 <= n; i += 8 {
			var x uint64
			for j := range 8 {
				x |= uint64(buf[i+j]) << (8 * j)
			}
			sum = (sum ^ x) * 0x100000001b3
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return sum, nil
		default:
			return 0, err
		}
	}
}
