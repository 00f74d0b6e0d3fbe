// Package planner turns a validated job into its graph of tasks, whatever its
// kind, and draws its report when the results are there. It only dispatches: the
// kinds are in jobs/container, jobs/gromacs, … It is pure.
package planner
