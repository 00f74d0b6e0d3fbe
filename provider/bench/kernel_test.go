package bench

import (
	"errors"
	"math"
	"os"
	"testing"
)

// The checksums of seed 7 at 1/100. They change only together with Version, for a
// publisher compares its own with those of a provider's worker.
var checksums = map[string]uint64{
	"integer":   0x2fadde9bc5bbf918,
	"float":     0x1aaa688361eb2872,
	"bandwidth": 0x108aad6d11e50e5a,
	"random":    0x4fe222a8ae30dd72,
	"hash":      0x320d77513ef11dd5,
	"disk":      0xb6685b170addc7db,
	"mixed":     0xa81571f8604d49d4,
	"hold":      0x651f735f6e65f5c1,
	"fault":     0xf716b40ce613002b,
	"sync":      0xd73e787b8994d4e1,
}

func TestChecksums(t *testing.T) {
	if len(checksums) != len(Kernels) {
		t.Errorf("%d checksums, %d kernels", len(checksums), len(Kernels))
	}
	for _, k := range Kernels {
		t.Run(k.Name, func(t *testing.T) {
			dir := t.TempDir()
			sum, err := Run(k.Name, 7, 0.01, dir)
			if err != nil {
				t.Fatal(err)
			}
			if sum != checksums[k.Name] {
				t.Errorf("checksum %016x, want %016x", sum, checksums[k.Name])
			}
			if other, err := Run(k.Name, 8, 0.01, dir); err != nil || other == sum {
				t.Errorf("seed 8: %016x, %v; want another checksum than seed 7's", other, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%v left behind (%v)", left, err)
			}
		})
	}
}

// hold and fault do other amounts of the same, all others other work.
func TestScaleMatters(t *testing.T) {
	for _, name := range []string{"integer", "float", "hash", "disk", "mixed", "sync"} {
		sum, err := Run(name, 7, 0.03, t.TempDir())
		if err != nil || sum == checksums[name] {
			t.Errorf("%s: %016x, %v; want another checksum than at 1/100", name, sum, err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		name, kernel string
		scale        float64
		dir          string
		want         error
	}{
		{"unknown", "gold", 1, "", ErrKernel},
		{"no work", "integer", 0, "", ErrKernel},
		{"negative", "integer", -1, "", ErrKernel},
		{"endless", "integer", 101, "", ErrKernel},
		{"not a number", "integer", math.NaN(), "", ErrKernel},
		{"no folder", "disk", 0.01, "/nowhere", os.ErrNotExist},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Run(c.kernel, 1, c.scale, c.dir); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// The permutation that is chased is one cycle: no step comes twice within it.
func TestBelow(t *testing.T) {
	r := random{1}
	var seen [10]int
	for range 10_000 {
		seen[r.below(10)]++
	}
	for n, times := range seen {
		if times < 800 || times > 1200 {
			t.Errorf("%d came %d times in 10000", n, times)
		}
	}
	for range 1000 {
		if x := r.unit(); x < 0 || x >= 1 {
			t.Fatalf("unit gives %v", x)
		}
	}
}

func BenchmarkKernels(b *testing.B) {
	for _, k := range Kernels {
		b.Run(k.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Run(k.Name, 1, 1, b.TempDir()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
