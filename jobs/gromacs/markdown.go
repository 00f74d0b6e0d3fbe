package gromacs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/zennet/zennet/jobs/spec"
)

// markdown is report.md.
func (r report) markdown() []byte {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# %s\n", r.job.Name)
	r.what(p)
	for _, item := range r.job.Report {
		r.item(p, item)
	}
	r.meaning(p)
	p("## Files\n")
	p("- `tasks/member-N/`: `md.tpr` (run input), `md.xtc` (trajectory), `md.edr` (energies), `md.gro` (last frame), `md.cpt` (last checkpoint).")
	p("- `report/ITEM.member-N.xvg`: the tables behind the pictures, for xmgrace or any reader of columns.")
	if r.job.Gromacs.Structure != "" {
		p("- `tasks/prepare/`: the equilibrated system and its topology.")
	}
	return []byte(b.String())
}

type printer func(format string, args ...any)

// what says what was run.
func (r report) what(p printer) {
	g := r.job.Gromacs
	p("## What was run\n")
	plural := func(n int, word string) string {
		if n == 1 {
			return "1 " + word
		}
		return fmt.Sprintf("%d %ss", n, word)
	}
	version, atoms := "", ""
	for _, a := range r.about {
		if a.gromacs != "" {
			version, atoms = a.gromacs, a.atoms
			break
		}
	}
	run := plural(r.members, "independent run")
	if length := r.length(); length > 0 {
		run += fmt.Sprintf(" of %s", duration(length))
	}
	if atoms != "" {
		run += fmt.Sprintf(", %s atoms each", atoms)
	}
	if version != "" {
		run += ", with GROMACS " + version
	}
	p("- %s.", run)
	switch {
	case g.Structure != "":
		p("- System: `%s` with force field %s and %s water, %s mol/l salt beside the ions that neutralise.", g.Structure, g.ForceField, g.Water, num(g.Salt))
		if g.Collapse > 0 {
			p("- The chain first collapsed for %s without water; its most compact frame went on.", spaced(g.Collapse))
		}
		if size, water := strings.TrimRight(strings.TrimRight(r.prepare["box_nm"], "0"), "."), r.prepare["molecules_SOL"]; size != "" && water != "" {
			p("- Box: %s, %s nm between images, around a solute %s nm across; %s water molecules.", g.Box.Type, size, r.prepare["diameter_nm"], water)
		}
		ensemble := fmt.Sprintf("%s K", num(g.Temperature))
		if g.Pressure != nil {
			ensemble += fmt.Sprintf(" and %s bar", num(*g.Pressure))
		} else {
			ensemble += " at constant volume"
		}
		p("- Held at %s, after %s.", ensemble, equilibration(*g))
		p("- Seed %d: member N has velocities and thermostat from seed %d + N.", g.Seed, g.Seed+1000)
	case len(g.TPR) > 0:
		p("- Run input: `%s`.", strings.Join(g.TPR[:min(len(g.TPR), 5)], "`, `"))
	default:
		p("- System: `%s` and `%s` with `%s`; member N has seed %d + N.", g.Conf, g.Top, g.MDPFile, g.Seed+1000)
	}
	p("")
}

// equilibration says how the system was brought to its state.
func equilibration(g spec.Gromacs) string {
	var parts []string
	if g.NVT > 0 {
		parts = append(parts, spaced(g.NVT)+" at constant volume")
	}
	if g.NPT > 0 {
		parts = append(parts, spaced(g.NPT)+" at constant pressure")
	}
	if len(parts) == 0 {
		return "a minimisation only"
	}
	return strings.Join(parts, " and ") + " with the solute restrained"
}

// item is the section of one report item.
func (r report) item(p printer, item string) {
	titles := map[string]string{spec.ReportEnergy: "Energies, temperature, pressure", spec.ReportRMSD: "RMSD",
		spec.ReportGyration: "Radius of gyration", spec.ReportImage: "Distance to the periodic image"}
	p("## %s\n", titles[item])
	defer p("")
	panels := r.panels(item)
	if len(panels) == 0 {
		p("Left out: %s.", r.reason(item))
		return
	}
	p("![%s](%s.png)\n", titles[item], item)
	switch item {
	case spec.ReportRMSD:
		p("Of the group %s, after fitting it to the first frame's.\n", r.group(func(a about) string { return a.fit }))
	case spec.ReportGyration:
		p("Of the group %s, weighted by mass.\n", r.group(func(a about) string { return a.whole }))
	case spec.ReportImage:
		p("Of the group %s to its nearest copy. Below the cut-off the molecule would feel itself.\n", r.group(func(a about) string { return a.whole }))
	}
	r.table(p, item)
	if lost := r.members - len(r.items[item]); lost > 0 {
		p("\n%d of %d members are missing: %s.", lost, r.members, r.reason(item))
	}
}

// table has a row a member: mean ± standard deviation over time.
func (r report) table(p printer, item string) {
	const mostRows = 100
	var shown []quantity
	for _, q := range quantities[item] {
		for _, s := range r.items[item] {
			if q.legend == "" || s.column(q.legend) != nil {
				shown = append(shown, q)
				break
			}
		}
	}
	single := len(shown) == 1
	head, rule := "| member |", "|---|"
	for _, q := range shown {
		head += fmt.Sprintf(" %s, mean ± sd (%s) |", q.name, q.unit)
		rule += "---:|"
	}
	if single {
		head += " least | most | last |"
		rule += "---:|---:|---:|"
	}
	p("%s\n%s", head, rule)
	for i, s := range r.items[item] {
		if i == mostRows {
			p("\n… and %d more; see the .xvg files.", len(r.items[item])-mostRows)
			break
		}
		row := fmt.Sprintf("| %d |", s.member)
		for _, q := range shown {
			values := s.column(q.legend)
			if q.legend == "" {
				values = s.values[0]
			}
			if values == nil {
				row += " – |"
				continue
			}
			f := figures(values)
			row += fmt.Sprintf(" %.*f ± %.*f |", q.digits, f.mean, q.digits, f.sd)
			if single {
				row += fmt.Sprintf(" %.*f | %.*f | %.*f |", q.digits, f.least, q.digits, f.most, q.digits, f.last)
			}
		}
		p("%s", row)
	}
	if item == spec.ReportEnergy {
		r.conserved(p)
	}
}

// conserved says how well the conserved quantity was.
func (r report) conserved(p printer) {
	most, atoms := 0.0, 0
	for _, s := range r.items[spec.ReportEnergy] {
		if n, err := strconv.Atoi(r.about[s.member].atoms); err == nil {
			atoms = n
		}
		if values := s.column("Conserved-En."); values != nil && atoms > 0 {
			if d := drift(s.time, values) / float64(atoms); math.Abs(d) > math.Abs(most) {
				most = d
			}
		}
	}
	if most == 0 {
		return
	}
	text := fmt.Sprintf("\nThe conserved energy drifts by at most %.1e kJ/mol a picosecond and atom.", most)
	if g := r.job.Gromacs; g.Structure != "" && g.Pressure != nil {
		text += " With the C-rescale barostat some drift (about 4e-3) is its nature."
	}
	p("%s", text)
}

// reason is why an item is missing, in the words of the first member that says so.
func (r report) reason(item string) string {
	for _, a := range r.about {
		if why, ok := strings.CutPrefix(a.items[item], "left out: "); ok {
			return why
		}
	}
	return "its report task left no table, see that task's log"
}

func (r report) group(of func(about) string) string {
	for _, a := range r.about {
		if g := of(a); g != "" {
			if g == "Solute" {
				return "Solute (all that is not water or ions)"
			}
			return g
		}
	}
	return "of the whole system"
}

// length is the simulated time in picoseconds: asked for, or measured.
func (r report) length() float64 {
	if t := r.job.Gromacs.Length; t > 0 {
		return t.Picoseconds()
	}
	most := 0.0
	for _, list := range r.items {
		for _, s := range list {
			most = max(most, s.time[len(s.time)-1]-s.time[0])
		}
	}
	return most
}

// duration is a span of picoseconds as text: "30 ps".
func duration(ps float64) string { return spaced(spec.SimTime(math.Round(ps * 1000))) }

func spaced(t spec.SimTime) string {
	s := t.String()
	i := strings.LastIndexAny(s, "0123456789") + 1
	return s[:i] + " " + s[i:]
}

// meaning says what runs of this length show, and what not.
func (r report) meaning(p printer) {
	p("## What this shows, and what not\n")
	defer p("")
	length := r.length()
	p("The standard deviations are fluctuations in time. Neighbouring frames resemble each other, so they are not the error of the mean; the spread between members, which are independent, tells more about that.\n")
	if length == 0 {
		p("These calculations have no simulated time.")
		return
	}
	if list := r.items[spec.ReportImage]; len(list) > 0 && r.job.Gromacs.Structure != "" {
		least := math.Inf(1)
		for _, s := range list {
			least = min(least, figures(s.values[0]).least)
		}
		if cutoff := r.cutoff(); least < cutoff {
			p("**The molecule came to %.2f nm of its own image, closer than the cut-off of %s nm: the box is too small, and what follows that moment is not to be trusted.**\n", least, num(cutoff))
		} else {
			p("The molecule never came closer than %.2f nm to its own image: the box is large enough.\n", least)
		}
	}
	r.held(p)
	switch {
	case length < 1000:
		p("A run of %s is short. It can show that a system is whole and stable: no jump in the energies, a temperature that holds, a molecule that keeps its shape within its box. "+
			"(The pressure of a system of a few thousand atoms swings by hundreds of bar; only its mean over longer times means something.) "+
			"It does **not** show folding, and no mean of the shape here is an equilibrium value: the molecule has only relaxed near where it began. "+
			"The smallest fast-folding proteins take of the order of a microsecond; give a longer `length` to go on from here: what is finished is taken over.", duration(length))
	case length < 1e6:
		p("A run of %s shows how the molecule moves around where it is, and transitions that take nanoseconds. Slow changes, folding among them (of the order of a microsecond for the smallest proteins), may be seen in some members by luck and not in others; "+
			"that a member has not folded says nothing. Give a longer `length` to go on from here: what is finished is taken over.", duration(length))
	default:
		p("A run of %s reaches the time in which the smallest proteins fold. Look for lasting drops of the RMSD to a known fold, and compare the members before you trust any mean.", duration(length))
	}
}

// held says how far temperature and pressure were from what was asked for, over
// all members.
func (r report) held(p printer) {
	g := r.job.Gromacs
	if g.Structure == "" {
		return
	}
	for _, one := range []struct {
		legend, name, unit string
		asked              *float64
	}{{"Temperature", "temperature", "K", &g.Temperature}, {"Pressure", "pressure", "bar", g.Pressure}} {
		var means []float64
		for _, s := range r.items[spec.ReportEnergy] {
			if values := s.column(one.legend); values != nil {
				means = append(means, figures(values).mean)
			}
		}
		if len(means) == 0 || one.asked == nil {
			continue
		}
		f := figures(means)
		spread := ""
		if len(means) > 1 {
			spread = fmt.Sprintf(" (members: %.1f to %.1f)", f.least, f.most)
		}
		p("The mean %s was %.1f %s%s, %s %s were asked for.\n", one.name, f.mean, one.unit, spread, num(*one.asked), one.unit)
	}
}
