package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/zennet/zennet/ledger/types"
)

// JobState is where a job stands.
type JobState string

// The states of a job, in order; the last three are ends.
const (
	JobQueued    JobState = "queued"
	JobPlanning  JobState = "planning"
	JobRunning   JobState = "running"
	JobSettling  JobState = "settling"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Ended reports whether the job is over.
func (s JobState) Ended() bool { return s == JobDone || s == JobFailed || s == JobCancelled }

// Cause says why a job failed, so that a command can exit rightly.
type Cause string

// The causes of a failed job.
const (
	CauseTask         Cause = "task"         // a task failed for good
	CauseDeadline     Cause = "deadline"     // the job's deadline passed
	CauseUnaffordable Cause = "unaffordable" // the budget or the balance does not cover what is missing
	CauseNoOffers     Cause = "no_offers"    // nobody offers it within its limits
	CauseInvalid      Cause = "invalid"      // its inputs are gone or were changed
	CauseOutput       Cause = "output"       // the job's output folder could not be made
	CauseInternal     Cause = "internal"     // the runner itself failed
	CauseCancelled    Cause = "cancelled"    // somebody wanted its end; set before anything is stopped
)

// Job is a job's record.
type Job struct {
	ID, Name, Kind, Image string
	State                 JobState
	Cause                 Cause
	Message               string
	File                  string // name of the job file, for errors
	Source                []byte // its text as submitted
	Spec                  []byte // the validated job, encoded by its owner
	Dir                   string // folder of the job file, where inputs are
	Outputs               string // folder of the results, absolute
	Budget                types.Amount
	Run                   int // counts from 1; every new start of an ended job is a new run
	Tasks                 int
	Programs              map[string]string // versions that this job's leases agree in
	Submitted             time.Time         // the latest time
	Since                 time.Time         // leases opened from here on count against the budget
	Deadline              time.Time         // zero: none
	Ended                 time.Time
}

const jobColumns = `id, name, kind, image, state, cause, message, file, source, spec, dir, outputs, budget, run, tasks, programs,
	submitted, since, deadline, ended`

// SaveJob stores a job, replacing the record of its ID. It is durable when it
// returns.
func (j *Journal) SaveJob(b Job) error {
	return j.do("job", true, b.write)
}

// StartJob stores a job's new run: its record and those of all its tasks, in one
// transaction. It is durable when it returns.
func (j *Journal) StartJob(b Job, tasks []Task) error {
	return j.do("start job", true, func(tx *txn) error {
		if err := b.write(tx); err != nil {
			return err
		}
		return writeTasks(tx, b.ID, tasks)
	})
}

func (b Job) write(tx *txn) error {
	programs, err := json.Marshal(b.Programs)
	if err != nil {
		return fmt.Errorf("store job: %w", err)
	}
	return tx.exec(`INSERT INTO jobs (`+jobColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (id) DO UPDATE SET name=excluded.name, kind=excluded.kind, image=excluded.image, state=excluded.state,
		cause=excluded.cause, message=excluded.message, file=excluded.file, source=excluded.source, spec=excluded.spec,
		dir=excluded.dir, outputs=excluded.outputs, budget=excluded.budget, run=excluded.run, tasks=excluded.tasks,
		programs=excluded.programs, submitted=excluded.submitted, since=excluded.since, deadline=excluded.deadline,
		ended=excluded.ended`,
		b.ID, bounded(b.Name), b.Kind, bounded(b.Image), string(b.State), string(b.Cause), bounded(b.Message), bounded(b.File),
		notNil(b.Source), notNil(b.Spec), b.Dir, b.Outputs, int64(b.Budget), b.Run, b.Tasks, string(programs),
		stamp(b.Submitted), stamp(b.Since), stamp(b.Deadline), stamp(b.Ended))
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Job reads one job, or returns ErrNotFound.
func (j *Journal) Job(id string) (Job, error) {
	b, err := scanJob(j.read.QueryRow(`SELECT `+jobColumns+` FROM jobs WHERE id=?`, id))
	if errors.Is(err, errNoRows) {
		return b, fmt.Errorf("%w: job %s", ErrNotFound, id)
	}
	return b, err
}

// Jobs lists all jobs in the order of their submission; only those that have not
// ended where liveOnly is set.
func (j *Journal) Jobs(liveOnly bool) ([]Job, error) {
	query := `SELECT ` + jobColumns + ` FROM jobs`
	if liveOnly {
		query += ` WHERE state NOT IN ('done','failed','cancelled')`
	}
	rows, err := j.read.Query(query + ` ORDER BY submitted, id`)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	defer rows.Close()
	var out []Job
	for rows.Next() {
		b, err := scanJob(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

func scanJob(row interface{ Scan(...any) error }) (Job, error) {
	var b Job
	var state, cause, programs string
	var budget, submitted, since, deadline, ended int64
	if err := row.Scan(&b.ID, &b.Name, &b.Kind, &b.Image, &state, &cause, &b.Message, &b.File, &b.Source, &b.Spec, &b.Dir, &b.Outputs,
		&budget, &b.Run, &b.Tasks, &programs, &submitted, &since, &deadline, &ended); err != nil {
		return b, err
	}
	b.State, b.Cause, b.Budget = JobState(state), Cause(cause), types.Amount(budget)
	b.Submitted, b.Since, b.Deadline, b.Ended = unstamp(submitted), unstamp(since), unstamp(deadline), unstamp(ended)
	if err := json.Unmarshal([]byte(programs), &b.Programs); err != nil {
		return b, fmt.Errorf("job %s: programs: %w", b.ID, err)
	}
	return b, nil
}
