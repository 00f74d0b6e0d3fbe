package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: peptide SEQUENCE  (one-letter codes, for example GYDPETGTWG)")
		os.Exit(2)
	}
	chain, err := build(os.Args[1])
	if err == nil {
		err = write(os.Stdout, os.Args[1], chain)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peptide:", err)
		os.Exit(1)
	}
}

// atom is one heavy atom of the chain.
type atom struct {
	name, residue string
	number        int // of the residue, from 1
	at            vec
}

// Backbone: an extended strand (φ −135°, ψ 135°, all peptide bonds trans); proline
// can only have a φ of about −65°.
const (
	phi, phiProline, psi, omega = -135, -65, 135, 180
)

// build places all heavy atoms of the sequence.
func build(sequence string) ([]atom, error) {
	var chain []atom
	var before map[string]vec // the residue before
	for i := range len(sequence) {
		kind, ok := residues[sequence[i]]
		if !ok {
			return nil, fmt.Errorf("residue %q is not known (want A D E G P T W Y)", sequence[i])
		}
		turn := float64(phi)
		if sequence[i] == 'P' {
			turn = phiProline
		}
		at := map[string]vec{}
		if before == nil {
			at["N"] = vec{0, 0, 0}
			at["CA"] = vec{1.458, 0, 0}
			at["C"] = place(vec{0, 1, 0}, at["N"], at["CA"], 1.525, 111.2, turn)
		} else {
			at["N"] = place(before["N"], before["CA"], before["C"], 1.329, 116.2, psi)
			at["CA"] = place(before["CA"], before["C"], at["N"], 1.458, 121.7, omega)
			at["C"] = place(before["C"], at["N"], at["CA"], 1.525, 111.2, turn)
		}
		// The carbonyl oxygen lies opposite to the next nitrogen.
		at["O"] = place(at["N"], at["CA"], at["C"], 1.231, 120.8, psi-180)
		names := []string{"N", "CA", "C", "O"}
		for _, b := range kind.side {
			at[b.atom] = place(at[b.a], at[b.b], at[b.c], b.distance, b.angle, b.dihedral)
			names = append(names, b.atom)
		}
		if i == len(sequence)-1 {
			at["OXT"] = place(at["N"], at["CA"], at["C"], 1.249, 117.0, psi)
			names = append(names, "OXT")
		}
		for _, name := range names {
			chain = append(chain, atom{name, kind.name, i + 1, at[name]})
		}
		before = at
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("the sequence is empty")
	}
	return chain, nil
}

// write prints the chain in PDB format 3.3.
func write(w io.Writer, sequence string, chain []atom) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "REMARK   1 %s, EXTENDED, BUILT FROM IDEAL GEOMETRY\n", sequence)
	for i, a := range chain {
		fmt.Fprintf(out, "ATOM  %5d  %-3s %3s A%4d    %8.3f%8.3f%8.3f  1.00  0.00           %c\n",
			i+1, a.name, a.residue, a.number, a.at[0], a.at[1], a.at[2], a.name[0])
	}
	fmt.Fprint(out, "TER\nEND\n")
	return out.Flush()
}
