// Package engine runs jobs: it drives jobrunner/schedule with real effects on
// leased containers, and keeps in the journal what must survive a kill -9.
//
// It guarantees that a task's success is journalled exactly once, after its
// outputs were verified and put where they are kept: results, synced, into the
// publisher's blob store; what only feeds other tasks or the output folder there, in
// that folder or in its container; that a finished task is never run again in its run,
// whatever dies, unless its outputs were lost before all that need them had them; that
// nothing is leased beyond the job's budget; that every lease is settled or left to the
// market's recovery when a job ends; and that a job's output folder appears once, by
// one rename, with what committed tasks left, or not at all.
//
// It leaves to jobrunner/lease what concerns money and connections, to
// provider/worker what happens inside a container, to jobs/planner what a job
// is, to jobrunner/data how data files and output folders are reached, and to
// jobrunner/schedule what runs next.
//
// Start at engine.go and submit.go (the interface), then run.go (one job's loop),
// slot.go and work.go (one container and its attempts), feed.go and split.go (what
// tasks read, and where that lies already), collect.go and commit.go
// (results), straight.go, delivery.go and output.go (the output folder), recover.go.
package engine
