package gromacs

import (
	"encoding/binary"
	"fmt"
	"math"
)

// RunInput is what the planner must know of a run before it can cut it into
// segments: from a tpr, or from an mdp file.
type RunInput struct {
	Version    int // of the tpr's format; 0 for an mdp
	Atoms      int
	Dynamic    bool  // an integrator that goes on from checkpoints (md, md-vv, md-vv-avek, sd, bd)
	Steps      int64 // -1 = without end
	InitStep   int64
	DT         float64 // ps
	NSTList    int
	Compressed int    // steps between frames of .xtc; 0 = none
	Outputs    [4]int // steps between frames of coordinates, velocities, forces, energies; 0 = none
}

// ReadTPR finds the run parameters in a tpr file.
//
// A tpr is a header in XDR, then (from format 119 on, GROMACS 2020) a body of
// big-endian values: box, topology, coordinates and at last the run parameters.
// The topology's layout changes with every version and force field, so the body is
// not parsed from its front: the run parameters begin with a fixed run of some 25
// fields that constrain each other so much (an enum, positive counts, a finite
// time step, a cut-off …) that no other place in a file passes for them. Exactly
// one place must, else the file is refused. The first task of a run reads the same
// numbers with gmx itself and stops where they differ, so that a mistake here
// costs seconds and never a wrong result (DECISIONS.md).
//
// The sources of the layout are files that GROMACS 2022.5 wrote.
func ReadTPR(data []byte) (RunInput, error) {
	h := cursor{data: data}
	h.text()
	realSize := int(h.int32())
	version := int(h.int32())
	generation := int(h.int32())
	h.text() // tag: "release"
	var in RunInput
	in.Version = version
	in.Atoms = int(h.int32())
	if h.bad || realSize != 4 && realSize != 8 || generation < 1 || version < 1 || in.Atoms < 0 {
		return RunInput{}, fmt.Errorf("%w: it is no tpr file", ErrInput)
	}
	if version < 119 || version > 140 {
		return RunInput{}, fmt.Errorf("%w: its format %d is not one of GROMACS 2020 or later; make it again with the providers' gmx grompp", ErrInput, version)
	}
	found := 0
	for at := h.at; at+100 <= len(data); at++ {
		// Cheap tests first: the integrator is a small number, and so is the part.
		if data[at]|data[at+1]|data[at+2] != 0 || data[at+3] > 12 || data[at+20]|data[at+21] != 0 {
			continue
		}
		for _, mts := range []bool{true, false} {
			if version >= 127 && !mts {
				continue // multiple time stepping is in the layout since then at the latest
			}
			one := in
			if one.parameters(cursor{data: data, at: at}, realSize, mts) {
				in = one
				found++
				break
			}
		}
	}
	if found != 1 {
		return RunInput{}, fmt.Errorf("%w: its run parameters were not found (format %d)", ErrInput, version)
	}
	return in, nil
}

// Integrators by their number in a tpr. Those without checkpoints: steep, cg, nm,
// l-bfgs, tpi, tpic, mimic.
var dynamic = map[int32]bool{0: true, 3: true, 9: true, 10: true, 11: true}

// parameters reads the front of the run parameters and reports whether every
// field is plausible.
func (in *RunInput) parameters(c cursor, realSize int, mts bool) bool {
	integrator := c.int32()
	in.Steps, in.InitStep = c.int64(), c.int64()
	part := c.int32()
	const mostSteps = 1 << 53
	if c.bad || integrator < 0 || integrator > 12 || in.Steps < -1 || in.Steps > mostSteps ||
		in.InitStep < 0 || in.InitStep > mostSteps || part < 1 || part > 1<<20 {
		return false
	}
	if mts {
		switch c.byte() {
		case 0:
		case 1:
			levels := c.int32()
			if levels < 2 || levels > 8 {
				return false
			}
			for range levels {
				if groups, factor := c.int32(), c.int32(); groups < 0 || factor < 1 {
					return false
				}
			}
		default:
			return false
		}
	}
	calcEnergy := c.count()
	scheme := c.int32()
	c.int32() // formerly the neighbour search
	list := c.count()
	c.int32() // formerly ndelta
	rtpi := c.real(realSize)
	comm, mode := c.int32(), c.int32()
	steep, bfgs := c.count(), c.count()
	c.count() // log
	x, v, f, e, xtc := c.count(), c.count(), c.count(), c.count(), c.count()
	start, dt := c.double(), c.double()
	precision := c.real(realSize)
	tolerance, rlist := c.real(realSize), c.real(realSize)
	switch {
	case c.bad, scheme < 0 || scheme > 2, !(rtpi >= 0 && rtpi < 1000), comm < 0, mode < 0 || mode > 4,
		steep < 0, bfgs < 0, calcEnergy < 0, !(math.Abs(start) < 1e15), !(dt > 0 && dt < 1000),
		!(precision >= 0 && precision < 1e12), !(tolerance >= -1 && tolerance < 1e6), !(rlist >= 0 && rlist < 1e4):
		return false
	}
	in.Dynamic = dynamic[integrator]
	in.DT = math.Round(dt*1e9) / 1e9
	in.NSTList = list
	in.Compressed = xtc
	in.Outputs = [4]int{x, v, f, e}
	return in.DT > 0
}

// cursor reads big-endian values; past the end it sets bad.
type cursor struct {
	data []byte
	at   int
	bad  bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.data)-c.at {
		c.bad = true
		return make([]byte, 8)
	}
	c.at += n
	return c.data[c.at-n : c.at]
}

func (c *cursor) byte() byte      { return c.take(1)[0] }
func (c *cursor) int32() int32    { return int32(binary.BigEndian.Uint32(c.take(4))) }
func (c *cursor) int64() int64    { return int64(binary.BigEndian.Uint64(c.take(8))) }
func (c *cursor) double() float64 { return math.Float64frombits(binary.BigEndian.Uint64(c.take(8))) }

func (c *cursor) real(size int) float64 {
	if size == 8 {
		return c.double()
	}
	return float64(math.Float32frombits(binary.BigEndian.Uint32(c.take(4))))
}

// count reads a number that is not negative and not absurd.
func (c *cursor) count() int {
	n := c.int32()
	if n < 0 {
		c.bad = true
	}
	return int(n)
}

// text skips an XDR string as GROMACS writes it: its size with the terminating
// zero, its length, its bytes padded to four.
func (c *cursor) text() {
	size := c.int32()
	length := c.int32()
	if size < 1 || length < 0 || length > 4096 || length > size {
		c.bad = true
		return
	}
	c.take((int(length) + 3) / 4 * 4)
}
