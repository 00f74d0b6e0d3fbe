// Command peptide writes the PDB file of a peptide in an extended conformation,
// with all heavy atoms and no hydrogens:
//
//	go run ./jobs/examples/peptide GYDPETGTWG > jobs/examples/chignolin.pdb
//
// It builds the chain from internal coordinates (bond length, bond angle,
// dihedral; the NeRF construction of Parsons et al., J. Comput. Chem. 26, 1063,
// 2005) with the ideal lengths and angles of Engh and Huber (Acta Cryst. A47, 392,
// 1991). No experiment's coordinates are in it. Residues: A D E G P T W Y.
package main
