package journal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// TaskState is where a task stands; what runs at the moment is told by the
// attempts without an end.
type TaskState string

// The states of a task.
const (
	TaskWaiting TaskState = "waiting"
	TaskDone    TaskState = "done"
	TaskFailed  TaskState = "failed"
)

// Task is a task's record.
type Task struct {
	Number     int // its place in the job's graph, from 0
	Key        types.Hash
	Name       string
	Stage      string
	State      TaskState
	Tree       types.Hash // encoded manifest of its outputs, once done; zero if it has none
	Checkpoint types.Hash // encoded manifest that the next attempt starts from; zero if none
	Origin     string     // the job that it was taken over from, "" if it ran here
	Ended      time.Time
}

// Attempt is one attempt at a task, on one lease. Ended is zero while it runs.
type Attempt struct {
	Job           string
	Task, Attempt int // the task's number; attempts count from 1
	Run           int // of the job
	Lease         types.Hash
	Provider      types.Address
	Started       time.Time
	Ended         time.Time
	Class         string // protocol.Class…
	Message       string
	Code          int32
	Wall          time.Duration
	Usage         pricing.Usage
}

// End is the end of an attempt and what it means for its task.
type End struct {
	Attempt
	State      TaskState  // of the task from now on
	Tree       types.Hash // of the outputs, where State is TaskDone
	Checkpoint types.Hash // replaces the task's; zero leaves it
}

// SaveTasks stores records of a job's tasks, replacing those of their numbers.
// It is durable when it returns.
func (j *Journal) SaveTasks(job string, tasks []Task) error {
	return j.do("tasks", true, func(tx *txn) error { return writeTasks(tx, job, tasks) })
}

func writeTasks(tx *txn, job string, tasks []Task) error {
	for part := range slices.Chunk(tasks, maxRows) {
		args := make([]any, 0, 10*len(part))
		for _, t := range part {
			args = append(args, job, t.Number, t.Key[:], bounded(t.Name), bounded(t.Stage), string(t.State), orNull(t.Tree),
				orNull(t.Checkpoint), t.Origin, stamp(t.Ended))
		}
		if err := tx.exec(`INSERT INTO tasks (job, number, key, name, stage, state, tree, checkpoint, origin, ended)
			VALUES `+strings.Repeat(",(?,?,?,?,?,?,?,?,?,?)", len(part))[1:]+`
			ON CONFLICT (job, number) DO UPDATE SET key=excluded.key, name=excluded.name, stage=excluded.stage,
			state=excluded.state, tree=excluded.tree, checkpoint=excluded.checkpoint, origin=excluded.origin, ended=excluded.ended`,
			args...); err != nil {
			return err
		}
	}
	return nil
}

// StartAttempt records that an attempt is about to start. It is ordered before
// every later write but does not wait for the disk: if it is lost with the
// machine, the worker's Greeting still tells of the attempt.
func (j *Journal) StartAttempt(a Attempt) error {
	return j.do("start", false, func(tx *txn) error {
		return tx.exec(`INSERT INTO attempts (job, task, attempt, run, lease, provider, started, ended, class, message, code, wall)
			VALUES (?,?,?,?,?,?,?,0,'','',0,0) ON CONFLICT DO NOTHING`,
			a.Job, a.Task, a.Attempt, a.Run, a.Lease[:], a.Provider[:], stamp(a.Started))
	})
}

// EndAttempts records ends of attempts, in one transaction where all are good;
// they are durable when it returns. The errors are in the order of ends. An
// attempt that has ended already, or a success of a task that is done already,
// is ErrOrder and changes nothing.
func (j *Journal) EndAttempts(ends []End) []error {
	errs := make([]error, len(ends))
	var good, rest []int
	for i, e := range ends {
		if e.State == TaskDone {
			good = append(good, i)
		} else {
			rest = append(rest, i)
		}
	}
	if len(good) > 1 {
		rest = append(rest, j.endTogether(ends, good)...)
	} else {
		rest = append(rest, good...)
	}
	waits := make([]*op, len(ends))
	for _, i := range rest {
		waits[i], errs[i] = j.enqueue("end", true, ends[i].write)
	}
	for _, i := range rest {
		if errs[i] == nil {
			errs[i] = <-waits[i].err
		}
	}
	return errs
}

// maxRows is how many successes one statement records: most of what a statement
// costs is its parsing.
const maxRows = 64

// endTogether records successes, many in a statement. It returns those that
// could not be recorded so: they are to be tried alone.
func (j *Journal) endTogether(ends []End, good []int) (alone []int) {
	var parts [][]int
	var waits []*op
	for part := range slices.Chunk(good, maxRows) {
		o, err := j.enqueue("end", true, func(tx *txn) error { return writeGood(tx, ends, part) })
		if err != nil {
			return append(alone, good[len(parts)*maxRows:]...)
		}
		parts, waits = append(parts, part), append(waits, o)
	}
	for n, o := range waits {
		if <-o.err != nil {
			alone = append(alone, parts[n]...)
		}
	}
	return alone
}

// writeGood records successes of one job in two statements.
func writeGood(tx *txn, ends []End, part []int) error {
	rows := make([]any, 0, 13*len(part))
	done := make([]any, 0, 4*len(part))
	for _, i := range part {
		a := ends[i].Attempt
		rows = append(rows, a.Job, a.Task, a.Attempt, a.Run, a.Lease[:], a.Provider[:], stamp(a.Started), stamp(a.Ended), a.Class,
			bounded(a.Message), a.Code, int64(a.Wall), a.usage())
		done = append(done, a.Job, a.Task, orNull(ends[i].Tree), stamp(a.Ended))
	}
	n, err := tx.change(`INSERT INTO attempts (job, task, attempt, run, lease, provider, started, ended, class, message, code, wall, usage)
		VALUES `+strings.Repeat(",(?,?,?,?,?,?,?,?,?,?,?,?,?)", len(part))[1:]+endConflict, rows...)
	if err == nil && n == int64(len(part)) {
		n, err = tx.change(`UPDATE tasks SET state='done', tree=v.column3, checkpoint=NULL, ended=v.column4
			FROM (VALUES `+strings.Repeat(",(?,?,?,?)", len(part))[1:]+`) AS v
			WHERE tasks.job=v.column1 AND tasks.number=v.column2 AND state<>'done'`, done...)
	}
	if err == nil && n != int64(len(part)) {
		err = fmt.Errorf("%w: one of %d attempts has ended already", ErrOrder, len(part))
	}
	return err
}

const endConflict = ` ON CONFLICT (job, task, attempt) DO UPDATE SET ended=excluded.ended, class=excluded.class, message=excluded.message,
	code=excluded.code, wall=excluded.wall, usage=excluded.usage WHERE ended=0`

func (a Attempt) usage() []byte {
	if len(a.Usage) == 0 {
		return nil
	}
	return types.Encode(a.Usage)
}

func (e End) write(tx *txn) error {
	a := e.Attempt
	n, err := tx.change(`INSERT INTO attempts (job, task, attempt, run, lease, provider, started, ended, class, message, code, wall, usage)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`+endConflict,
		a.Job, a.Task, a.Attempt, a.Run, a.Lease[:], a.Provider[:], stamp(a.Started), stamp(a.Ended), a.Class, bounded(a.Message),
		a.Code, int64(a.Wall), a.usage())
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: attempt %d of task %d of job %s has ended already", ErrOrder, a.Attempt, a.Task, a.Job)
	}
	if e.State == TaskDone {
		n, err = tx.change(`UPDATE tasks SET state='done', tree=?, checkpoint=NULL, ended=? WHERE job=? AND number=? AND state<>'done'`,
			orNull(e.Tree), stamp(a.Ended), a.Job, a.Task)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: task %d of job %s is done already, or unknown", ErrOrder, a.Task, a.Job)
		}
		return err
	}
	if e.Checkpoint.IsZero() && e.State == TaskWaiting {
		return nil
	}
	return tx.exec(`UPDATE tasks SET state=?, checkpoint=COALESCE(?, checkpoint), ended=? WHERE job=? AND number=? AND state<>'done'`,
		string(e.State), orNull(e.Checkpoint), stamp(a.Ended), a.Job, a.Task)
}

// Redo takes back the success of a job's task whose outputs are lost; message
// says so where the attempt that made them is listed.
func (j *Journal) Redo(job string, task int, state TaskState, message string) error {
	return j.do("redo", true, func(tx *txn) error {
		if err := tx.exec(`UPDATE attempts SET class=?, message=? WHERE job=? AND task=? AND class='' AND ended<>0`,
			protocol.ClassLost, bounded(message), job, task); err != nil {
			return err
		}
		if err := tx.exec(`DELETE FROM deliveries WHERE job=? AND task=?`, job, task); err != nil {
			return err
		}
		return tx.exec(`UPDATE tasks SET state=?, tree=NULL, origin='' WHERE job=? AND number=?`, string(state), job, task)
	})
}

// Tasks lists a job's tasks in the order of its graph.
func (j *Journal) Tasks(job string) ([]Task, error) {
	rows, err := j.read.Query(`SELECT number, key, name, stage, state, tree, checkpoint, origin, ended FROM tasks WHERE job=? ORDER BY number`, job)
	if err != nil {
		return nil, fmt.Errorf("read tasks: %w", err)
	}
	defer rows.Close()
	var out []Task
	for rows.Next() {
		var t Task
		var key, tree, checkpoint []byte
		var state string
		var ended int64
		if err := rows.Scan(&t.Number, &key, &t.Name, &t.Stage, &state, &tree, &checkpoint, &t.Origin, &ended); err != nil {
			return nil, err
		}
		copy(t.Key[:], key)
		copy(t.Tree[:], tree)
		copy(t.Checkpoint[:], checkpoint)
		t.State, t.Ended = TaskState(state), unstamp(ended)
		out = append(out, t)
	}
	return out, rows.Err()
}

// Finished is a finished task of some job, found by its content key.
type Finished struct {
	Job     string
	Outputs string // that job's results folder
	Name    string
	Tree    types.Hash
}

// FinishedTasks finds the done tasks with the given keys, in whichever job; of
// several the one that ended last.
func (j *Journal) FinishedTasks(keys []types.Hash) (map[types.Hash]Finished, error) {
	out := make(map[types.Hash]Finished)
	for part := range slices.Chunk(keys, 256) {
		if err := j.finishedTasks(part, out); err != nil {
			return nil, fmt.Errorf("read finished tasks: %w", err)
		}
	}
	return out, nil
}

func (j *Journal) finishedTasks(keys []types.Hash, out map[types.Hash]Finished) error {
	args := make([]any, len(keys))
	for i := range keys {
		args[i] = keys[i][:]
	}
	rows, err := j.read.Query(`SELECT t.key, t.job, j.outputs, t.name, t.tree FROM tasks t JOIN jobs j ON j.id = t.job
		WHERE t.state='done' AND t.key IN (`+strings.Repeat(",?", len(keys))[1:]+`) ORDER BY t.ended`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var f Finished
		var key, tree []byte
		if err := rows.Scan(&key, &f.Job, &f.Outputs, &f.Name, &tree); err != nil {
			return err
		}
		var h types.Hash
		copy(h[:], key)
		copy(f.Tree[:], tree)
		out[h] = f
	}
	return rows.Err()
}

// Attempts lists the attempts of a job in the order of task and attempt; only
// those without an end where openOnly is set.
func (j *Journal) Attempts(job string, openOnly bool) ([]Attempt, error) {
	query := `SELECT task, attempt, run, lease, provider, started, ended, class, message, code, wall, usage FROM attempts WHERE job=?`
	if openOnly {
		query += ` AND ended=0`
	}
	rows, err := j.read.Query(query+` ORDER BY task, attempt`, job)
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	defer rows.Close()
	var out []Attempt
	for rows.Next() {
		a := Attempt{Job: job}
		var lease, provider, usage []byte
		var started, ended, wall int64
		if err := rows.Scan(&a.Task, &a.Attempt, &a.Run, &lease, &provider, &started, &ended, &a.Class, &a.Message, &a.Code, &wall, &usage); err != nil {
			return nil, err
		}
		copy(a.Lease[:], lease)
		copy(a.Provider[:], provider)
		a.Started, a.Ended, a.Wall = unstamp(started), unstamp(ended), time.Duration(wall)
		if len(usage) > 0 {
			if err := types.Decode(usage, &a.Usage); err != nil {
				return nil, fmt.Errorf("attempt %d of task %d: usage: %w", a.Attempt, a.Task, err)
			}
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// LastAttempts tells the number of the last attempt of each task of a job that
// has had one, by the task's number.
func (j *Journal) LastAttempts(job string) (map[int]int, error) {
	return j.attemptOf(`SELECT task, max(attempt) FROM attempts WHERE job=? GROUP BY task`, job)
}

func (j *Journal) attemptOf(query, job string) (map[int]int, error) {
	rows, err := j.read.Query(query, job)
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	defer rows.Close()
	out := make(map[int]int)
	for rows.Next() {
		var task, attempt int
		if err := rows.Scan(&task, &attempt); err != nil {
			return nil, err
		}
		out[task] = attempt
	}
	return out, rows.Err()
}

// Successes tells which attempt made each task of a job that is done, by the task's
// number. What another job's run made is not among them.
func (j *Journal) Successes(job string) (map[int]int, error) {
	return j.attemptOf(`SELECT task, max(attempt) FROM attempts WHERE job=? AND class='' AND ended<>0 GROUP BY task`, job)
}

// maxFailures bounds the failures of a Status.
const maxFailures = 1000

// Failures lists the attempts of a job's latest run that did not succeed, by
// their ends, the first ones first, at most 1000. What the publisher killed
// itself is not among them.
func (j *Journal) Failures(job string) ([]Failure, error) {
	rows, err := j.read.Query(`SELECT t.name, a.attempt, a.provider, a.class, a.message FROM attempts a
		JOIN tasks t ON t.job = a.job AND t.number = a.task JOIN jobs j ON j.id = a.job
		WHERE a.job=? AND a.class NOT IN ('', ?) AND a.ended<>0 AND a.run=j.run ORDER BY a.ended, a.task LIMIT ?`, job, protocol.ClassKilled, maxFailures)
	if err != nil {
		return nil, fmt.Errorf("read failures: %w", err)
	}
	defer rows.Close()
	out := []Failure{}
	for rows.Next() {
		var f Failure
		var provider []byte
		if err := rows.Scan(&f.Task, &f.Attempt, &provider, &f.Class, &f.Message); err != nil {
			return nil, err
		}
		var a types.Address
		if copy(a[:], provider); !a.IsZero() {
			f.Provider = a.String()
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

func orNull(h types.Hash) any {
	if h.IsZero() {
		return nil
	}
	return h[:]
}
