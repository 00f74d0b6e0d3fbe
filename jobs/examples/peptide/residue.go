package main

// bond places one atom: bonded to c at a distance, angle b–c–atom, dihedral
// a–b–c–atom.
type bond struct {
	atom, a, b, c             string
	distance, angle, dihedral float64
}

// residue is an amino acid: its name in a PDB file, and its side chain in an order
// in which every atom comes after those that place it. Rotamers are trans where
// the chain allows it.
type residue struct {
	name string
	side []bond
}

var beta = bond{"CB", "C", "N", "CA", 1.530, 110.5, -122.6}

var residues = map[byte]residue{
	'G': {"GLY", nil},
	'A': {"ALA", []bond{beta}},
	'D': {"ASP", []bond{beta,
		{"CG", "N", "CA", "CB", 1.516, 112.6, 180},
		{"OD1", "CA", "CB", "CG", 1.249, 118.4, 0},
		{"OD2", "CA", "CB", "CG", 1.249, 118.4, 180}}},
	'E': {"GLU", []bond{beta,
		{"CG", "N", "CA", "CB", 1.520, 114.1, 180},
		{"CD", "CA", "CB", "CG", 1.516, 112.6, 180},
		{"OE1", "CB", "CG", "CD", 1.249, 118.4, 0},
		{"OE2", "CB", "CG", "CD", 1.249, 118.4, 180}}},
	'P': {"PRO", []bond{
		{"CB", "C", "N", "CA", 1.530, 103.0, -120.0},
		{"CG", "N", "CA", "CB", 1.492, 104.5, 29},
		{"CD", "CA", "CB", "CG", 1.503, 106.1, -37}}},
	'T': {"THR", []bond{beta,
		{"OG1", "N", "CA", "CB", 1.433, 109.6, -60},
		{"CG2", "N", "CA", "CB", 1.521, 110.5, 180}}},
	'W': {"TRP", []bond{beta,
		{"CG", "N", "CA", "CB", 1.498, 113.6, 180},
		{"CD1", "CA", "CB", "CG", 1.365, 126.9, 90},
		{"CD2", "CA", "CB", "CG", 1.433, 126.8, -90},
		{"NE1", "CB", "CG", "CD1", 1.374, 110.2, 180},
		{"CE2", "CB", "CG", "CD2", 1.409, 107.2, 180},
		{"CE3", "CB", "CG", "CD2", 1.398, 133.9, 0},
		{"CZ2", "CG", "CD2", "CE2", 1.394, 122.4, 180},
		{"CZ3", "CG", "CD2", "CE3", 1.382, 118.6, 180},
		{"CH2", "CD2", "CE2", "CZ2", 1.368, 117.5, 0}}},
	'Y': {"TYR", []bond{beta,
		{"CG", "N", "CA", "CB", 1.512, 113.9, 180},
		{"CD1", "CA", "CB", "CG", 1.389, 120.8, 90},
		{"CD2", "CA", "CB", "CG", 1.389, 120.8, -90},
		{"CE1", "CB", "CG", "CD1", 1.382, 121.2, 180},
		{"CE2", "CB", "CG", "CD2", 1.382, 121.2, 180},
		{"CZ", "CG", "CD1", "CE1", 1.378, 119.6, 0},
		{"OH", "CD1", "CE1", "CZ", 1.376, 119.9, 180}}},
}
