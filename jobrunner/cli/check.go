package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/jobs/planner"
	"github.com/zennet/zennet/jobs/spec"
	"github.com/zennet/zennet/ledger/types"
)

// maxPlanRows bounds the tasks that plan lists for people.
const maxPlanRows = 40

func validateCmd(e env) *cobra.Command {
	var sets []string
	cmd := &cobra.Command{
		Use:     "validate FILE",
		Short:   "Check a job file; every error with its line",
		Example: "  zennet-job validate fold.yaml\n  zennet-job validate - < fold.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readJobFile(e, args[0])
			if err != nil {
				return err
			}
			_, graph, _, err := planFile(cmd.Context(), file, sets)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s: valid, %s\n", file.name, count(len(graph.Tasks), "task"))
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, "override a key of the file: dotted.key=value (repeatable)")
	return cmd
}

// planFile reads, validates and plans a job file; what it names in file systems is
// looked for.
func planFile(ctx context.Context, file jobFile, sets []string) (spec.Job, plan.Graph, planner.Info, error) {
	job, err := file.parse(sets)
	if err != nil {
		return job, plan.Graph{}, planner.Info{}, err
	}
	if job, err = survey(ctx, job, file.dir); err != nil {
		return job, plan.Graph{}, planner.Info{}, err
	}
	root, err := os.OpenRoot(file.dir)
	if err != nil {
		return job, plan.Graph{}, planner.Info{}, usage("%v", err)
	}
	defer root.Close()
	graph, err := planner.Plan(job, root.FS())
	if err != nil {
		return job, graph, planner.Info{}, exit{exitUsage, err}
	}
	info, err := planner.Inspect(job, root.FS())
	if err != nil {
		return job, graph, info, exit{exitUsage, err}
	}
	return job, graph, info, nil
}

// surveyPatience is how long a file system that does not answer keeps somebody
// waiting.
const surveyPatience = 6 * time.Second

// survey looks for a job's input and for what is in its output's way. An output
// that a job of this home made may be this job's own: whether it is, its host knows.
func survey(ctx context.Context, job spec.Job, dir string) (spec.Job, error) {
	job, folder, exists, err := data.Prepare(ctx, job, dir, data.Options{Patience: surveyPatience})
	if err != nil {
		return job, exit{exitUsage, err}
	}
	if exists && !madeHere(data.URL(job.MapReduce.Output, dir), folder) {
		return job, exit{exitUsage, data.Occupied(job)}
	}
	return job, nil
}

// madeHere says that a job of this home made the folder.
func madeHere(url string, folder uint64) bool {
	j, err := readJournal()
	if err != nil {
		return false
	}
	defer j.Close()
	made, err := j.Made(url, folder)
	return err == nil && made
}

// planView is `plan --json`.
type planView struct {
	Name           string       `json:"name"`
	Kind           string       `json:"kind"`
	Tasks          []planTask   `json:"tasks"`
	Slots          int          `json:"slots"`
	BudgetNXEN     types.Amount `json:"budget_nxen"` // the bound on the cost
	MaxRateNXEN    types.Amount `json:"max_rate_nxen_per_hour,omitempty"`
	Atoms          int          `json:"atoms,omitempty"`
	SegmentSeconds float64      `json:"segment_s,omitempty"`
	TotalSeconds   float64      `json:"total_s,omitempty"`
	MemoryBytes    uint64       `json:"memory_bytes,omitempty"`
	Input          *planInput   `json:"input,omitempty"`
	Output         string       `json:"output,omitempty"` // the folder that its tasks deliver into
	Notes          []string     `json:"notes,omitempty"`
	Warnings       []string     `json:"warnings,omitempty"`
}

// planInput is what a job of kind mapreduce reads, and by how many tasks.
type planInput struct {
	Files    int   `json:"files"`
	Bytes    int64 `json:"bytes"`
	Maps     int   `json:"maps"`
	Reducers int   `json:"reducers"`
}

type planTask struct {
	Name          string   `json:"name"`
	Stage         string   `json:"stage"`
	Needs         []string `json:"needs,omitempty"`
	ExpectSeconds float64  `json:"expect_s,omitempty"`
}

func planCmd(e env) *cobra.Command {
	var sets []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "plan FILE",
		Short:   "Show a job's tasks, slots and the bound on its cost; runs nothing",
		Example: "  zennet-job plan fold.yaml\n  zennet-job plan fold.yaml --set gromacs.length=1ns --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readJobFile(e, args[0])
			if err != nil {
				return err
			}
			job, graph, info, err := planFile(cmd.Context(), file, sets)
			if err != nil {
				return err
			}
			view := newPlanView(job, graph, info)
			if asJSON {
				return json.NewEncoder(e.out).Encode(view)
			}
			return printPlan(e, view)
		},
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, "override a key of the file: dotted.key=value (repeatable)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newPlanView(job spec.Job, graph plan.Graph, info planner.Info) planView {
	v := planView{Name: job.Name, Kind: job.Kind, Slots: min(job.Slots, len(graph.Tasks)), BudgetNXEN: job.Budget,
		MaxRateNXEN: job.Providers.MaxRate, Atoms: info.Atoms, SegmentSeconds: info.SegmentSeconds,
		TotalSeconds: info.TotalSeconds, MemoryBytes: info.Memory, Notes: info.Notes, Warnings: info.Warnings}
	for _, t := range graph.Tasks {
		v.Tasks = append(v.Tasks, planTask{t.Name, t.Stage, t.Needs(), t.ExpectSeconds})
	}
	if job.MapReduce != nil {
		v.Input = &planInput{Files: len(job.MapReduce.Found), Reducers: job.MapReduce.Reducers}
		for _, f := range job.MapReduce.Found {
			v.Input.Bytes += f.Size
		}
		for _, t := range graph.Tasks {
			if t.Stage == mapreduce.KindMap {
				v.Input.Maps++
			}
		}
		v.Output = job.MapReduce.Output
	}
	return v
}

func printPlan(e env, v planView) error {
	fmt.Fprintf(e.out, "%s (%s): %s in at most %s\n\n", v.Name, v.Kind, count(len(v.Tasks), "task"), count(v.Slots, "container"))
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tSTAGE\tEXPECTED\tNEEDS")
	for i, t := range v.Tasks {
		if i == maxPlanRows && len(v.Tasks) > maxPlanRows+1 {
			fmt.Fprintf(w, "…\t\t\t%d more\n", len(v.Tasks)-i)
			break
		}
		expect := "?"
		if t.ExpectSeconds > 0 {
			expect = seconds(t.ExpectSeconds)
		}
		needs := strings.Join(t.Needs, " ")
		if len(t.Needs) > 4 {
			needs = fmt.Sprintf("%s … %s (%d)", t.Needs[0], t.Needs[len(t.Needs)-1], len(t.Needs))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Stage, expect, needs)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(e.out)
	if v.Atoms > 0 {
		fmt.Fprintf(e.out, "atoms: about %d\n", v.Atoms)
	}
	if v.SegmentSeconds > 0 {
		fmt.Fprintf(e.out, "a segment: about %s on one container\n", seconds(v.SegmentSeconds))
	}
	if v.TotalSeconds > 0 {
		fmt.Fprintf(e.out, "all tasks: about %s of work, about %s in %s\n", seconds(v.TotalSeconds),
			seconds(v.TotalSeconds/float64(max(1, v.Slots))), count(v.Slots, "container"))
	}
	if v.Output != "" {
		fmt.Fprintf(e.out, "output: %s, there as a whole when all is done\n", v.Output)
	}
	fmt.Fprintf(e.out, "cost: at most %s (the budget), ledger fees included\n", v.BudgetNXEN)
	if v.MaxRateNXEN > 0 && v.TotalSeconds > 0 {
		bound := types.Amount(float64(v.MaxRateNXEN) * v.TotalSeconds / 3600)
		fmt.Fprintf(e.out, "      and at most %s an hour and container: about %s for the expected work\n", v.MaxRateNXEN, money(min(bound, v.BudgetNXEN)))
	}
	for _, n := range v.Notes {
		fmt.Fprintln(e.out, "note:", n)
	}
	for _, n := range v.Warnings {
		fmt.Fprintln(e.err, "warning:", n)
	}
	return nil
}
