package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// op is one write. fn runs inside a transaction and may run twice.
type op struct {
	kind string
	fn   func(*txn) error
	err  chan error // of size 1; nil where nobody waits
}

var errNoRows = sql.ErrNoRows

// do queues a write; where wait is set, it returns when it is committed. A write
// that fails by more than its own fault is the journal's last: see Err.
func (j *Journal) do(kind string, wait bool, fn func(*txn) error) error {
	o, err := j.enqueue(kind, wait, fn)
	if err != nil || !wait {
		return err
	}
	return <-o.err
}

func (j *Journal) enqueue(kind string, wait bool, fn func(*txn) error) (*op, error) {
	if j.conn == nil {
		return nil, ErrReadOnly
	}
	o := &op{kind: kind, fn: fn}
	if wait {
		o.err = make(chan error, 1)
	}
	j.mu.Lock()
	for len(j.queue) >= maxQueue && !j.closed && j.failed == nil {
		j.room.Wait()
	}
	if j.closed || j.failed != nil {
		err := j.failed
		j.mu.Unlock()
		if err == nil {
			err = ErrClosed
		}
		return nil, err
	}
	j.queue = append(j.queue, o)
	j.mu.Unlock()
	j.nudge()
	return o, nil
}

func (j *Journal) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// write is the writer: it takes what is queued and commits it together.
func (j *Journal) write() {
	defer close(j.done)
	tx := &txn{conn: j.conn, stmts: map[string]*sql.Stmt{}}
	defer tx.close()
	for {
		j.mu.Lock()
		n := min(len(j.queue), maxBatch)
		batch := j.queue[:n:n]
		j.queue = j.queue[n:]
		over := n == 0 && j.closed
		j.room.Broadcast()
		j.mu.Unlock()
		switch {
		case over:
			return
		case n == 0:
			<-j.wake
		default:
			j.commit(tx, batch)
		}
	}
}

// commit writes a batch in one transaction. Where one of several writes fails
// by its own fault, each is tried in a transaction of its own, so that only the
// bad one fails.
func (j *Journal) commit(tx *txn, batch []*op) {
	good, broken := j.ask(batch)
	if err := tx.run(good); err != nil && len(good) > 1 && own(err) {
		for _, o := range good {
			err := j.Err()
			if err == nil {
				err = tx.run([]*op{o})
			}
			j.finish(o, err)
		}
	} else {
		for _, o := range good {
			j.finish(o, err)
		}
	}
	if broken != nil {
		j.fail(broken)
	}
	for _, o := range batch[len(good):] {
		j.finish(o, j.Err())
	}
}

// ask puts the Before hook to a batch: it returns the writes that may be done,
// and the error of the first that may not.
func (j *Journal) ask(batch []*op) ([]*op, error) {
	if j.Err() != nil {
		return nil, nil
	}
	if j.options.Before == nil {
		return batch, nil
	}
	for i, o := range batch {
		if o.kind == "" {
			continue
		}
		if err := j.options.Before(o.kind); err != nil {
			return batch[:i], err
		}
	}
	return batch, nil
}

// finish answers a write. A disk that is full or broken, or a failure of which
// nobody would hear, ends all writing.
func (j *Journal) finish(o *op, err error) {
	if err != nil && !errors.Is(err, ErrFailed) && (o.err == nil || !own(err)) {
		j.fail(fmt.Errorf("%s: %w", o.kind, err))
		err = j.Err()
	}
	if o.err != nil {
		o.err <- err
	}
}

// own reports whether a write failed by its own fault, with a journal that is
// as good as before.
func own(err error) bool {
	var refused *sqlite.Error
	return errors.Is(err, ErrOrder) || errors.Is(err, ErrNotFound) ||
		errors.As(err, &refused) && refused.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

func (j *Journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = fmt.Errorf("%w: %w", ErrFailed, err)
		close(j.broken)
	}
}

// txn is the writer's open transaction with its prepared statements.
type txn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (t *txn) run(batch []*op) error {
	if len(batch) == 0 {
		return nil
	}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, o := range batch {
		if err := o.fn(t); err != nil {
			return errors.Join(err, t.exec("ROLLBACK"))
		}
	}
	if err := t.exec("COMMIT"); err != nil {
		_ = t.exec("ROLLBACK") // SQLite may have done it itself
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (t *txn) prepare(query string) (*sql.Stmt, error) {
	if s := t.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err == nil {
		t.stmts[query] = s
	}
	return s, err
}

func (t *txn) exec(query string, args ...any) error {
	_, err := t.change(query, args...)
	return err
}

// change is exec that tells how many rows were changed.
func (t *txn) change(query string, args ...any) (int64, error) {
	s, err := t.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t *txn) row(query string, args ...any) interface{ Scan(...any) error } {
	s, err := t.prepare(query)
	if err != nil {
		return failedRow{err}
	}
	return s.QueryRow(args...)
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
