package schedule

import (
	"fmt"
	"time"
)

// Job is what is scheduled. Times are durations since the job's start.
type Job struct {
	Params Params
	// Stages is the number of stages; tasks of one stage are alike.
	Stages int
	Tasks  []Task
}

// Params bound a job's running.
type Params struct {
	Slots    int           // containers at once, at most
	Attempts int           // of a task; what a lost provider ended does not count
	Never    []Range       // exit codes that are the task's own verdict
	Deadline time.Duration // 0: none
	Side     int           // tasks side by side in one slot, once they have proven short
	Grace    time.Duration // between TERM and KILL of a task that must go
}

// Range is a range of exit codes, both ends included.
type Range struct{ From, To int }

// Task is one task, as far as scheduling goes.
type Task struct {
	Needs      []Need
	Stage      int
	BestEffort bool          // its failure does not fail the job
	Expect     time.Duration // planner's estimate of an attempt, 0 if none
	Speculate  bool          // a second attempt may race a late one
	Early      bool          // what it needs may be brought to it before all of that is done
	Done       bool          // finished before: taken over, or by an earlier run
	Failed     bool          // failed for good in this run of the job, before a restart
	Attempt    int           // number of its last attempt so far
}

// Need is a task that must be done before. Where Optional, its failure will do.
type Need struct {
	Task     int // index, smaller than the needing task's
	Optional bool
}

// What the machine waits for and how often it tries; they bound a job's cost, not
// its result.
const (
	firstBackoff = 500 * time.Millisecond // after a task's first failure, doubled at each further one
	mostBackoff  = 30 * time.Second
	maxLost      = 10                     // attempts of a task that lost providers may end
	maxHard      = 2                      // attempts that may end at a limit (memory, processes, disk)
	shortTask    = 100 * time.Millisecond // stages that take less on average run side by side
	proven       = 3                      // ends that a stage's average needs
	linger       = 3 * time.Second        // an idle slot that nobody needs is kept as long
	resumeFor    = 2 * time.Second        // after Begin, slots that are being resumed are awaited as long
	avoidFor     = 10 * time.Second       // a task waits as long for another provider's slot
	lookAhead    = time.Minute            // a running task that is expected to take less lets its dependants count as work
	killSlack    = 10 * time.Second       // after a kill's grace, the attempt is given up
	maxHeld      = 64                     // attempts in one slot, those being gathered included
	maxRedone    = 3                      // times that a task is done again because its outputs were lost
	lateFactor   = 2                      // an attempt is late once it takes more than so often what its stage's others took,
	lateLeast    = 2 * time.Second        // and at least so much longer
	maxPicky     = 32                     // avoiding tasks that are looked at in one step
)

func (j Job) validate() error {
	p := j.Params
	if p.Slots < 1 || p.Attempts < 1 || p.Side < 1 || p.Deadline < 0 || p.Grace < 0 {
		return fmt.Errorf("%w: %d slots, %d attempts, %d side by side", ErrJob, p.Slots, p.Attempts, p.Side)
	}
	for i, t := range j.Tasks {
		if t.Stage < 0 || t.Stage >= j.Stages {
			return fmt.Errorf("%w: task %d is of stage %d of %d", ErrJob, i, t.Stage, j.Stages)
		}
		for _, n := range t.Needs {
			if n.Task < 0 || n.Task >= i {
				return fmt.Errorf("%w: task %d needs task %d, which does not come before it", ErrJob, i, n.Task)
			}
		}
	}
	return nil
}
