package gromacs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zennet/zennet/jobs/spec"
)

// params are run parameters in the order in which they are written. Setting a
// name again replaces its value in place.
type params []spec.MDP

func (p params) set(name, value string) params {
	for i := range p {
		if p[i].Name == name {
			out := append(params{}, p...)
			out[i].Value = value
			return out
		}
	}
	return append(p[:len(p):len(p)], spec.MDP{Name: name, Value: value})
}

func (p params) with(pairs ...string) params {
	for i := 0; i < len(pairs); i += 2 {
		p = p.set(pairs[i], pairs[i+1])
	}
	return p
}

func (p params) get(name string) (string, bool) {
	for _, one := range p {
		if one.Name == name {
			return one.Value, true
		}
	}
	return "", false
}

// integer is a parameter's value, or fallback where it is not given. Other text
// than a whole number is refused.
func (p params) integer(name string, fallback int64) (int64, error) {
	s, ok := p.get(name)
	if !ok || s == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s = %s is no whole number", ErrInput, name, s)
	}
	return n, nil
}

func (p params) number(name string, fallback float64) (float64, error) {
	s, ok := p.get(name)
	if !ok || s == "" {
		return fallback, nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s = %s is no number", ErrInput, name, s)
	}
	return x, nil
}

// text is the mdp file.
func (p params) text() []byte {
	var b strings.Builder
	for _, one := range p {
		fmt.Fprintf(&b, "%-24s = %s\n", one.Name, one.Value)
	}
	return []byte(b.String())
}

// The parameter sets of prepared systems (measured; see DECISIONS.md):
// vac is the solute alone in a large box with plain cut-offs, wet the periodic
// system with PME, dyn its dynamics.
var (
	vac = params{}.with("cutoff-scheme", "Verlet", "verlet-buffer-tolerance", "-1", "rlist", "2.1", "nstlist", "20",
		"coulombtype", "cut-off", "coulomb-modifier", "none", "vdw-modifier", "none", "rcoulomb", "2.0", "rvdw", "2.0", "epsilon-r", "10")
	wet = params{}.with("cutoff-scheme", "Verlet", "nstlist", strconv.Itoa(ownList), "coulombtype", "PME", "rcoulomb", "0.9", "rvdw", "0.9",
		"DispCorr", "EnerPres", "fourierspacing", "0.12", "pme-order", "4")
)

// ownDT is the time step of prepared systems in picoseconds.
const ownDT = 0.002

func dyn(temperature float64) params {
	return params{}.with("integrator", "md", "dt", num(ownDT), "constraints", "h-bonds", "tcoupl", "V-rescale", "tc-grps", "System",
		"tau-t", "0.1", "ref-t", num(temperature), "nstcomm", "100", "nstcalcenergy", "50")
}

func (p params) plus(q params) params {
	for _, one := range q {
		p = p.set(one.Name, one.Value)
	}
	return p
}

// forceModel are the overrides that equilibration must share with production:
// they say what the forces and the constraints are, not what is done with them.
var forceModel = map[string]bool{
	"cutoff-scheme": true, "verlet-buffer-tolerance": true, "rlist": true, "coulombtype": true, "coulomb-modifier": true,
	"rcoulomb": true, "rcoulomb-switch": true, "epsilon-r": true, "epsilon-rf": true, "vdwtype": true, "vdw-type": true,
	"vdw-modifier": true, "rvdw": true, "rvdw-switch": true, "dispcorr": true, "fourierspacing": true, "pme-order": true,
	"ewald-rtol": true, "ewald-rtol-lj": true, "lj-pme-comb-rule": true, "ewald-geometry": true,
}

// motion are further overrides that equilibration shares, but minimisation must not.
var motion = map[string]bool{
	"dt": true, "constraints": true, "constraint-algorithm": true, "lincs-order": true, "lincs-iter": true,
	"lincs-warnangle": true, "shake-tol": true, "nstlist": true,
}

// override puts the user's parameters over p; only those that keep says, or all.
func (p params) override(mdp []spec.MDP, keep ...map[string]bool) params {
	for _, one := range mdp {
		ok := len(keep) == 0
		for _, set := range keep {
			ok = ok || set[one.Name]
		}
		if !ok {
			continue
		}
		name := one.Name
		for _, old := range p {
			if strings.EqualFold(old.Name, name) {
				name = old.Name
			}
		}
		p = p.set(name, one.Value)
	}
	return p
}

// preparation is every mdp file of the prepare task by its file name.
func preparation(g spec.Gromacs) map[string]params {
	s, t := g.Seed, num(g.Temperature)
	seed := strconv.FormatInt(s, 10)
	next := strconv.FormatInt(s+1, 10)
	out := map[string]params{
		"ions.mdp": params{}.with("cutoff-scheme", "Verlet", "coulombtype", "cut-off", "rcoulomb", "0.9", "rvdw", "0.9"),
		"em.mdp":   wet.with("integrator", "steep", "nsteps", "1000", "emtol", "1000").override(g.MDP, forceModel),
	}
	if g.Collapse > 0 {
		out["vmin.mdp"] = vac.with("integrator", "steep", "nsteps", "500", "emtol", "500")
		out["vmd.mdp"] = vac.with("integrator", "sd", "dt", num(ownDT), "nsteps", strconv.FormatInt(toSteps(g.Collapse, ownDT), 10),
			"tc-grps", "System", "tau-t", "1", "ref-t", t, "constraints", "h-bonds", "gen-vel", "yes", "gen-temp", t, "gen-seed", seed,
			"ld-seed", seed, "nstcomm", "100", "nstxout-compressed", "500", "nstenergy", "500", "nstlog", "5000")
	}
	both := wet.plus(dyn(g.Temperature)).override(g.MDP, forceModel, motion)
	dt, _ := both.number("dt", ownDT) // checked when the production run was planned
	if g.NVT > 0 {
		out["nvt.mdp"] = both.with("define", "-DPOSRES", "nsteps", strconv.FormatInt(toSteps(g.NVT, dt), 10), "gen-vel", "yes", "gen-temp", t,
			"gen-seed", seed, "ld-seed", seed)
	}
	if g.NPT > 0 {
		npt := both.with("define", "-DPOSRES", "refcoord-scaling", "com", "nsteps", strconv.FormatInt(toSteps(g.NPT, dt), 10),
			"ld-seed", next, "pcoupl", "C-rescale", "tau-p", "0.5", "ref-p", num(*g.Pressure), "compressibility", "4.5e-5")
		if g.NVT > 0 {
			npt = npt.with("continuation", "yes")
		} else {
			npt = npt.with("gen-vel", "yes", "gen-temp", t, "gen-seed", seed)
		}
		out["npt.mdp"] = npt
	}
	return out
}

// memberSeed is the seed of member m: of its velocities and its thermostat.
func memberSeed(g spec.Gromacs, m int) string { return strconv.FormatInt(g.Seed+1000+int64(m), 10) }

// production is the run's mdp without what differs from member to member. Its
// number of steps is without end: each segment sets its own.
func production(g spec.Gromacs) params {
	t := num(g.Temperature)
	p := wet.plus(dyn(g.Temperature)).with("nsteps", "-1", "gen-vel", "yes", "gen-temp", t)
	if g.Pressure != nil {
		p = p.with("pcoupl", "C-rescale", "tau-p", "5", "ref-p", num(*g.Pressure), "compressibility", "4.5e-5")
	}
	return p.with("compressed-x-precision", "100000", "nstlog", "5000").override(g.MDP)
}

// parseMDP reads an mdp file: "name = value", comments after a semicolon. Names
// are lower case with dashes.
func parseMDP(data []byte) (params, error) {
	var p params
	for i, line := range strings.Split(string(data), "\n") {
		line, _, _ = strings.Cut(line, ";")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: line %d is not name = value", ErrInput, i+1)
		}
		if _, twice := p.get(name); twice {
			return nil, fmt.Errorf("%w: line %d gives %s again", ErrInput, i+1, name)
		}
		p = p.set(name, strings.TrimSpace(value))
	}
	return p, nil
}

// runInput is what an mdp file says about its run; the defaults are gromacs' own.
func (p params) runInput() (RunInput, error) {
	in := RunInput{}
	integrator, ok := p.get("integrator")
	switch strings.ToLower(integrator) {
	case "md", "md-vv", "md-vv-avek", "sd", "bd":
		in.Dynamic = true
	case "":
		in.Dynamic = !ok || integrator == ""
	}
	var errs [9]error
	in.Steps, errs[0] = p.integer("nsteps", 0)
	in.InitStep, errs[1] = p.integer("init-step", 0)
	in.DT, errs[2] = p.number("dt", 0.001)
	list, err := p.integer("nstlist", 10)
	errs[3] = err
	in.NSTList = int(list)
	xtc, err := p.integer("nstxout-compressed", 0)
	errs[4] = err
	in.Compressed = int(xtc)
	for i, one := range []struct {
		name     string
		fallback int64
	}{{"nstxout", 0}, {"nstvout", 0}, {"nstfout", 0}, {"nstenergy", 1000}} {
		n, err := p.integer(one.name, one.fallback)
		errs[5+i] = err
		in.Outputs[i] = int(n)
	}
	for _, err := range errs {
		if err != nil {
			return in, err
		}
	}
	if !(in.DT > 0 && in.DT < 1000) {
		return in, fmt.Errorf("%w: dt = %s is no time step", ErrInput, num(in.DT))
	}
	return in, nil
}
