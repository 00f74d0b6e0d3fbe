// Package gromacs plans molecular dynamics jobs and draws their reports.
//
//	structure ──► prepare ──┬─► member-0.1 ─► member-0.2 ─► … ─► member-0 ─► report-0
//	                        ├─► member-1.1 ─► …               └ joined     └ tables
//	                        └─► …
//
// prepare builds the system and brings it to its temperature and pressure; it
// depends on neither length nor ensemble. member-M.k is segment k of member M: a
// task that ends with a checkpoint at exactly its last step, so that a lost
// provider costs at most one. member-M joins its segments, report-M measures them.
// Jobs that bring conf/top/mdp or tpr files have no prepare. Every command of a
// segment depends only on what came before it: a longer job or a larger ensemble
// takes all finished tasks over.
//
// The tasks are the shell scripts in script/, with their settings in MD_…
// variables and their parameter files inline. They need gmx, a POSIX shell, awk
// and coreutils. Exit code 65 is their verdict on the input: no retry can help.
//
// Start reading at Plan; Report draws tables and plots of what report tasks left.
// The package is pure.
package gromacs
