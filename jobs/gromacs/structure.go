package gromacs

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Solute is what a structure file says about the molecule in it.
type Solute struct {
	Atoms    int     // as listed, hydrogens included where they are there
	Heavy    int     // without hydrogens
	Mass     float64 // g/mol of the heavy atoms and the hydrogens that they usually carry
	Diameter float64 // nm, largest distance of two heavy atoms; a lower bound for large molecules
}

// masses of the elements of biomolecules, with the hydrogens that an atom of the
// element carries on average in a protein.
var masses = map[byte]float64{'C': 13.6, 'N': 15.3, 'O': 16.2, 'S': 32.3, 'P': 31}

// ReadStructure reads a .pdb file (ATOM and HETATM of the first model) or a .gro
// file (first frame).
func ReadStructure(name string, data []byte) (Solute, error) {
	var points [][3]float64
	var s Solute
	add := func(atom string, x, y, z float64) {
		element := elementOf(atom)
		s.Atoms++
		if element == 'H' || element == 'D' {
			return
		}
		s.Heavy++
		mass, ok := masses[element]
		if !ok {
			mass = 20
		}
		s.Mass += mass
		points = append(points, [3]float64{x, y, z})
	}
	lines := strings.Split(string(bytes.ReplaceAll(data, []byte("\r"), nil)), "\n")
	if strings.HasSuffix(strings.ToLower(name), ".gro") {
		n, err := groAtoms(lines)
		if err != nil {
			return s, err
		}
		for i := range n {
			line := lines[2+i]
			at := strings.IndexByte(line, '.')
			next := strings.IndexByte(line[at+1:], '.') + 1
			if at < 20 || next < 2 || len(line) < 20+3*next {
				return s, fmt.Errorf("%w: line %d is no atom of a .gro file", ErrInput, 3+i)
			}
			var x [3]float64
			for k := range x {
				if x[k], err = coordinate(line[20+k*next : 20+(k+1)*next]); err != nil {
					return s, fmt.Errorf("%w: line %d: %v", ErrInput, 3+i, err)
				}
			}
			add(strings.TrimSpace(line[10:15]), x[0], x[1], x[2])
		}
	} else {
		for i, line := range lines {
			if strings.HasPrefix(line, "ENDMDL") {
				break
			}
			if !strings.HasPrefix(line, "ATOM  ") && !strings.HasPrefix(line, "HETATM") {
				continue
			}
			if len(line) < 54 {
				return s, fmt.Errorf("%w: line %d is too short for an atom", ErrInput, i+1)
			}
			if alt := line[16]; alt != ' ' && alt != 'A' {
				continue
			}
			var x [3]float64
			for k := range x {
				var err error
				if x[k], err = coordinate(line[30+8*k : 38+8*k]); err != nil {
					return s, fmt.Errorf("%w: line %d: %v", ErrInput, i+1, err)
				}
			}
			add(strings.TrimSpace(line[12:16]), x[0]/10, x[1]/10, x[2]/10)
		}
	}
	if s.Heavy == 0 {
		return s, fmt.Errorf("%w: it lists no atoms", ErrInput)
	}
	s.Diameter = diameter(points)
	return s, nil
}

// groAtoms is the number of atoms in the lines of a .gro file.
func groAtoms(lines []string) (int, error) {
	if len(lines) < 3 {
		return 0, fmt.Errorf("%w: it is no .gro file", ErrInput)
	}
	n, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	if err != nil || n < 1 || len(lines) < n+3 {
		return 0, fmt.Errorf("%w: line 2 does not say how many atoms follow", ErrInput)
	}
	return n, nil
}

func coordinate(s string) (float64, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.Abs(x) > 1e6 || x != x {
		return 0, fmt.Errorf("%q is no coordinate", s)
	}
	return x, nil
}

// elementOf guesses the element from an atom's name ("1HB" is hydrogen).
func elementOf(atom string) byte {
	atom = strings.TrimLeft(strings.ToUpper(atom), "0123456789")
	if atom == "" {
		return '?'
	}
	return atom[0]
}

// diameter is the largest distance of two points: exactly for up to 3,000, else
// the largest extent in 120 directions, which is never more than the diameter.
func diameter(points [][3]float64) float64 {
	most := 0.0
	if len(points) <= 3000 {
		for i, p := range points {
			for _, q := range points[:i] {
				d := (p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]) + (p[2]-q[2])*(p[2]-q[2])
				most = max(most, d)
			}
		}
		return math.Sqrt(most)
	}
	const directions = 120
	for k := range directions {
		// A Fibonacci spiral spreads directions evenly over the half sphere.
		z := (float64(k) + 0.5) / directions
		phi := float64(k) * math.Pi * (3 - math.Sqrt(5))
		r := math.Sqrt(1 - z*z)
		u := [3]float64{r * math.Cos(phi), r * math.Sin(phi), z}
		low, high := math.Inf(1), math.Inf(-1)
		for _, p := range points {
			d := p[0]*u[0] + p[1]*u[1] + p[2]*u[2]
			low, high = min(low, d), max(high, d)
		}
		most = max(most, high-low)
	}
	return most
}

// compactDiameter is the least diameter that matter of this mass can have: a ball
// at the density of proteins, 1.35 g/cm³.
func (s Solute) compactDiameter() float64 {
	volume := s.Mass / 602.2 / 1.35 // nm³
	return 2 * math.Cbrt(3*volume/(4*math.Pi))
}
