package schedule

import (
	"time"
)

// State is a job's schedule. It is used linearly: after Step only the returned
// State is good.
type State struct{ *machine }

type machine struct {
	params Params
	tasks  []task
	needs  [][]Need
	after  [][]int // by task: those that need it
	stages []stage

	now      time.Duration
	begun    bool
	since    time.Duration // of Begin
	damaged  bool          // outputs were lost: a need that was met may no longer be
	awaited  int           // slots that are being resumed
	stopping *Finish       // set once the job is to end before its work is done
	killed   time.Duration
	finished bool

	slots     map[int]*slot
	providers map[string]int // slots by provider
	idle      intHeap        // slots that run nothing (lazily cleaned)
	part      intHeap        // slots that could run another short task (lazily cleaned)

	ready intHeap   // tasks that may start and have no home
	homed int       // tasks that may start, in the queues of their homes
	picky intHeap   // tasks that may start, but rather not at some provider
	delay delayHeap // tasks that may start later

	open    int // tasks neither done, failed nor blocked
	running int // tasks, whether one attempt runs or two
	racing  int // of these, the ones with two
	soon    int // waiting tasks whose unmet needs all may start or run, and are expected to end soon
	done    int
	failed  int
	bad     int // tasks that failed or are blocked, best-effort ones aside
	want    int // as last told
	late    int // tasks that run too long and whose race waits for a slot
}

type phase uint8

const (
	waiting phase = iota
	ready
	backoff
	running
	done
	failed
	blocked
)

type task struct {
	stage      int
	phase      phase
	bestEffort bool
	speculate  bool          // where it is late, a second attempt may race it
	alone      bool          // has met a limit: nothing runs beside its next attempt
	unmet      int           // needs that are not done
	nearing    int           // of these, the ones that may start or run, and are expected to end soon
	last       int           // number of the last attempt
	spent      int           // attempts of this run that count
	hard       int           // of these, the ones that ended at a limit
	lost       int           // attempts that lost providers ended
	redone     int           // times that its outputs were lost
	run        attempt       // while it runs
	rival      *attempt      // a second one that races it; nil: none
	since      time.Duration // picky since
	expect     time.Duration
	avoid      []string // providers where it failed
	early      bool     // what it takes may be brought before all of it is there
	home       int      // the slot where it goes first, until it begins; 0: none
}

// attempt is one that runs.
type attempt struct {
	try       int
	slot      int
	started   time.Duration
	killed    bool // it was told to go
	gathering bool // its process has ended, its results are on their way
}

// attempt finds an attempt that runs by its number, or nil.
func (t *task) attempt(try int) *attempt {
	switch {
	case t.phase != running:
	case t.run.try == try:
		return &t.run
	case t.rival != nil && t.rival.try == try:
		return t.rival
	}
	return nil
}

// in finds the attempt that runs in a slot, or nil.
func (t *task) in(slot int) *attempt {
	switch {
	case t.phase != running:
	case t.run.slot == slot:
		return &t.run
	case t.rival != nil && t.rival.slot == slot:
		return t.rival
	}
	return nil
}

type stage struct {
	left  int           // tasks not done, failed or blocked
	ends  int           // successes measured
	mean  time.Duration // moving average of their wall time
	guess time.Duration // planner's estimate
}

// length is the expected duration of an attempt of the stage; false where nobody knows.
func (g stage) length() (time.Duration, bool) {
	if g.ends > 0 {
		return g.mean, true
	}
	return g.guess, g.guess > 0
}

func (g stage) short() bool { return g.ends >= proven && g.mean < shortTask }

type slot struct {
	number   int
	provider string
	up       bool // false: being resumed
	fresh    bool // of this process, never resumed
	tasks    map[int]struct{}
	load     int  // of these, those whose processes run
	alone    bool // what runs here wants no company
	idle     time.Duration
	inIdle   bool             // has an entry in machine.idle
	inPart   bool             // has an entry in machine.part
	homes    map[int]struct{} // tasks that have their home here
	ready    intHeap          // of these, the ones that may start
}

// New makes a job's schedule; nothing happens before Begin.
func New(j Job) (State, error) {
	if err := j.validate(); err != nil {
		return State{}, err
	}
	m := &machine{params: j.Params, tasks: make([]task, len(j.Tasks)), needs: make([][]Need, len(j.Tasks)), after: make([][]int, len(j.Tasks)), stages: make([]stage, j.Stages),
		slots: map[int]*slot{}, providers: map[string]int{}, want: -1}
	guesses := make([]int, j.Stages)
	for i, t := range j.Tasks {
		m.link(i, t.Needs)
		m.tasks[i] = task{stage: t.Stage, bestEffort: t.BestEffort, speculate: t.Speculate, early: t.Early, last: t.Attempt, expect: t.Expect}
		g := &m.stages[t.Stage]
		if t.Expect > 0 {
			guesses[t.Stage]++
			g.guess += (t.Expect - g.guess) / time.Duration(guesses[t.Stage])
		}
		if t.Done {
			m.tasks[i].phase = done
			m.done++
			continue
		}
		m.open++
		g.left++
		if t.Failed {
			m.shut(i, failed)
			m.failed++
			continue
		}
		if m.await(i) {
			m.tasks[i].phase = ready
			m.ready.push(i)
		}
	}
	return State{m}, nil
}

// link notes that task i needs others.
func (m *machine) link(i int, needs []Need) {
	m.needs[i] = needs
	for _, n := range needs {
		entry := i
		if n.Optional {
			entry = ^i // an optional need is met by failure too
		}
		m.after[n.Task] = append(m.after[n.Task], entry)
	}
}
