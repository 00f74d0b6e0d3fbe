package spec

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Defaults and bounds of the gromacs section.
const (
	defaultForceField = "amber99sb-ildn"
	defaultWater      = "tip3p"
	defaultBox        = "dodecahedron"
	defaultMargin     = 1.0  // nm
	defaultSalt       = 0.15 // mol/l
	defaultNVT        = 50 * picosecond
	defaultNPT        = 100 * picosecond
	defaultFrames     = 1 * picosecond
	picosecond        = SimTime(1000)

	// LeastMargin keeps a solute from its periodic image: twice this distance is
	// more than the cut-off of 0.9 nm.
	LeastMargin = 0.6 // nm
)

// What each source of a system allows beside itself.
var (
	gromacsStructureKeys = []string{"forcefield", "water", "collapse", "box", "salt", "temperature", "pressure", "equilibrate"}
	gromacsAllKeys       = append([]string{"structure", "conf", "top", "index", "tpr", "mdp", "seed", "ensemble", "length", "segment",
		"frames", "mpi"}, gromacsStructureKeys...)
)

// gromacs reads the section of kind gromacs.
func (r *reader) gromacs(f field) *Gromacs {
	if !f.given() {
		r.report(nil, "gromacs", ErrKey, "is missing; kind gromacs needs this section")
		return nil
	}
	in := r.fields(f, gromacsAllKeys...)
	g := &Gromacs{
		Structure: r.inputFile(in["structure"], ".pdb", ".gro"),
		Conf:      r.inputFile(in["conf"], ".gro", ".pdb", ".g96"),
		Top:       r.inputFile(in["top"], ".top"),
		Index:     r.inputFile(in["index"], ".ndx"),
	}
	for _, item := range r.list(in["tpr"], MaxEnsemble) {
		if name := r.inputFile(item, ".tpr"); name != "" {
			g.TPR = append(g.TPR, name)
		}
	}
	if mdp := in["mdp"]; mdp.given() && mdp.node.Kind == yaml.ScalarNode {
		g.MDPFile = r.inputFile(mdp, ".mdp")
	} else {
		g.MDP = r.overrides(mdp)
	}
	r.source(f, in)
	r.ensemble(in, g)
	g.Length = r.sim(in["length"], 0, 1)
	g.Segment = r.sim(in["segment"], 0, 1)
	g.Frames = r.sim(in["frames"], 0, 1)
	r.gang(in["mpi"])
	if in["structure"].given() {
		r.system(in, g)
	}
	return g
}

// source holds that the system comes from exactly one of structure, conf/top/mdp
// and tpr, and that no key is given that the source has settled already.
func (r *reader) source(f field, in map[string]field) {
	mdpFile := in["mdp"].given() && in["mdp"].node.Kind == yaml.ScalarNode
	conf := in["conf"].given() || in["top"].given() || mdpFile
	refuse := func(why string, keys ...string) {
		for _, key := range keys {
			if one := in[key]; one.given() {
				r.report(one.key, one.path, ErrKey, "%s", why)
			}
		}
	}
	switch {
	case in["structure"].given():
		refuse("is given beside structure; a system comes from structure, or from conf, top and mdp, or from tpr", "conf", "top", "index", "tpr")
		if mdpFile {
			refuse("beside structure it is a mapping such as {rcoulomb: 0.9}; a file goes with conf and top", "mdp")
		}
	case in["tpr"].given():
		refuse("is given beside tpr; a system comes from structure, or from conf, top and mdp, or from tpr", "conf", "top", "index")
		refuse("a tpr holds this already; it cannot be changed", append([]string{"mdp", "seed", "frames"}, gromacsStructureKeys...)...)
	case conf:
		for _, key := range []string{"conf", "top", "mdp"} {
			if !in[key].given() {
				r.report(f.key, in[key].path, ErrKey, "is missing; a ready system is conf, top and mdp together")
			}
		}
		if in["mdp"].given() && !mdpFile {
			refuse("beside conf and top it is a file; change the values there", "mdp")
		}
		refuse("conf, top and mdp say this already; change it there", gromacsStructureKeys...)
	default:
		r.report(f.key, f.path, ErrKey, "names no system; want structure, or conf, top and mdp, or tpr")
	}
}

func (r *reader) ensemble(in map[string]field, g *Gromacs) {
	g.Seed = r.integer(in["seed"], 1, 0, MaxSeed)
	g.Ensemble = int(r.integer(in["ensemble"], int64(max(1, len(g.TPR))), 1, MaxEnsemble))
	switch n := len(g.TPR); {
	case n == 1 && g.Ensemble > 1:
		r.report(in["ensemble"].key, in["ensemble"].path, ErrValue, "%d members of one tpr would all be the same run, for its seed cannot be changed; "+
			"list one tpr a member, or give conf, top and mdp", g.Ensemble)
	case n > 1 && g.Ensemble != n:
		r.report(in["ensemble"].key, in["ensemble"].path, ErrValue, "%d members, but tpr lists %d files", g.Ensemble, n)
	}
}

// system reads what the planner needs to build a system around a structure.
func (r *reader) system(in map[string]field, g *Gromacs) {
	g.ForceField = r.plainWord(in["forcefield"], defaultForceField)
	g.Water = r.word(in["water"], defaultWater, "tip3p", "spc", "spce", "tip4p")
	g.Collapse = r.sim(in["collapse"], 0, 0)
	g.Box = r.box(in["box"])
	g.Salt = r.number(in["salt"], "", defaultSalt, 0, 5, "salt: 0.15, in mol/l")
	g.Temperature = r.number(in["temperature"], "K", 300, 1, 2000, "300K")
	one := 1.0
	g.Pressure = &one
	if s, ok := "", false; in["pressure"].given() {
		if s, ok = r.text(in["pressure"]); ok && s == "none" {
			g.Pressure = nil
		} else if ok {
			one = r.number(in["pressure"], "bar", 1, 0, 1e5, "1bar, or none for constant volume")
		}
	}
	eq := r.fields(in["equilibrate"], "nvt", "npt")
	g.NVT = r.sim(eq["nvt"], defaultNVT, 0)
	g.NPT = r.sim(eq["npt"], defaultNPT, 0)
	if g.Pressure == nil {
		if eq["npt"].given() && g.NPT > 0 {
			r.report(eq["npt"].key, eq["npt"].path, ErrValue, "with pressure: none nothing is equilibrated at constant pressure; leave npt out")
		}
		g.NPT = 0
	}
	if !in["length"].given() {
		r.report(in["structure"].key, in["length"].path, ErrKey, "is missing; how long is each run (for example 30ps)?")
	}
	if !in["frames"].given() {
		g.Frames = defaultFrames
	}
}

func (r *reader) box(f field) Box {
	in := r.fields(f, "type", "size", "margin")
	out := Box{
		Type:   r.word(in["type"], defaultBox, "dodecahedron", "cubic", "octahedron"),
		Size:   r.number(in["size"], "nm", 0, 2, 200, "3.2nm"),
		Margin: r.number(in["margin"], "nm", 0, 0, 50, "1nm"),
	}
	switch {
	case in["size"].given() && in["margin"].given():
		r.report(in["margin"].key, in["margin"].path, ErrKey, "a box has a size or a margin, not both")
	case in["margin"].given() && out.Margin < LeastMargin:
		r.report(in["margin"].node, in["margin"].path, ErrValue, "%snm is too small: the solute would see its own image; at least %snm",
			short(out.Margin), short(LeastMargin))
	case !in["size"].given() && !in["margin"].given():
		out.Margin = defaultMargin
	}
	return out
}

func (r *reader) gang(f field) {
	in := r.fields(f, "ranks")
	if ranks := in["ranks"]; ranks.given() && r.integer(ranks, 1, 1, 1<<20) != 1 {
		r.report(ranks.node, ranks.path, ErrNotBuilt, "simulations over several containers are not built yet; want 1 (more cores: resources.cpu)")
	}
}

// mdpOwned are the run parameters that the planner sets, with what sets them.
var mdpOwned = map[string]string{
	"nsteps": "length", "init-step": "segment", "tinit": "segment", "simulation-part": "segment",
	"gen-seed": "seed", "ld-seed": "seed", "awh-seed": "seed", "lmc-seed": "seed", "gen-vel": "seed", "continuation": "seed",
	"nstxout-compressed": "frames", "nstenergy": "frames",
	"xtcout": "frames", "nstxtcout": "frames",
}

var mdpName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// overrides reads further run parameters; what the planner owns is refused.
func (r *reader) overrides(f field) []MDP {
	var out []MDP
	seen := map[string]bool{}
	for _, one := range r.entries(f) {
		name := strings.ReplaceAll(strings.ToLower(one.key.Value), "_", "-")
		value, ok := r.text(one)
		owner, owned := mdpOwned[name]
		switch {
		case !mdpName.MatchString(name) || len(name) > MaxName:
			r.report(one.key, clip(one.path), ErrKey, "is no run parameter")
		case owned:
			r.report(one.key, one.path, ErrKey, "%s is the planner's own; it follows from gromacs.%s", name, owner)
		case name == "integrator" && ok && value != "md" && value != "md-vv" && value != "sd" && value != "bd":
			r.report(one.node, one.path, ErrValue, "%s cannot go on from a checkpoint; want md, md-vv, sd or bd (others: as a tpr)", clip(value))
		case seen[name]:
			r.report(one.key, one.path, ErrKey, "is another spelling of %s, which is there", name)
		case !ok:
		case len(value) > 1000 || strings.ContainsAny(value, "\n\r;"):
			r.report(one.node, one.path, ErrValue, "a run parameter is one line, without a comment")
		default:
			out = append(out, MDP{name, strings.TrimSpace(value)})
		}
		seen[name] = true
	}
	return out
}

// inputFile reads the name of one regular file with a known extension.
func (r *reader) inputFile(f field, extensions ...string) string {
	s, ok := r.text(f)
	if !ok {
		return ""
	}
	if strings.HasPrefix(s, "hdfs:") {
		r.report(f.node, f.path, ErrNotBuilt, "%s: hdfs: inputs are not built yet", clip(s))
		return ""
	}
	clean, problem := Inside(s)
	if problem == "" && !contains(extensions, strings.ToLower(path.Ext(clean))) {
		problem = fmt.Sprintf("%s is none of %s", clip(s), strings.Join(extensions, ", "))
	}
	if problem == "" {
		problem = exists(r.files, clean)
	}
	if problem == "" {
		if _, info, err := resolve(r.files, clean); err != nil || !info.Mode().IsRegular() {
			problem = clip(s) + " is no file"
		}
	}
	if problem != "" {
		r.report(f.node, f.path, ErrFile, "%s", problem)
		return ""
	}
	return clean
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

// plainWord reads a name that goes into a command line.
func (r *reader) plainWord(f field, fallback string) string {
	s, ok := r.text(f)
	if ok && (!plainWord.MatchString(s) || len(s) > MaxName) {
		r.report(f.node, f.path, ErrValue, "%s is no plain name", clip(s))
		ok = false
	}
	if !ok {
		return fallback
	}
	return s
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}
