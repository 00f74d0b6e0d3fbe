package gromacs

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// study is a job with everything known that its plan depends on.
type study struct {
	job     spec.Job
	solute  Solute  // of a system that is to be prepared
	size    float64 // nm, of its box; estimated where the margin is given
	atoms   int     // of one system, counted or estimated; 0 = unknown
	dynamic bool    // false: one task without checkpoints a member
	time    timing  // where dynamic
	frames  int64   // of a member's .xtc; 0 = none or unknown
	energy  int64   // steps between frames of energies; 0 = none
	members []start
	prepare map[string]params // mdp files of the prepare task; nil where the system is ready
}

// start is what a member's first segment starts from.
type start struct {
	inputs                      []plan.Input
	mdp, conf, top, ndx, expect string // settings of segment.sh
	init                        int64  // the run's initial step
}

// look reads the job's files and settles times and sizes. Errors name the job
// file's line.
func look(job spec.Job, files fs.FS) (*study, error) {
	s := &study{job: job}
	switch g := job.Gromacs; {
	case g.Structure != "":
		return s, s.structure(files)
	case len(g.TPR) > 0:
		return s, s.tpr(files)
	default:
		return s, s.conf(files)
	}
}

// wrap puts the line of a key before an error about its file.
func wrap(job spec.Job, key, name string, err error) error {
	return fmt.Errorf("%s: %s: %s: %w", job.At(key), key, name, err)
}

// structure plans a system that is to be built.
func (s *study) structure(files fs.FS) error {
	g := s.job.Gromacs
	data, err := fs.ReadFile(files, g.Structure)
	if err == nil {
		s.solute, err = ReadStructure(g.Structure, data)
	}
	if err != nil {
		return wrap(s.job, "gromacs.structure", g.Structure, err)
	}
	if err := s.checkBox(); err != nil {
		return err
	}
	mdp := production(*g)
	in, err := mdp.runInput()
	if err != nil {
		return fmt.Errorf("%s: gromacs.mdp: %w", s.job.At("gromacs.mdp"), err)
	}
	list := int64(in.NSTList)
	if list != ownList && list != 80 {
		list = lcm(foreignList, list)
	}
	s.atoms = s.estimateAtoms()
	s.dynamic = true
	frames, err := s.frameSteps(in.DT)
	if err != nil {
		return err
	}
	energy := energies(mdp, frames)
	unit := lcm(list, frames, energy, int64(in.Outputs[0]), int64(in.Outputs[1]), int64(in.Outputs[2]))
	if err := s.cut(toSteps(g.Length, in.DT), unit, list, frames, in.DT); err != nil {
		return err
	}
	mdp = mdp.with("nstxout-compressed", strconv.FormatInt(frames, 10), "nstenergy", strconv.FormatInt(energy, 10))
	s.frames, s.energy = s.time.Total/frames+1, energy
	s.prepare = preparation(*g)
	for m := range g.Ensemble {
		seed := memberSeed(*g, m)
		s.members = append(s.members, start{
			mdp: "md.mdp", conf: "system.gro", top: "topol.top",
			inputs: []plan.Input{{Task: "prepare"}, inline("md.mdp", mdp.with("gen-seed", seed, "ld-seed", seed).text())},
		})
	}
	return nil
}

// energies is the interval of energies that goes with one of frames: the least
// multiple that grompp leaves as it is, a multiple of nstcalcenergy.
func energies(mdp params, frames int64) int64 {
	calc, err := mdp.integer("nstcalcenergy", 50)
	if err != nil || calc < 1 {
		calc = 1
	}
	return lcm(calc, frames)
}

// checkBox refuses a box that cannot hold the solute, as far as that is known
// before it has collapsed.
func (s *study) checkBox() error {
	g := s.job.Gromacs
	least, how := s.solute.Diameter, "the solute is %.2fnm across"
	if g.Collapse > 0 {
		least, how = min(least, s.solute.compactDiameter()), "even as a ball the solute is %.2fnm across"
	}
	s.size = g.Box.Size
	if s.size == 0 {
		d := s.solute.Diameter
		if g.Collapse > 0 {
			d = min(d, 1.35*s.solute.compactDiameter()+0.2)
		}
		s.size = max(2, d+2*g.Box.Margin)
		return nil
	}
	if need := least + 2*spec.LeastMargin; s.size < need {
		return fmt.Errorf("%s: gromacs.box.size: %w: "+how+", so that with %snm on each side the box needs at least %.2fnm, not %snm",
			s.job.At("gromacs.box.size"), ErrBox, least, num(spec.LeastMargin), need+0.005, num(s.size))
	}
	return nil
}

// frameSteps rounds frames to steps.
func (s *study) frameSteps(dt float64) (int64, error) {
	frames := toSteps(s.job.Gromacs.Frames, dt)
	if frames < 1 || frames > 1<<30 {
		return 0, fmt.Errorf("%s: gromacs.frames: %w: %s is %d steps of %sps; the nearest good value is %s", s.job.At("gromacs.frames"), ErrTime,
			psText(s.job.Gromacs.Frames), frames, num(dt), ps(min(max(frames, 1), 1<<30), dt))
	}
	return frames, nil
}

// cut settles segments. unit is what they must be a multiple of; list and frames
// are parts of it, for messages.
func (s *study) cut(total, unit, list, frames int64, dt float64) error {
	t, err := cut(s.job, total, toSteps(s.job.Gromacs.Segment, dt), unit, list, frames, s.chosenSteps(dt), dt)
	t.Frames = frames
	s.time = t
	return err
}

// conf plans a ready system of coordinates, topology and run parameters.
func (s *study) conf(files fs.FS) error {
	g := s.job.Gromacs
	data, err := fs.ReadFile(files, g.MDPFile)
	if err != nil {
		return wrap(s.job, "gromacs.mdp", g.MDPFile, err)
	}
	mdp, err := parseMDP(data)
	if err != nil {
		return wrap(s.job, "gromacs.mdp", g.MDPFile, err)
	}
	in, err := mdp.runInput()
	if err != nil {
		return wrap(s.job, "gromacs.mdp", g.MDPFile, err)
	}
	if data, err = fs.ReadFile(files, g.Conf); err == nil {
		s.atoms, err = confAtoms(g.Conf, data)
	}
	if err != nil {
		return wrap(s.job, "gromacs.conf", g.Conf, err)
	}
	more, err := includes(files, g.Top)
	if err != nil {
		return wrap(s.job, "gromacs.top", g.Top, err)
	}
	if vel, _ := mdp.get("gen-vel"); g.Ensemble > 1 && !strings.EqualFold(vel, "yes") && !mdp.stochastic() {
		return fmt.Errorf("%s: gromacs.ensemble: %w: with gen-vel = no and neither a stochastic integrator nor thermostat all %d members would be the same run",
			s.job.At("gromacs.ensemble"), ErrInput, g.Ensemble)
	}
	s.dynamic = in.Dynamic
	if in.Dynamic {
		if g.Frames > 0 {
			frames, err := s.frameSteps(in.DT)
			if err != nil {
				return err
			}
			in.Compressed = int(frames)
			calc, err := mdp.integer("nstcalcenergy", 100)
			if err != nil {
				return wrap(s.job, "gromacs.mdp", g.MDPFile, err)
			}
			in.Outputs[3] = int(min(lcm(calc, frames), 1<<30))
			mdp = mdp.with("nstxout-compressed", strconv.Itoa(in.Compressed), "nstenergy", strconv.Itoa(in.Outputs[3]))
		}
		mdp = mdp.with("nsteps", "-1")
	} else if g.Frames > 0 {
		return s.still("gromacs.frames")
	}
	if err := s.ready(in); err != nil {
		return err
	}
	// Everything keeps its own path, below a folder of its own, so that a topology's
	// relative includes lead where they led.
	const folder = "in/"
	inputs := []plan.Input{file(folder+g.Conf, g.Conf), file(folder+g.Top, g.Top)}
	for _, name := range more {
		inputs = append(inputs, file(folder+name, name))
	}
	ndx := ""
	if g.Index != "" {
		ndx = folder + g.Index
		inputs = append(inputs, file(ndx, g.Index))
	}
	for m := range g.Ensemble {
		seed := memberSeed(*g, m)
		one := start{mdp: "md.mdp", conf: folder + g.Conf, top: folder + g.Top, ndx: ndx, init: in.InitStep,
			inputs: append(inputs[:len(inputs):len(inputs)], inline("md.mdp", mdp.with("gen-seed", seed, "ld-seed", seed).text()))}
		if in.Dynamic {
			one.expect = expect(in, -1)
		}
		s.members = append(s.members, one)
	}
	return nil
}

// stochastic says that the seed alone makes two runs differ.
func (p params) stochastic() bool {
	integrator, _ := p.get("integrator")
	tcoupl, _ := p.get("tcoupl")
	pcoupl, _ := p.get("pcoupl")
	for _, word := range []string{integrator, tcoupl, pcoupl} {
		switch strings.ToLower(word) {
		case "sd", "bd", "v-rescale", "andersen", "andersen-massive", "c-rescale":
			return true
		}
	}
	return false
}

// tpr plans runs of ready run input files.
func (s *study) tpr(files fs.FS) error {
	g := s.job.Gromacs
	var first RunInput
	for m, name := range g.TPR {
		data, err := fs.ReadFile(files, name)
		var in RunInput
		if err == nil {
			in, err = ReadTPR(data)
		}
		if err != nil {
			return wrap(s.job, "gromacs.tpr", name, err)
		}
		if m == 0 {
			first = in
			s.atoms, s.dynamic = in.Atoms, in.Dynamic
			if err := s.ready(in); err != nil {
				return err
			}
		} else if same := first.like(in, g.Length > 0); same != "" {
			return fmt.Errorf("%s: gromacs.tpr: %w: %s and %s differ in %s; the members of an ensemble must agree in it",
				s.job.At("gromacs.tpr"), ErrInput, g.TPR[0], name, same)
		}
		one := start{inputs: []plan.Input{file("member.tpr", name)}, init: in.InitStep}
		if in.Dynamic {
			one.expect = expect(in, in.Steps)
		}
		s.members = append(s.members, one)
	}
	return nil
}

// like names what two run inputs differ in that one timing cannot serve; "" if nothing.
func (r RunInput) like(o RunInput, length bool) string {
	switch {
	case r.Dynamic != o.Dynamic:
		return "their kind of integrator"
	case r.DT != o.DT:
		return "their time step"
	case !length && r.Steps != o.Steps:
		return "their number of steps (or give length)"
	case r.NSTList != o.NSTList || r.Outputs != o.Outputs || r.Compressed != o.Compressed:
		return "their intervals of lists or of output"
	case r.InitStep != o.InitStep:
		return "their initial step"
	}
	return ""
}

// ready settles the times of a ready system.
func (s *study) ready(in RunInput) error {
	g := s.job.Gromacs
	if !in.Dynamic {
		if g.Length > 0 {
			return s.still("gromacs.length")
		}
		if g.Segment > 0 {
			return s.still("gromacs.segment")
		}
		return nil
	}
	total := in.Steps
	if g.Length > 0 {
		total = toSteps(g.Length, in.DT)
	}
	if total < 1 {
		return fmt.Errorf("%s: gromacs.length: %w: the run input has %d steps; say how long each run shall be", s.job.At("gromacs.length"), ErrTime, in.Steps)
	}
	list := lcm(foreignList, int64(in.NSTList))
	unit := list
	for _, n := range append(in.Outputs[:], in.Compressed) {
		unit = lcm(unit, int64(n))
	}
	s.energy = int64(in.Outputs[3])
	if in.Compressed > 0 {
		s.frames = total/int64(in.Compressed) + 1
	}
	return s.cut(total, unit, list, int64(in.Compressed), in.DT)
}

func (s *study) still(key string) error {
	return fmt.Errorf("%s: %s: %w: the integrator has no checkpoints, so that each run is one task; leave it out", s.job.At(key), key, ErrTime)
}

// expect is what segment.sh must find in the tpr, in its words.
func expect(in RunInput, steps int64) string {
	return fmt.Sprintf("dt=%s nsteps=%d init-step=%d nstlist=%d", strconv.FormatFloat(in.DT, 'g', 9, 64), steps, in.InitStep, in.NSTList)
}

// extension is a file name's ending in lower case.
func extension(name string) string { return strings.ToLower(path.Ext(name)) }
