// Package schedule decides what a job runs next: a pure machine of tasks and
// slots. [Step] takes what happened and returns what to do; it knows neither
// containers nor money nor clocks.
//
//	task:  waiting ──needs met──► ready ──Assign──► running ──ok──► done
//	          ▲                     ▲                  │
//	       (blocked: a need         └──── backoff ◄────┤ failed, attempts left
//	        has failed)                                └──► failed
//
//	job:   running ──nothing left──► finished
//	          └── Cancel, deadline, no slots ──► stopping ──all ended──► finished
//
// A late task may have a second attempt that races the first (race.go); a done
// one whose outputs were lost is done again (lost.go).
//
// It guarantees: a task is assigned only when all that it needs is done, to one
// slot at a time (two where it races), and never again once done and its outputs
// are there; no more slots are wanted than there is work; nothing is assigned
// after a cancel or the deadline; equal events give equal effects; a step costs
// O(log tasks) amortised over a job.
//
// It leaves to jobrunner/engine the doing, to jobrunner/lease the budget.
//
// Start at job.go (what goes in), event.go and effect.go, then step.go.
package schedule
