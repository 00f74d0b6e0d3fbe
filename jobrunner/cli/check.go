package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

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
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := readJobFile(e, args[0])
			if err != nil {
				return err
			}
			_, graph, _, err := planFile(file, sets)
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

// planFile reads, validates and plans a job file.
func planFile(file jobFile, sets []string) (spec.Job, plan.Graph, planner.Info, error) {
	job, err := file.parse(sets)
	if err != nil {
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
	Notes          []string     `json:"notes,omitempty"`
	Warnings       []string     `json:"warnings,omitempty"`
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
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := readJobFile(e, args[0])
			if err != nil {
				return err
			}
			job, graph, info, err := planFile(file, sets)
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
