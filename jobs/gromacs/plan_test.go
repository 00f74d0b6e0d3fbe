package gromacs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/zennet/zennet/jobs/gromacs"
	"github.com/zennet/zennet/jobs/spec"
)

const confMDP = "integrator = md\ndt = 0.002\nnsteps = 5000\nnstxout-compressed = 500\ngen_vel = yes ; velocities\n"

// line is a .gro file of n carbons, a tenth of a nanometre apart.
func line(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "line\n%d\n", n)
	for i := range n {
		fmt.Fprintf(&b, "%5d%-5s%5s%5d%8.3f%8.3f%8.3f\n", 1, "ALA", "C", (i+1)%100000, float64(i)/10, 0.0, 0.0)
	}
	return b.String() + "   1.0 1.0 1.0\n"
}

func inputs(t testing.TB) fstest.MapFS {
	t.Helper()
	pdb, err := os.ReadFile(examples + "/chignolin.pdb")
	if err != nil {
		t.Fatal(err)
	}
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	return fstest.MapFS{
		"chignolin.pdb": {Data: pdb, Mode: 0o644},
		"line.gro":      file(line(31)),
		"empty.pdb":     file("REMARK\n"),
		"bad.pdb":       file("ATOM      1  N   GLY A   1       0.000   x.000   0.000\n"),
		"short.gro":     file("title\n10\n"),
		"conf.gro":      file(line(900)),
		"topol.top":     file("#include \"amber99sb-ildn.ff/forcefield.itp\"\n#include \"ff/mol.itp\"\n"),
		"ff/mol.itp":    file("#include \"deep/x.itp\"\n  # include <posre.itp>\n"),
		"ff/deep/x.itp": file(""),
		"posre.itp":     file("#include \"topol.top\"\n"),
		"leaves.top":    file("#include \"../secret.itp\"\n"),
		"run.mdp":       file(confMDP),
		"cold.mdp":      file("integrator = md\nnsteps = 800\n"),
		"em.mdp":        file("integrator = steep\nnsteps = 800\n"),
		"twice.mdp":     file("dt = 1\nDT = 2\n"),
		"nodt.mdp":      file("dt = zero\n"),
		"no.tpr":        file("this is no run input"),
	}
}

func jobText(section string) string {
	return "version: 1\nkind: gromacs\ngromacs: {" + section + "}\nreport: []\n"
}

// Every refusal names its line, the numbers, and what would be right.
func TestRefusals(t *testing.T) {
	files := inputs(t)
	const structure = "structure: chignolin.pdb, collapse: 200ps, "
	const conf = "conf: conf.gro, top: topol.top, mdp: run.mdp, "
	for _, c := range []struct {
		name, section, want string
		kind                error
	}{
		{"segment is no multiple of lists", structure + "length: 30ps, segment: 10.03ps, frames: 0.5ps",
			"job.yaml:3: gromacs.segment: times do not fit together: 10.03ps is 5015 steps of 0.002ps, which is not a multiple of 250, " +
				"for it must be a whole number of list updates (50 steps) and of frames (250 steps); the nearest good values are 10ps and 10.5ps", gromacs.ErrTime},
		{"segment is no multiple of frames", structure + "length: 30ps, segment: 10ps, frames: 0.6ps",
			"the nearest good values are 9.6ps and 10.2ps; or frames of 0.5ps or 1ps", gromacs.ErrTime},
		{"segment shorter than a frame", structure + "length: 30ps, segment: 0.1ps, frames: 0.5ps", "the nearest good values are 0.5ps", gromacs.ErrTime},
		{"frames below a step", structure + "length: 30ps, frames: 0.5ps, mdp: {dt: 2}", "gromacs.frames: times do not fit together: 0.5ps is 0 steps of 2ps; the nearest good value is 2ps", gromacs.ErrTime},
		{"length below a step", structure + "length: 0.5fs, frames: 0.5ps", "0.5fs is no span", nil},
		{"no length", structure + "length: 1fs", "gromacs.length: times do not fit together: it is 1 steps", nil},
		{"too many segments", structure + "length: 1ms, segment: 1ns", "members of 1000000 segments are more than 100000 tasks; make segments longer", gromacs.ErrSize},
		{"box too small", "structure: line.gro, length: 1ps, box: {size: 4.1nm}",
			"gromacs.box.size: box is too small: the solute is 3.00nm across, so that with 0.6nm on each side the box needs at least 4.21nm, not 4.1nm", gromacs.ErrBox},
		{"box too small even for a ball", structure + "length: 1ps, box: {size: 2.2nm}", "even as a ball the solute is 1.", gromacs.ErrBox},
		{"no atoms", "structure: empty.pdb, length: 1ps", "gromacs.structure: empty.pdb: input file cannot be used: it lists no atoms", gromacs.ErrInput},
		{"bad coordinate", "structure: bad.pdb, length: 1ps", `bad.pdb: input file cannot be used: line 1: "   x.000" is no coordinate`, gromacs.ErrInput},
		{"short gro", "structure: short.gro, length: 1ps", "line 2 does not say how many atoms follow", gromacs.ErrInput},
		{"bad dt", structure + "length: 1ps, mdp: {dt: x}", "gromacs.mdp: input file cannot be used: dt = x is no number", gromacs.ErrInput},
		{"no tpr", "tpr: no.tpr", "gromacs.tpr: no.tpr: input file cannot be used: it is no tpr file", gromacs.ErrInput},
		{"foreign segment", conf + "segment: 1ps", "it must be a whole number of list updates (mdrun chooses 20 to 100 steps: 400 holds for all) and of frames (500 steps)", gromacs.ErrTime},
		{"include leaves", "conf: conf.gro, top: leaves.top, mdp: run.mdp", "leaves.top includes ../secret.itp, which leaves the job file's folder", gromacs.ErrInput},
		{"mdp twice", "conf: conf.gro, top: topol.top, mdp: twice.mdp", "twice.mdp: input file cannot be used: line 2 gives dt again", gromacs.ErrInput},
		{"mdp value", "conf: conf.gro, top: topol.top, mdp: nodt.mdp", "dt = zero is no number", gromacs.ErrInput},
		{"same members", "conf: conf.gro, top: topol.top, mdp: cold.mdp, ensemble: 2", "all 2 members would be the same run", gromacs.ErrInput},
		{"length of a minimisation", "conf: conf.gro, top: topol.top, mdp: em.mdp, length: 1ps", "the integrator has no checkpoints, so that each run is one task; leave it out", gromacs.ErrTime},
		{"frames of a minimisation", "conf: conf.gro, top: topol.top, mdp: em.mdp, frames: 1ps", "gromacs.frames", gromacs.ErrTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			job, err := spec.Parse("job.yaml", []byte(jobText(c.section)), files, nil)
			if err == nil {
				_, err = gromacs.Plan(job, files)
			}
			if c.name == "no length" {
				if err != nil {
					t.Fatalf("one femtosecond rounds to a step, yet %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "job.yaml:3: ") {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			if c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("%v is not %v", err, c.kind)
			}
		})
	}
}

// The files that a topology includes come along, in the folders that they are in.
func TestIncludes(t *testing.T) {
	files := inputs(t)
	job, err := spec.Parse("job.yaml", []byte(jobText("conf: conf.gro, top: topol.top, mdp: run.mdp")), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := gromacs.Plan(job, files)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range graph.Tasks[0].Inputs {
		got = append(got, in.Path)
	}
	if want := "segment.sh in/conf.gro in/topol.top in/ff/deep/x.itp in/ff/mol.itp in/posre.itp md.mdp"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
}

// length and dt come from the mdp file unless length is given; the segment that
// the planner chooses does not depend on the length.
func TestTimes(t *testing.T) {
	files := inputs(t)
	for _, c := range []struct{ section, want string }{
		{"conf: conf.gro, top: topol.top, mdp: run.mdp", "5000"},
		{"conf: conf.gro, top: topol.top, mdp: run.mdp, length: 4ps", "2000"},
		{"conf: conf.gro, top: topol.top, mdp: run.mdp, length: 10ps, segment: 4ps", "2000 4000 5000"},
		{"structure: chignolin.pdb, collapse: 1ps, length: 25ps, segment: 10ps, frames: 0.5ps", "5000 10000 12500"},
		{"structure: chignolin.pdb, collapse: 1ps, length: 25ps, segment: 10ps, frames: 0.5ps, mdp: {dt: 0.001}", "10000 20000 25000"},
		{"structure: chignolin.pdb, collapse: 1ps, length: 3ns, box: {size: 3.2nm}", "199000 398000 597000 796000 995000 1194000 1393000 1500000"},
	} {
		job, err := spec.Parse("job.yaml", []byte(jobText(c.section)), files, nil)
		if err != nil {
			t.Fatal(err)
		}
		graph, err := gromacs.Plan(job, files)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, task := range graph.Tasks {
			if task.Stage == "simulate" {
				got = append(got, task.Env["MD_LAST"])
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: segments end at %s, want %s", c.section, strings.Join(got, " "), c.want)
		}
	}
}

func TestInspect(t *testing.T) {
	files := inputs(t)
	for _, c := range []struct {
		section string
		want    []string // parts of notes and warnings, in order
	}{
		{"structure: chignolin.pdb, collapse: 200ps, box: {size: 3.2nm}, length: 30ps, segment: 10ps, frames: 0.5ps",
			[]string{"77 atoms and is 3.27 nm across", "30 ps in 3 segments of 10 ps (5000 steps of 0.002 ps)"}},
		{"structure: chignolin.pdb, collapse: 200ps, box: {size: 3.2nm}, length: 30ps, segment: 1ps, frames: 0.5ps",
			[]string{"", "", "job.yaml:3: gromacs.segment: a segment takes about 1.1 s; below 5 s"}},
		{"structure: chignolin.pdb, box: {size: 30nm}, length: 1ns, segment: 1ns, frames: 0.5ps",
			[]string{"", "", "a lost provider costs up to that", "timeout: a segment takes about", "resources.memory: the run is expected to need about 4", "resources.disk: joining"}},
		{"conf: conf.gro, top: topol.top, mdp: em.mdp", []string{"900 atoms", "the integrator has no checkpoints"}},
	} {
		job, err := spec.Parse("job.yaml", []byte(jobText(c.section)), files, nil)
		if err != nil {
			t.Fatal(err)
		}
		info, err := gromacs.Inspect(job, files)
		if err != nil {
			t.Fatal(err)
		}
		got := append(info.Notes, info.Warnings...)
		if len(got) != len(c.want) {
			t.Errorf("%s: got %q", c.section, got)
			continue
		}
		for i, part := range c.want {
			if !strings.Contains(got[i], part) {
				t.Errorf("%s: got %q, want %q in it", c.section, got[i], part)
			}
		}
	}
}

// The diameter is exact for small molecules and a lower bound for large ones.
func TestDiameter(t *testing.T) {
	for _, n := range []int{31, 20_000} {
		s, err := gromacs.ReadStructure("x.gro", []byte(line(n)))
		if err != nil {
			t.Fatal(err)
		}
		want := float64(n-1) / 10
		if s.Atoms != n || s.Diameter > want+1e-9 || s.Diameter < 0.98*want {
			t.Errorf("%d atoms: diameter %v of %d atoms", n, s.Diameter, s.Atoms)
		}
	}
}

func FuzzReadTPR(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x1f\x00\x00\x00\x1eVERSION 2022.5-Debian_2022.5_2\x00\x00\x00\x00\x00\x04\x00\x00\x00\x7f\x00\x00\x00\x1c\x00\x00\x00\x08\x00\x00\x00\x07release\x00\x00\x00\x0a\x5c"))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1}, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		if in, err := gromacs.ReadTPR(data); err == nil && (in.DT <= 0 || in.Steps < -1 || in.Atoms < 0 || in.NSTList < 0) {
			t.Errorf("accepted %+v", in)
		}
	})
}

func FuzzReadStructure(f *testing.F) {
	f.Add("x.gro", []byte(line(3)))
	f.Add("x.pdb", []byte("ATOM      1  N   GLY A   1       0.000   0.000   0.000  1.00  0.00           N\n"))
	f.Add("x.gro", []byte("\n1\n          .              .\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if s, err := gromacs.ReadStructure(name, data); err == nil && (s.Heavy < 1 || s.Atoms < s.Heavy || s.Diameter < 0) {
			t.Errorf("accepted %+v", s)
		}
	})
}

// No mdp or top makes the planner panic, whatever is in it.
func FuzzConf(f *testing.F) {
	f.Add([]byte(confMDP), []byte("#include \"a.itp\"\n"))
	f.Add([]byte("nstlist=-7\ndt=1e-300\nnsteps=9223372036854775807\ninit-step=-1\n"), []byte(""))
	f.Fuzz(func(t *testing.T, mdp, top []byte) {
		files := fstest.MapFS{"conf.gro": {Data: []byte(line(3))}, "topol.top": {Data: top}, "run.mdp": {Data: mdp}}
		job, err := spec.Parse("job.yaml", []byte(jobText("conf: conf.gro, top: topol.top, mdp: run.mdp, ensemble: 2")), files, nil)
		if err != nil {
			t.Fatal(err)
		}
		graph, err := gromacs.Plan(job, fs.FS(files))
		if err != nil {
			return
		}
		if err := graph.Check(); err != nil {
			t.Error(err)
		}
	})
}
