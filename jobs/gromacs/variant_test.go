package gromacs_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// Other systems than the example's: force fields, waters, boxes, without salt,
// without collapse, without equilibration.
func TestVariants(t *testing.T) {
	needGromacs(t)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "aga.pdb"), read(t, "testdata/aga.pdb")) // of ../examples/peptide
	const base = "version: 1\nkind: gromacs\ngromacs: {structure: aga.pdb, length: 0.2ps, segment: 0.2ps, frames: 0.1ps, equilibrate: {nvt: 0.1ps, npt: 0.1ps}}\n"
	for _, c := range []struct {
		name string
		sets []string
	}{
		{"octahedron, four-site water, no salt", []string{"gromacs.box={type: octahedron, margin: 0.6nm}", "gromacs.water=tip4p", "gromacs.salt=0"}},
		{"another force field, cube, not equilibrated", []string{"gromacs.forcefield=charmm27", "gromacs.box={type: cubic, size: 2.4nm}", "gromacs.equilibrate={nvt: 0ps, npt: 0ps}", "gromacs.water=spce"}},
		{"constant pressure at once, small steps", []string{"gromacs.equilibrate={nvt: 0ps, npt: 0.1ps}", "gromacs.box={margin: 0.6nm}", "gromacs.mdp={dt: 0.001, constraints: none, nstlist: 10, nstxout: 100}",
			"gromacs.segment=0.4ps", "gromacs.length=0.8ps", "gromacs.frames=0.1ps"}},
		{"odd frames", []string{"gromacs.box={margin: 0.6nm}", "gromacs.pressure=none", "gromacs.equilibrate={nvt: 0.1ps}", "gromacs.frames=0.014ps", "gromacs.segment=0.7ps"}},
		{"two threads", []string{"resources.cpu=2", "gromacs.box={margin: 0.6nm}", "gromacs.pressure=none", "gromacs.equilibrate={nvt: 0ps}", "gromacs.segment=0.1ps", "gromacs.length=0.1ps"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, graph := planned(t, folder, base, c.sets...)
			r := newRunner(t, folder)
			r.run(graph)
			about := string(read(t, r.done, "report-0", "about.member-0.txt"))
			if strings.Count(about, " ok\n") != 4 {
				t.Errorf("report:\n%s", about)
			}
		})
	}
}
