package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// OutputState is where a job's output folder stands.
type OutputState string

// The states of an output.
const (
	OutputMaking OutputState = "making" // its files are being delivered into the staging folder
	OutputMade   OutputState = "made"   // renamed: it is there
)

// Output is a job's output folder, made beside its place and renamed.
type Output struct {
	Job     string
	URL     string // where it is once made
	Staging string // path of the folder beside, in the output's file system
	Folder  uint64 // that folder's number there, which a rename keeps
	State   OutputState
}

// Delivery is a file that is whole in a job's staging folder.
type Delivery struct {
	Name string // below the folder
	Task int    // whose output it is
	Size int64  // bytes
}

// BeginOutput stores that a job's staging folder was made, empty: what was
// delivered before counts no more. It is durable when it returns.
func (j *Journal) BeginOutput(o Output) error {
	return j.do("output", true, func(tx *txn) error {
		if err := tx.exec(`DELETE FROM deliveries WHERE job=?`, o.Job); err != nil {
			return err
		}
		return tx.exec(`INSERT INTO outputs (job, url, staging, folder, state) VALUES (?,?,?,?,?)
			ON CONFLICT (job) DO UPDATE SET url=excluded.url, staging=excluded.staging, folder=excluded.folder, state=excluded.state`,
			o.Job, o.URL, o.Staging, int64(o.Folder), string(OutputMaking))
	})
}

// Deliver stores that files lie whole in a job's staging folder: all of a task's in
// one call. It is durable when it returns; ErrOrder where no output is being made.
func (j *Journal) Deliver(job string, files []Delivery) error {
	return j.do("deliver", true, func(tx *txn) error {
		var state string
		err := tx.row(`SELECT state FROM outputs WHERE job=?`, job).Scan(&state)
		if errors.Is(err, errNoRows) || err == nil && state != string(OutputMaking) {
			return fmt.Errorf("%w: no output of job %s is being made", ErrOrder, job)
		}
		if err != nil {
			return err
		}
		for part := range slices.Chunk(files, maxRows) {
			args := make([]any, 0, 4*len(part))
			for _, f := range part {
				args = append(args, job, f.Name, f.Task, f.Size)
			}
			if err := tx.exec(`INSERT INTO deliveries (job, name, task, size) VALUES `+strings.Repeat(",(?,?,?,?)", len(part))[1:]+`
				ON CONFLICT (job, name) DO UPDATE SET task=excluded.task, size=excluded.size`, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// MakeOutput stores that a job's output was renamed to its place. Which files
// were delivered is then told by the output itself. It is durable when it returns.
func (j *Journal) MakeOutput(job string) error {
	return j.do("output", true, func(tx *txn) error {
		n, err := tx.change(`UPDATE outputs SET state=? WHERE job=?`, string(OutputMade), job)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: no output of job %s was begun", ErrOrder, job)
		}
		if err == nil {
			err = tx.exec(`DELETE FROM deliveries WHERE job=?`, job)
		}
		return err
	})
}

// DropOutput stores that a job's staging folder was removed. It is durable when it
// returns.
func (j *Journal) DropOutput(job string) error {
	return j.do("output", true, func(tx *txn) error {
		if err := tx.exec(`DELETE FROM deliveries WHERE job=?`, job); err != nil {
			return err
		}
		return tx.exec(`DELETE FROM outputs WHERE job=?`, job)
	})
}

// Output reads a job's output, or returns ErrNotFound.
func (j *Journal) Output(job string) (Output, error) {
	o := Output{Job: job}
	var folder int64
	var state string
	err := j.read.QueryRow(`SELECT url, staging, folder, state FROM outputs WHERE job=?`, job).Scan(&o.URL, &o.Staging, &folder, &state)
	if errors.Is(err, errNoRows) {
		return o, fmt.Errorf("%w: output of job %s", ErrNotFound, job)
	}
	if err != nil {
		return o, fmt.Errorf("read output: %w", err)
	}
	o.Folder, o.State = uint64(folder), OutputState(state)
	return o, nil
}

// Made reports whether the folder with this number, at an output's place, is one that
// a job of the journal made for that. It may have been renamed by a process that did not
// live to store it.
func (j *Journal) Made(url string, folder uint64) (bool, error) {
	var n int
	if err := j.read.QueryRow(`SELECT count(*) FROM outputs WHERE url=? AND folder=?`, url, int64(folder)).Scan(&n); err != nil {
		return false, fmt.Errorf("read outputs: %w", err)
	}
	return n > 0, nil
}

// Deliveries lists what lies whole in a job's staging folder, by name.
func (j *Journal) Deliveries(job string) ([]Delivery, error) {
	rows, err := j.read.Query(`SELECT name, task, size FROM deliveries WHERE job=? ORDER BY name`, job)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	defer rows.Close()
	var out []Delivery
	for rows.Next() {
		var d Delivery
		if err := rows.Scan(&d.Name, &d.Task, &d.Size); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
