package schedule

import (
	"fmt"
	"time"
)

// Effect is something to do. String prints it for transcripts.
type Effect interface{ String() string }

// Want tells how many slots the job can use now, those it has included.
type Want struct{ Slots int }

// Assign starts an attempt in a slot.
type Assign struct{ Task, Try, Slot int }

// Prepare says that a task will probably run in a slot, and may be brought what
// task Need made for it.
type Prepare struct{ Task, Need, Slot int }

// Kill ends an attempt: TERM, and KILL after Grace. Its Exited is awaited.
type Kill struct {
	Task, Try, Slot int
	Grace           time.Duration
}

// Verdict tells what the failed end of an attempt means: the task failed for
// good, or goes on at Retry at the earliest; a Retry of 0 is the job's next run.
type Verdict struct {
	Task, Try int
	Class     string
	Final     bool
	Retry     time.Duration
}

// Redo says that a task which was done is to be done again, for its outputs were
// lost; Final: that has happened too often, and it has failed.
type Redo struct {
	Task  int
	Final bool
}

// Release gives an idle slot back.
type Release struct{ Slot int }

// Finish ends the job; all slots are to be given back. It is the last effect.
type Finish struct {
	State Outcome
	Cause Cause // where State is Failed
}

// Outcome is how a job ended.
type Outcome string

// The outcomes.
const (
	Done      Outcome = "done"
	Failed    Outcome = "failed"
	Cancelled Outcome = "cancelled"
)

// Cause says why a job failed; the values are the journal's.
type Cause string

// The causes.
const (
	CauseTask         Cause = "task"
	CauseDeadline     Cause = "deadline"
	CauseUnaffordable Cause = "unaffordable"
	CauseNoOffers     Cause = "no_offers"
	CauseInternal     Cause = "internal"
)

func (e Want) String() string   { return fmt.Sprintf("want %d slots", e.Slots) }
func (e Assign) String() string { return fmt.Sprintf("assign %d.%d to slot %d", e.Task, e.Try, e.Slot) }
func (e Prepare) String() string {
	return fmt.Sprintf("prepare %d in slot %d: outputs of %d", e.Task, e.Slot, e.Need)
}
func (e Kill) String() string {
	return fmt.Sprintf("kill %d.%d in slot %d, grace %v", e.Task, e.Try, e.Slot, e.Grace)
}
func (e Verdict) String() string {
	if e.Final {
		return fmt.Sprintf("verdict %d.%d %s: failed", e.Task, e.Try, e.Class)
	}
	if e.Retry == 0 {
		return fmt.Sprintf("verdict %d.%d %s: not now", e.Task, e.Try, e.Class)
	}
	return fmt.Sprintf("verdict %d.%d %s: again at %v", e.Task, e.Try, e.Class, e.Retry)
}
func (e Redo) String() string {
	if e.Final {
		return fmt.Sprintf("redo %d: failed", e.Task)
	}
	return fmt.Sprintf("redo %d", e.Task)
}
func (e Release) String() string { return fmt.Sprintf("release slot %d", e.Slot) }
func (e Finish) String() string {
	if e.State != Failed {
		return fmt.Sprintf("finish %s", e.State)
	}
	return fmt.Sprintf("finish %s: %s", e.State, e.Cause)
}
