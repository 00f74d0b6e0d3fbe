package bench

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// integer follows a random walk whose branches, shifts, products and quotients
// depend on what came before.
func integer(w work) (uint64, error) {
	x, sum := w.rng.next()|1, uint64(0)
	for range w.times(100_000_000) {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		switch x & 7 {
		case 0:
			sum += x / (x>>40 | 1)
		case 1, 2:
			sum ^= x * 0x9e3779b97f4a7c15
		default:
			sum = sum<<1 | sum>>63
		}
	}
	return fold(sum, x), nil
}

// float moves particles under softened Lennard-Jones forces: the inner loop of
// molecular dynamics. Each product is rounded by itself (the conversions forbid
// fused operations), so that every machine computes the same bits.
func float(w work) (uint64, error) {
	const n, soft, step = 128, 0.5, 1e-4
	var pos, vel, force [3][n]float64
	for axis := range pos {
		for i := range n {
			pos[axis][i] = 8 * w.rng.unit()
		}
	}
	for range w.times(9000) {
		force = [3][n]float64{}
		for i := range n {
			var fx, fy, fz float64
			xi, yi, zi := pos[0][i], pos[1][i], pos[2][i]
			for j := i + 1; j < n; j++ {
				dx, dy, dz := xi-pos[0][j], yi-pos[1][j], zi-pos[2][j]
				r2 := float64(dx*dx) + float64(dy*dy) + float64(dz*dz) + soft
				inv2 := 1 / r2
				inv6 := float64(float64(inv2*inv2) * inv2)
				f := float64(float64(inv6*float64(float64(2*inv6)-1)) * inv2)
				gx, gy, gz := float64(f*dx), float64(f*dy), float64(f*dz)
				fx, fy, fz = fx+gx, fy+gy, fz+gz
				force[0][j] -= gx
				force[1][j] -= gy
				force[2][j] -= gz
			}
			force[0][i] += fx
			force[1][i] += fy
			force[2][i] += fz
		}
		for axis := range pos {
			for i := range n {
				vel[axis][i] += float64(step * force[axis][i])
				pos[axis][i] += float64(step * vel[axis][i])
			}
		}
	}
	var sum uint64
	for axis := range pos {
		for i := range n {
			sum = fold(sum, math.Float64bits(pos[axis][i]))
		}
	}
	return sum, nil
}

// hash takes SHA-256 of a mebibyte again and again, each time with the former
// result in it.
func hash(w work) (uint64, error) {
	block := make([]byte, 1<<20)
	w.rng.fill(block)
	for range w.times(600) {
		sum := sha256.Sum256(block)
		copy(block, sum[:])
	}
	return binary.LittleEndian.Uint64(block), nil
}
