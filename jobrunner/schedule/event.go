package schedule

import "time"

// Event is something that happened; Now is when, since the job's start.
type Event interface{ now() time.Duration }

// Begin starts the machine; it is the first event. Slots are leases of an
// earlier process that are being resumed, with the attempts that were running
// there: a SlotUp or SlotDown follows for each.
type Begin struct {
	Now   time.Duration
	Slots []SlotUp
}

// SlotUp says that a slot is ready for tasks. Holds are the attempts that it
// already holds (after a restart), whether they run or have ended; Near are tasks
// whose input lies at its provider.
type SlotUp struct {
	Now      time.Duration
	Slot     int
	Provider string
	Holds    []Attempt
	Near     []int
}

// Attempt names one attempt at a task.
type Attempt struct{ Task, Number int }

// SlotDown says that a slot is gone; what it held is lost.
type SlotDown struct {
	Now  time.Duration
	Slot int
}

// Exited says that an attempt has ended. A success (class "") was journalled
// before, and counts also where the attempt was given up meanwhile: what runs in
// its place is then killed. Any other end of an attempt that does not run is
// ignored: duplicates are harmless.
type Exited struct {
	Now   time.Duration
	Task  int
	Try   int    // the attempt's number
	Class string // protocol.Class…
	Code  int
	Wall  time.Duration
	Final bool // it failed as every other attempt would
}

// Gathering says that an attempt's process has ended and its results are being
// brought in: its slot may run another task meanwhile. Exited follows.
type Gathering struct {
	Now  time.Duration
	Task int
	Try  int
}

// Lost says that the outputs of a task that was done are no longer to be had: it
// is done again, before what needs them.
type Lost struct {
	Now  time.Duration
	Task int
}

// NoSlots says that the market gives no (more) slots, and why.
type NoSlots struct {
	Now   time.Duration
	Cause Cause
}

// Tick lets time pass; a few a second are enough.
type Tick struct{ Now time.Duration }

// Cancel ends the job.
type Cancel struct{ Now time.Duration }

func (e Begin) now() time.Duration     { return e.Now }
func (e SlotUp) now() time.Duration    { return e.Now }
func (e SlotDown) now() time.Duration  { return e.Now }
func (e Exited) now() time.Duration    { return e.Now }
func (e Gathering) now() time.Duration { return e.Now }
func (e Lost) now() time.Duration      { return e.Now }
func (e NoSlots) now() time.Duration   { return e.Now }
func (e Tick) now() time.Duration      { return e.Now }
func (e Cancel) now() time.Duration    { return e.Now }
