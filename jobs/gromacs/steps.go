package gromacs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/zennet/zennet/jobs/spec"
)

// foreignList is the number of steps that every list interval mdrun may choose by
// itself divides (20, 25, 40, 50, 80, 100): a segment of a run whose list interval
// is not the planner's own must be a multiple of it, else its continuation is not
// bitwise the same run.
const foreignList = 400

// ownList is the list interval of prepared systems; mdrun leaves it as it is.
const ownList = 50

// maxSteps bounds a run so that every sum of steps stays exact.
const maxSteps = 1 << 50

// timing is a run in steps.
type timing struct {
	Total    int64 // steps of each member
	Segment  int64 // steps of a segment; the last one may be shorter
	Segments int   // at least 1
	Frames   int64 // steps between frames; 0 = as the input files say
	DT       float64
}

// last is the step at which segment k (from 1) ends.
func (t timing) last(k int) int64 { return min(int64(k)*t.Segment, t.Total) }

// toSteps rounds simulated time to steps of dt picoseconds.
func toSteps(t spec.SimTime, dt float64) int64 {
	return int64(math.Round(min(t.Picoseconds()/dt, 2*maxSteps)))
}

// ps is a number of steps as text, "10ps".
func ps(steps int64, dt float64) string {
	s := strconv.FormatFloat(math.Round(float64(steps)*dt*1e6)/1e6, 'f', -1, 64)
	return s + "ps"
}

// psText is a span in picoseconds, whatever unit it was given in.
func psText(t spec.SimTime) string { return num(t.Picoseconds()) + "ps" }

// cut makes the timing of a run of total steps. A segment must be a multiple of
// unit, the least common one of list and every output interval (frames among them,
// 0 = none). segment is what the user asked for; where that is nothing, one of
// about chosen steps is taken.
func cut(job spec.Job, total, segment, unit, list, frames, chosen int64, dt float64) (timing, error) {
	g := job.Gromacs
	t := timing{Total: total, DT: dt}
	switch {
	case total < 1 || total > maxSteps:
		return t, fmt.Errorf("%s: gromacs.length: %w: it is %d steps of %sps; want 1 to %d", job.At("gromacs.length"), ErrTime, total, num(dt), int64(maxSteps))
	case g.Segment == 0:
		t.Segment = min(max(1, (chosen+unit/2)/unit), maxSteps/unit) * unit
	case segment == 0 || segment%unit != 0:
		good := near(segment, unit, dt)
		if len(g.TPR) == 0 && frames > 0 && segment > 0 && segment%list == 0 && unit == lcm(list, frames) {
			if f := divisors(segment, frames, dt); f != "" {
				good += "; or frames of " + f
			}
		}
		return t, fmt.Errorf("%s: gromacs.segment: %w: %s is %d steps of %sps, which is not a multiple of %d, %s; the nearest good values are %s",
			job.At("gromacs.segment"), ErrTime, psText(g.Segment), segment, num(dt), unit, why(job, list, frames), good)
	default:
		t.Segment = segment
	}
	segments := (total + t.Segment - 1) / t.Segment
	if segments > spec.MaxTasks || (segments+2)*int64(g.Ensemble)+1 > spec.MaxTasks {
		return t, fmt.Errorf("%s: gromacs.segment: %w: %d members of %d segments are more than %d tasks; make segments longer",
			job.At("gromacs.segment"), ErrSize, g.Ensemble, segments, spec.MaxTasks)
	}
	t.Segments = int(segments)
	return t, nil
}

// near are the multiples of unit around n, as times.
func near(n, unit int64, dt float64) string {
	below, above := n/unit*unit, (n/unit+1)*unit
	if below == 0 {
		return ps(above, dt)
	}
	return ps(below, dt) + " and " + ps(above, dt)
}

// divisors are the divisors of n around d, as times.
func divisors(n, d int64, dt float64) string {
	const far = 100_000
	var out []string
	for below := d - 1; below > 0 && below > d-far; below-- {
		if n%below == 0 {
			out = append(out, ps(below, dt))
			break
		}
	}
	for above := d + 1; above <= n && above < d+far; above++ {
		if n%above == 0 {
			out = append(out, ps(above, dt))
			break
		}
	}
	return strings.Join(out, " or ")
}

// why says what a segment must be whole numbers of.
func why(job spec.Job, list, frames int64) string {
	text := fmt.Sprintf("for it must be a whole number of list updates (%d steps)", list)
	if job.Gromacs.Structure == "" {
		text = fmt.Sprintf("for it must be a whole number of list updates (mdrun chooses 20 to 100 steps: %d holds for all)", list)
	}
	if frames > 0 {
		text += fmt.Sprintf(" and of frames (%d steps)", frames)
	}
	if job.Gromacs.Structure == "" {
		text += " and of the other output intervals"
	}
	return text
}

func num(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// lcm of the positive numbers among ns, at most maxSteps.
func lcm(ns ...int64) int64 {
	out := int64(1)
	for _, n := range ns {
		if n <= 0 {
			continue
		}
		n /= gcd(out, n)
		if out > maxSteps/n {
			return maxSteps
		}
		out *= n
	}
	return out
}
