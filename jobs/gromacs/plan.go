package gromacs

import (
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Plan is the graph of a gromacs job. files is the job file's folder. Errors name
// the job file's line.
func Plan(job spec.Job, files fs.FS) (plan.Graph, error) {
	s, err := look(job, files)
	if err != nil {
		return plan.Graph{}, err
	}
	graph := plan.Graph{Programs: []string{"gmx"}}
	if s.prepare != nil {
		graph.Tasks = append(graph.Tasks, s.prepareTask())
	}
	// Segment by segment over all members, so that the ensemble advances together.
	for k := 1; k <= s.segments(); k++ {
		for m := range s.members {
			graph.Tasks = append(graph.Tasks, s.segmentTask(m, k))
		}
	}
	for m := range s.members {
		graph.Tasks = append(graph.Tasks, s.joinTask(m))
	}
	if len(job.Report) > 0 {
		for m := range s.members {
			graph.Tasks = append(graph.Tasks, s.reportTask(m))
		}
	}
	return graph, nil
}

func (s *study) segments() int {
	if !s.dynamic {
		return 1
	}
	return s.time.Segments
}

func memberName(m int) string { return "member-" + strconv.Itoa(m) }

func segmentName(m, k int) string { return fmt.Sprintf("member-%d.%d", m, k) }

// prepareTask builds and equilibrates the system.
func (s *study) prepareTask() plan.Task {
	g := s.job.Gromacs
	input := "in" + extension(g.Structure)
	t := plan.Task{
		Name: "prepare", Stage: "prepare", Index: "0", Publish: true,
		Inputs:        []plan.Input{file("structure/"+input, g.Structure)},
		Collect:       []string{"system.gro", "topol.top", "*.itp", "prepare.txt"},
		Checkpoint:    []string{"work/**"},
		ExpectSeconds: s.prepareSeconds(),
	}
	names := make([]string, 0, len(s.prepare))
	for name := range s.prepare {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		t.Inputs = append(t.Inputs, inline(name, s.prepare[name].text()))
	}
	solvent := "spc216"
	if strings.HasPrefix(g.Water, "tip4p") {
		solvent = "tip4p"
	}
	return scripted(t, "prepare.sh", map[string]string{
		"MD_STRUCTURE": "structure/" + input, "MD_INPUT": input,
		"MD_FORCEFIELD": g.ForceField, "MD_WATER": g.Water, "MD_SOLVENT": solvent,
		"MD_BOX_TYPE": g.Box.Type, "MD_BOX_SIZE": num(g.Box.Size), "MD_BOX_MARGIN": num(g.Box.Margin),
		"MD_SALT": num(g.Salt), "MD_SEED": strconv.FormatInt(g.Seed, 10), "MD_THREADS": threads(s.job.Resources),
	})
}

// segmentTask is segment k of member m, or the whole calculation where it knows
// no checkpoints.
func (s *study) segmentTask(m, k int) plan.Task {
	from := s.members[m]
	t := plan.Task{
		Name: segmentName(m, k), Stage: "simulate", Index: strconv.Itoa(m), Number: m,
		Collect: []string{"parts/*"}, ExpectSeconds: s.segmentSeconds(k),
	}
	env := map[string]string{"MD_THREADS": threads(s.job.Resources), "MD_MDP": "", "MD_CONF": "", "MD_TOP": "", "MD_NDX": "", "MD_EXPECT": ""}
	if k == 1 {
		t.Inputs = from.inputs
		t.Collect = append(t.Collect, "member.tpr")
		env["MD_MDP"], env["MD_CONF"], env["MD_TOP"], env["MD_NDX"] = from.mdp, from.conf, from.top, from.ndx
		env["MD_EXPECT"] = from.expect
	} else {
		t.Inputs = []plan.Input{
			{Path: "member.tpr", Task: segmentName(m, 1), From: "member.tpr"},
			{Path: "prev.cpt", Task: segmentName(m, k-1), From: "md.cpt"},
		}
	}
	if !s.dynamic {
		return scripted(t, "single.sh", env)
	}
	t.Collect = append(t.Collect, "md.cpt")
	t.Checkpoint = []string{"md.cpt", "md_prev.cpt", "md.part*"}
	env["MD_INIT"] = strconv.FormatInt(from.init, 10)
	env["MD_FIRST"] = strconv.FormatInt(s.time.last(k-1), 10)
	env["MD_LAST"] = strconv.FormatInt(s.time.last(k), 10)
	return scripted(t, "segment.sh", env)
}

// joinTask makes member m's files of its segments'.
func (s *study) joinTask(m int) plan.Task {
	t := plan.Task{
		Name: memberName(m), Stage: "join", Index: strconv.Itoa(m), Number: m, Publish: true,
		Inputs:        []plan.Input{{Path: "member.tpr", Task: segmentName(m, 1), From: "member.tpr"}},
		Collect:       []string{"md.*"},
		ExpectSeconds: 1,
	}
	env := map[string]string{"MD_LAST": "", "MD_INIT": "0", "MD_FRAMES": "0", "MD_ENERGY": "0"}
	if s.dynamic {
		last := s.segments()
		t.Inputs = append(t.Inputs, plan.Input{Path: "md.cpt", Task: segmentName(m, last), From: "md.cpt"})
		t.Collect = []string{"md.tpr", "md.edr", "md.gro", "md.cpt"}
		if s.time.Frames > 0 {
			t.Collect = append(t.Collect, "md.xtc")
		}
		if s.members[m].mdp == "" || s.prepare == nil || s.hasTRR() {
			t.Collect = []string{"md.*"} // a foreign run may write coordinates, velocities, forces
		}
		env["MD_LAST"] = strconv.FormatInt(s.time.Total, 10)
		env["MD_INIT"] = strconv.FormatInt(s.members[m].init, 10)
		env["MD_FRAMES"] = strconv.FormatInt(s.frames, 10)
		env["MD_ENERGY"] = strconv.FormatInt(s.energy, 10)
	}
	for k := 1; k <= s.segments(); k++ {
		t.Inputs = append(t.Inputs, plan.Input{Path: fmt.Sprintf("in/%06d", k), Task: segmentName(m, k), From: "parts"})
	}
	return scripted(t, "join.sh", env)
}

// hasTRR says that the user's parameters make mdrun write a full trajectory.
func (s *study) hasTRR() bool {
	for _, one := range s.job.Gromacs.MDP {
		switch one.Name {
		case "nstxout", "nstvout", "nstfout":
			return true
		}
	}
	return false
}

// reportTask measures member m; its failure fails nothing.
func (s *study) reportTask(m int) plan.Task {
	t := plan.Task{
		Name: fmt.Sprintf("report-%d", m), Stage: "report", Index: strconv.Itoa(m), Number: m, Report: true, BestEffort: true,
		Inputs:        []plan.Input{{Task: memberName(m)}},
		Collect:       []string{"*." + memberName(m) + ".*"},
		ExpectSeconds: 1,
	}
	return scripted(t, "report.sh", map[string]string{
		"MD_MEMBER": memberName(m), "MD_ITEMS": strings.Join(s.job.Report, " "), "MD_FRAMES": strconv.FormatInt(s.frames, 10),
	})
}
