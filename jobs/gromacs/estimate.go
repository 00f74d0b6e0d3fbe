package gromacs

import (
	"fmt"
	"io/fs"
	"math"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// What was measured with GROMACS 2022.5 (SSE4.1) on one core of a cloud machine:
// ns/day ≈ 2.5·10⁵ / atoms at 2 fs a step. A second core adds nine tenths.
const (
	atomStepsPerSecond = 2.5e5 * 1e6 / 2 / 86400 // atoms × steps in a second on one core
	perCore            = 0.9

	shortSegment  = 5       // seconds: below, starting a task costs more than it should
	longSegment   = 30 * 60 // seconds: above, a lost provider costs too much
	chosenSegment = 5 * 60  // seconds of a segment that the planner chooses
)

// stepsPerSecond is the expected speed of one container; 0 where nothing is known.
func (s *study) stepsPerSecond() float64 {
	if s.atoms == 0 {
		return 0
	}
	r := s.job.Resources
	cores := float64(r.MilliCPU) / 1000
	if cores > 1 {
		cores = 1 + perCore*(float64(r.CPUs())-1)
	}
	return atomStepsPerSecond / float64(s.atoms) * cores
}

// chosenSteps is the length of a segment where the job names none. It depends on
// nothing that may grow with the job, so that a longer one takes finished segments over.
func (s *study) chosenSteps(dt float64) int64 {
	if speed := s.stepsPerSecond(); speed > 0 {
		return max(1, int64(speed*chosenSegment))
	}
	return max(1, int64(math.Round(1000/dt)))
}

// segmentSeconds is the expected time of segment k; 0 where nothing is known.
func (s *study) segmentSeconds(k int) float64 {
	speed := s.stepsPerSecond()
	if speed == 0 || !s.dynamic {
		return 0
	}
	return math.Round(10*(float64(s.time.last(k)-s.time.last(k-1))/speed+0.3)) / 10
}

// prepareSeconds is the expected time of the preparation.
func (s *study) prepareSeconds() float64 {
	g := s.job.Gromacs
	speed := s.stepsPerSecond()
	if speed == 0 {
		return 0
	}
	seconds := 1.5 + 200/speed // files, and some 100 steps of minimisation
	for _, t := range []spec.SimTime{g.NVT, g.NPT} {
		seconds += float64(toSteps(t, ownDT)) / speed
	}
	if g.Collapse > 0 {
		// All pairs within 2 nm: 100,000 steps of 138 atoms take 3.5 s.
		all := max(float64(s.solute.Heavy)*2, 50)
		seconds += float64(toSteps(g.Collapse, ownDT)) * all / 4e6 * max(1, all/500)
	}
	return math.Round(10*seconds) / 10
}

// estimateAtoms counts the solute and the water that fills the box around it.
func (s *study) estimateAtoms() int {
	volume := map[string]float64{"cubic": 1, "dodecahedron": math.Sqrt2 / 2, "octahedron": 4 * math.Sqrt(3) / 9}[s.job.Gromacs.Box.Type] *
		s.size * s.size * s.size
	perNM3 := 3 * 33.0 // atoms of water
	if s.job.Gromacs.Water == "tip4p" {
		perNM3 = 4 * 33.0
	}
	water := max(0, volume-s.solute.Mass/602.2/1.35*1.5) * perNM3 * 0.97
	return 2*s.solute.Heavy + int(water)
}

// Inspect says what is known about the job before it runs.
func Inspect(job spec.Job, files fs.FS) (plan.Info, error) {
	s, err := look(job, files)
	if err != nil {
		return plan.Info{}, err
	}
	info := plan.Info{Atoms: s.atoms}
	graph, err := Plan(job, files)
	if err != nil {
		return plan.Info{}, err
	}
	known := true
	for _, t := range graph.Tasks {
		info.TotalSeconds += t.ExpectSeconds
		known = known && (t.ExpectSeconds > 0 || t.Stage != "simulate")
	}
	if !known {
		info.TotalSeconds = 0
	}
	if s.prepare != nil {
		info.Notes = append(info.Notes, fmt.Sprintf("the solute lists %d atoms and is %.2f nm across; box of %.2f nm with about %d atoms", s.solute.Atoms,
			s.solute.Diameter, s.size, s.atoms))
	} else if s.atoms > 0 {
		info.Notes = append(info.Notes, fmt.Sprintf("%d atoms", s.atoms))
	}
	if !s.dynamic {
		info.Notes = append(info.Notes, "the integrator has no checkpoints: each run is one task, and a lost provider costs all of it")
		return info, nil
	}
	info.SegmentSeconds = s.segmentSeconds(1)
	t := s.time
	chosen := ""
	if job.Gromacs.Segment == 0 {
		chosen = ", chosen by the planner"
	}
	info.Notes = append(info.Notes, fmt.Sprintf("%s in %d segments of %s (%d steps of %s ps%s)", duration(float64(t.Total)*t.DT), t.Segments,
		duration(float64(min(t.Segment, t.Total))*t.DT), min(t.Segment, t.Total), num(t.DT), chosen))
	if s.atoms > 0 {
		// 22 MB were measured at 2,232 atoms; the topology and lists grow with the atoms.
		info.Memory = uint64(20<<20 + 2500*s.atoms)
	}
	s.warn(&info)
	return info, nil
}

// warn adds what looks unwise.
func (s *study) warn(info *plan.Info) {
	job := s.job
	add := func(key, format string, args ...any) {
		info.Warnings = append(info.Warnings, fmt.Sprintf("%s: %s: ", job.At(key), key)+fmt.Sprintf(format, args...))
	}
	seconds := info.SegmentSeconds
	switch {
	case seconds == 0:
	case seconds < shortSegment && s.time.Segments > 1:
		add("gromacs.segment", "a segment takes about %.1f s; below %d s starting it costs more than it should", seconds, shortSegment)
	case seconds > longSegment:
		add("gromacs.segment", "a segment takes about %.0f minutes; a lost provider costs up to that, so want less than %d", seconds/60, longSegment/60)
	}
	if limit := job.Timeout.Seconds(); limit > 0 && seconds > limit/2 {
		add("timeout", "a segment takes about %.0f s, so that %s may end it before it is done", seconds, job.Timeout)
	}
	if info.Memory > job.Resources.Memory {
		add("resources.memory", "the run is expected to need about %d MiB", info.Memory>>20)
	}
	// 28 kB of .xtc a frame were measured at 2,232 atoms: 12 bytes an atom or less.
	if disk := uint64(s.frames) * uint64(s.atoms) * 7 * 3; disk > job.Resources.Disk {
		add("resources.disk", "joining a member's segments needs about %d MiB", disk>>20)
	}
}
