package gromacs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/jobs/gromacs"
)

// waterMDP is a run of a small box of water; water makes the box.
const waterMDP = `
integrator          = md
dt                  = 0.002
nsteps              = 1000   ; two picoseconds
nstlist             = 20
cutoff-scheme       = Verlet
coulombtype         = PME
rcoulomb            = 0.9
rvdw                = 0.9
tcoupl              = V-rescale
tc_grps             = System
tau-t               = 0.1
ref-t               = 300
gen-vel             = yes
gen-temp            = 300
gen-seed            = 7
ld-seed             = 7
nstxout-compressed  = 100
nstenergy           = 200
nstlog              = 1000
`

// water writes conf.gro, sub/topol.top with an include beside it, and run.mdp.
func water(t *testing.T, mdp string) string {
	t.Helper()
	needGromacs(t)
	folder := t.TempDir()
	gmx(t, folder, "", "solvate", "-cs", "spc216", "-box", "2.2", "-o", "conf.gro")
	lines := strings.Split(string(read(t, folder, "conf.gro")), "\n")
	atoms, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "sub/topol.top"), fmt.Appendf(nil, `#include "amber99sb-ildn.ff/forcefield.itp"
#include "my water.itp"
[ system ]
water
[ molecules ]
SOL %d
`, atoms/3))
	write(t, filepath.Join(folder, "sub/my water.itp"), []byte("#include \"amber99sb-ildn.ff/tip3p.itp\"\n"))
	write(t, filepath.Join(folder, "run.mdp"), []byte(mdp))
	return folder
}

func grompp(t *testing.T, folder, mdp, out string) {
	t.Helper()
	write(t, filepath.Join(folder, "make.mdp"), []byte(mdp))
	gmx(t, folder, "", "grompp", "-f", "make.mdp", "-c", "conf.gro", "-p", "sub/topol.top", "-o", out, "-maxwarn", "5")
}

// change sets parameters of an mdp text.
func change(mdp string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		line := regexp.MustCompile(`(?m)^` + pairs[i] + ` .*\n`)
		mdp = line.ReplaceAllString(mdp, "") + fmt.Sprintf("%s = %s\n", pairs[i], pairs[i+1])
	}
	return mdp
}

// ReadTPR finds in files of many kinds what gmx dump finds.
func TestReadTPR(t *testing.T) {
	folder := water(t, waterMDP)
	for _, c := range []struct {
		name string
		mdp  string
		want gromacs.RunInput
	}{
		{"plain", waterMDP, gromacs.RunInput{Dynamic: true, Steps: 1000, DT: 0.002, NSTList: 20, Compressed: 100, Outputs: [4]int{0, 0, 0, 200}}},
		{"all outputs", change(waterMDP, "nstxout", "300", "nstvout", "400", "nstfout", "500"),
			gromacs.RunInput{Dynamic: true, Steps: 1000, DT: 0.002, NSTList: 20, Compressed: 100, Outputs: [4]int{300, 400, 500, 200}}},
		{"sd", change(waterMDP, "integrator", "sd", "tcoupl", "no", "tau-t", "1"),
			gromacs.RunInput{Dynamic: true, Steps: 1000, DT: 0.002, NSTList: 20, Compressed: 100, Outputs: [4]int{0, 0, 0, 200}}},
		{"bd, endless", change(waterMDP, "integrator", "bd", "tcoupl", "no", "nsteps", "-1", "dt", "0.0005"),
			gromacs.RunInput{Dynamic: true, Steps: -1, DT: 0.0005, NSTList: 20, Compressed: 100, Outputs: [4]int{0, 0, 0, 200}}},
		{"velocity Verlet, started before", change(waterMDP, "integrator", "md-vv", "init-step", "5000000000", "tinit", "3", "gen-vel", "no"),
			gromacs.RunInput{Dynamic: true, Steps: 1000, InitStep: 5000000000, DT: 0.002, NSTList: 20, Compressed: 100, Outputs: [4]int{0, 0, 0, 200}}},
		{"multiple time steps", change(waterMDP, "mts", "yes", "mts-levels", "2", "mts-level2-factor", "2", "tcoupl", "no"),
			gromacs.RunInput{Dynamic: true, Steps: 1000, DT: 0.002, NSTList: 20, Compressed: 100, Outputs: [4]int{0, 0, 0, 200}}},
		{"minimisation", "integrator = steep\nnsteps = 30\ncoulombtype = PME\n",
			gromacs.RunInput{Steps: 30, DT: 0.001, NSTList: 10, Outputs: [4]int{0, 0, 0, 1000}}},
		{"conjugate gradients", "integrator = cg\nnsteps = 30\ncoulombtype = PME\ndefine = -DFLEXIBLE\n",
			gromacs.RunInput{Steps: 30, DT: 0.001, NSTList: 10, Outputs: [4]int{0, 0, 0, 1000}}},
		{"pressure, annealing, pulling", change(waterMDP, "pcoupl", "Parrinello-Rahman", "tau-p", "2", "ref-p", "1", "compressibility", "4.5e-5",
			"annealing", "single", "annealing-npoints", "2", "annealing-time", "0 2", "annealing-temp", "300 350"),
			gromacs.RunInput{Dynamic: true, Steps: 1000, DT: 0.002, NSTList: 20, Compressed: 100, Outputs: [4]int{0, 0, 0, 200}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			grompp(t, folder, c.mdp, "run.tpr")
			got, err := gromacs.ReadTPR(read(t, folder, "run.tpr"))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitN(string(read(t, folder, "conf.gro")), "\n", 3)
			c.want.Version = 127
			c.want.Atoms, _ = strconv.Atoi(strings.TrimSpace(lines[1]))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

const tprJob = `
version: 1
kind: gromacs
gromacs:
  tpr: run.tpr
report: [energy, rmsd, gyration, image]
`

// A ready tpr runs for its own length in segments, and equals mdrun's own run.
func TestTPR(t *testing.T) {
	folder := water(t, waterMDP)
	// An initial step and times that single precision does not hold exactly.
	grompp(t, folder, change(waterMDP, "init-step", "1234000", "tinit", "0.3", "nstcalcenergy", "100"), "run.tpr")
	_, graph := planned(t, folder, tprJob, "gromacs.segment=0.8ps")
	if len(graph.Tasks) != 3+2 {
		t.Fatalf("%d tasks, want 3 segments, join, report", len(graph.Tasks))
	}
	r := newRunner(t, folder)
	r.run(graph)
	whole := t.TempDir()
	gmx(t, folder, "", "mdrun", "-nt", "1", "-pin", "off", "-reprod", "-s", "run.tpr", "-deffnm", filepath.Join(whole, "md"))
	sameRun(t, filepath.Join(r.done, "member-0"), whole, true)
	about := string(read(t, r.done, "report-0", "about.member-0.txt"))
	for _, want := range []string{"item energy ok", "item rmsd left out: all atoms are water or ions", "item image left out: all atoms are water or ions"} {
		if !strings.Contains(about, want) {
			t.Errorf("about.txt has no %q:\n%s", want, about)
		}
	}

	t.Run("longer than its own length", func(t *testing.T) {
		_, graph := planned(t, folder, tprJob, "gromacs.length=2.4ps", "gromacs.segment=1.6ps", "report=[]")
		r := newRunner(t, folder)
		r.run(graph)
		if dump := gmx(t, filepath.Join(r.done, "member-0"), "", "dump", "-cp", "md.cpt"); !strings.Contains(dump, "\nstep = 1235200\n") {
			t.Error("the last checkpoint does not stand at step 1235200")
		}
	})
}

// An ensemble of several tprs has a member each.
func TestTPRList(t *testing.T) {
	folder := water(t, waterMDP)
	grompp(t, folder, change(waterMDP, "nsteps", "400"), "a.tpr")
	grompp(t, folder, change(waterMDP, "nsteps", "400", "gen-seed", "8"), "b.tpr")
	_, graph := planned(t, folder, tprJob, "gromacs.tpr=[a.tpr, b.tpr]", "report=[]")
	r := newRunner(t, folder)
	r.run(graph)
	sameRun(t, filepath.Join(r.done, "member-0"), filepath.Join(r.done, "member-1"), false)
}

// A minimisation knows no checkpoints: one task, its files joined as they are.
func TestMinimisation(t *testing.T) {
	folder := water(t, waterMDP)
	grompp(t, folder, "integrator = steep\nnsteps = 20\ncoulombtype = PME\n", "run.tpr")
	_, graph := planned(t, folder, tprJob)
	r := newRunner(t, folder)
	r.run(graph)
	for _, name := range []string{"md.tpr", "md.gro", "md.edr", "md.trr"} {
		if _, err := os.Stat(filepath.Join(r.done, "member-0", name)); err != nil {
			t.Error(err)
		}
	}
	if about := string(read(t, r.done, "report-0", "about.member-0.txt")); !strings.Contains(about, "item energy ok") {
		t.Error(about)
	}
}

const confJob = `
version: 1
kind: gromacs
gromacs: {conf: conf.gro, top: sub/topol.top, mdp: run.mdp}
report: []
`

// A ready system with an included file runs with the ensemble's own seeds.
func TestConf(t *testing.T) {
	folder := water(t, waterMDP)
	gmx(t, folder, "q\n", "make_ndx", "-f", "conf.gro", "-o", "groups.ndx")
	_, graph := planned(t, folder, confJob, "gromacs.ensemble=2", "gromacs.segment=0.8ps", "gromacs.length=1.6ps", "gromacs.frames=0.1ps",
		"gromacs.index=groups.ndx")
	r := newRunner(t, folder)
	r.run(graph)
	sameRun(t, filepath.Join(r.done, "member-0"), filepath.Join(r.done, "member-1"), false)
	check := strings.ReplaceAll(gmx(t, filepath.Join(r.done, "member-0"), "", "check", "-f", "md.xtc"), "\r", "\n")
	if !strings.Contains(check, "Coords          17    0.1") {
		t.Errorf("gmx check says\n%s", check)
	}
	for m, seed := range []string{"1001", "1002"} {
		if dump := gmx(t, filepath.Join(r.done, fmt.Sprintf("member-%d", m)), "", "dump", "-s", "md.tpr"); !regexp.MustCompile(`ld-seed += ` + seed).MatchString(dump) {
			t.Errorf("member %d has another seed than %s", m, seed)
		}
	}
}

// grompp's own complaint is the task's verdict, in its last line.
func TestGromppRefuses(t *testing.T) {
	folder := water(t, change(waterMDP, "tc_grps", "Protein"))
	_, graph := planned(t, folder, confJob)
	r := newRunner(t, folder)
	err := r.task(graph.Tasks[0], nil)
	log := strings.TrimSpace(r.logs["member-0.1"])
	last := log[strings.LastIndexByte(log, '\n')+1:]
	if err == nil || !strings.HasSuffix(err.Error(), "exit 65") || !strings.HasPrefix(last, "gmx grompp: Group Protein") {
		t.Errorf("got %v; last line: %s", err, last)
	}
}
