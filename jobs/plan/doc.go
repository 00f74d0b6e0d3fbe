// Package plan is what every kind of job is planned into: a graph of tasks.
//
// A task is a command that runs in an empty scratch folder of a leased
// container, with named inputs put there before and files collected after. The
// graph says which task's outputs another needs. Planners (jobs/container,
// jobs/gromacs, …) make graphs; jobrunner/schedule runs them; neither knows the
// other. Graph.Check says what every graph must hold. It is pure.
package plan
