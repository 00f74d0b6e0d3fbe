package gromacs

import (
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/spec"
)

// Report draws what the report tasks measured: a picture an item with one line a
// member, and report.md with the tables and what they show. outputs is the results
// folder; what is not there, because a report task failed, is said and left out.
func Report(job spec.Job, graph plan.Graph, outputs fs.FS) ([]plan.File, error) {
	r := gather(job, graph, outputs)
	var out []plan.File
	for _, item := range job.Report {
		panels := r.panels(item)
		if len(panels) == 0 {
			continue
		}
		png, err := drawPNG(panels)
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w", item, err)
		}
		out = append(out, plan.File{Path: item + ".png", Data: png})
	}
	return append(out, plan.File{Path: "report.md", Data: r.markdown()}), nil
}

// report is all that was measured.
type report struct {
	job     spec.Job
	members int
	about   []about             // by member; zero where its task failed
	items   map[string][]series // by item, in the order of the members
	prepare map[string]string   // prepare.txt
}

func gather(job spec.Job, graph plan.Graph, outputs fs.FS) report {
	r := report{job: job, items: map[string][]series{}, prepare: map[string]string{}}
	for _, task := range graph.Tasks {
		if !task.Report {
			continue
		}
		m := r.members
		r.members++
		r.about = append(r.about, readAbout(readFile(outputs, "report/about."+memberName(m)+".txt")))
		for _, item := range job.Report {
			s, err := readSeries(readFile(outputs, "report/"+item+"."+memberName(m)+".xvg"))
			if err != nil {
				continue
			}
			s.member = m
			r.items[item] = append(r.items[item], s)
		}
	}
	for _, line := range strings.Split(string(readFile(outputs, "tasks/prepare/prepare.txt")), "\n") {
		if key, value, ok := strings.Cut(plain(line), " "); ok {
			r.prepare[key] = value
		}
	}
	return r
}

// quantity is a column that is drawn and tabled.
type quantity struct {
	legend string // of its column; "" = the first one
	title  string // of its panel
	label  string // of its axis
	name   string // in a table's head
	unit   string
	digits int
}

// quantities are what an item draws, each in its own panel.
var quantities = map[string][]quantity{
	spec.ReportEnergy: {
		{"Temperature", "Temperature", "temperature (K)", "temperature", "K", 1},
		{"Pressure", "Pressure", "pressure (bar)", "pressure", "bar", 0},
		{"Potential", "Potential energy", "potential energy (kJ/mol)", "potential energy", "kJ/mol", 0},
	},
	spec.ReportRMSD:     {{"", "Root mean square deviation from the start", "RMSD (nm)", "RMSD", "nm", 3}},
	spec.ReportGyration: {{"Rg", "Radius of gyration", "radius of gyration (nm)", "radius of gyration", "nm", 3}},
	spec.ReportImage:    {{"least distance", "Least distance to the periodic image", "distance (nm)", "distance", "nm", 3}},
}

// panels of an item; none where no member has it.
func (r report) panels(item string) []panel {
	var out []panel
	for _, q := range quantities[item] {
		one := panel{title: q.title, label: q.label}
		for _, s := range r.items[item] {
			values := s.column(q.legend)
			if q.legend == "" {
				values = s.values[0]
			}
			if values != nil {
				one.lines = append(one.lines, line{name: fmt.Sprintf("member %d", s.member), time: s.time, values: values})
			}
		}
		if len(one.lines) == 0 {
			continue
		}
		one.level, one.remark = r.level(q)
		out = append(out, one)
	}
	return out
}

// level is what a quantity was asked to be, where the job file says it.
func (r report) level(q quantity) (*float64, string) {
	g := r.job.Gromacs
	if g.Structure == "" {
		return nil, ""
	}
	switch q.legend {
	case "Temperature":
		return &g.Temperature, fmt.Sprintf("asked for: %s K", num(g.Temperature))
	case "Pressure":
		if g.Pressure != nil {
			return g.Pressure, fmt.Sprintf("asked for: %s bar", num(*g.Pressure))
		}
	case "least distance":
		cutoff := r.cutoff()
		return &cutoff, fmt.Sprintf("cut-off: %s nm", num(cutoff))
	}
	return nil, ""
}

// cutoff is the distance in nm within which pairs are summed directly.
func (r report) cutoff() float64 {
	x, err := production(*r.job.Gromacs).number("rcoulomb", 0.9)
	if err != nil || math.IsNaN(x) {
		return 0.9
	}
	return x
}
