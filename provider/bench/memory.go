package bench

import (
	"fmt"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"
)

const page = 4096

// pages maps fresh memory, outside the garbage collector's reach.
func pages(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return b, nil
}

// bandwidth runs a triad over three vectors of 32 MiB, larger together than the
// caches.
func bandwidth(w work) (uint64, error) {
	const n = 4 << 20
	a, b, c := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	x, y := w.rng.next(), w.rng.next()
	for i := range n {
		b[i], c[i] = x+uint64(i), y^uint64(i)
	}
	for range w.times(60) {
		for i := range a {
			a[i] = b[i] + 3*c[i]
		}
		a, b, c = b, c, a
	}
	var sum uint64
	for i := range a {
		sum = bits.RotateLeft64(sum^a[i]^b[i]<<1^c[i]<<2, 23) * 0x100000001b3
	}
	return sum, nil
}

// chase follows a permutation that is one cycle through 32 MiB (S. Sattolo, "An
// algorithm to generate a random cyclic permutation", 1986): each step waits for
// the one before, at the latency of memory.
func chase(w work) (uint64, error) {
	const n = 8 << 20
	next := make([]uint32, n)
	for i := range next {
		next[i] = uint32(i)
	}
	for i := uint32(n - 1); i > 0; i-- {
		j := w.rng.below(i)
		next[i], next[j] = next[j], next[i]
	}
	var at uint32
	var sum uint64
	for range w.times(2_000_000) {
		at = next[at]
		sum = sum<<1 ^ sum>>63 ^ uint64(at)
	}
	return sum, nil
}

// hold fills 256 MiB and keeps them for a third of a second.
func hold(w work) (uint64, error) {
	b, err := pages(256 << 20)
	if err != nil {
		return 0, err
	}
	defer unix.Munmap(b)
	var sum uint64
	for i := 0; i < len(b); i += page {
		b[i] = byte(w.rng.next())
	}
	time.Sleep(time.Duration(w.scale * float64(350*time.Millisecond)))
	for i := 0; i < len(b); i += page {
		sum = (sum ^ uint64(b[i])) * 0x100000001b3
	}
	return sum, nil
}

// fault maps, touches and unmaps 4 MiB again and again: many page faults and
// much of the kernel's time for little memory.
func fault(w work) (uint64, error) {
	var sum uint64
	for range w.times(200) {
		b, err := pages(4 << 20)
		if err != nil {
			return 0, err
		}
		for i := 0; i < len(b); i += page {
			b[i] = byte(w.rng.next())
		}
		for i := 0; i < len(b); i += page {
			sum = (sum ^ uint64(b[i])) * 0x100000001b3
		}
		if err := unix.Munmap(b); err != nil {
			return 0, err
		}
	}
	return sum, nil
}
