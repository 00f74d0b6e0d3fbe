package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite" // the database driver
)

// Options are for tests and tools; the zero value is what programs use.
type Options struct {
	// ReadOnly opens an existing journal for reading, also while a host writes it.
	ReadOnly bool
	// Before, where set, is called before every write with its kind. An error
	// fails that write and all later ones: the process is as good as dead.
	Before func(kind string) error
}

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	read    *sql.DB
	db      *sql.DB   // the writer's
	conn    *sql.Conn // its one connection
	options Options

	mu     sync.Mutex
	closed bool
	failed error
	broken chan struct{} // closed with failed
	queue  []*op         // waiting writes, at most maxQueue
	room   *sync.Cond    // signalled when the queue shrinks
	wake   chan struct{} // of size 1: the queue has grown, or the end has come
	done   chan struct{} // closed when the writer has ended
}

const (
	maxQueue = 8192 // writes waiting; more make their callers wait
	maxBatch = 2048 // writes in one transaction
	maxText  = 4096 // bytes of a free text field
)

// Open opens the journal at path and makes it where it is missing.
func Open(path string) (*Journal, error) { return OpenWith(path, Options{}) }

// OpenReadOnly opens an existing journal for commands that run without a host
// or beside one; a missing file is ErrNotFound.
func OpenReadOnly(path string) (*Journal, error) { return OpenWith(path, Options{ReadOnly: true}) }

// OpenWith is Open with options.
func OpenWith(path string, options Options) (*Journal, error) {
	if options.ReadOnly {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s does not exist", ErrNotFound, path)
		}
		read, err := openDB(path, "query_only(1)")
		if err != nil {
			return nil, err
		}
		if err := checkVersion(read); err != nil {
			return nil, errors.Join(err, read.Close())
		}
		return &Journal{read: read, options: options}, nil
	}
	db, err := openDB(path, "synchronous(FULL)", "foreign_keys(1)", "wal_autocheckpoint(4000)", "cache_size(-16000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	fail := func(err error) (*Journal, error) { return nil, errors.Join(err, db.Close()) }
	if err := os.Chmod(path, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return fail(fmt.Errorf("open journal %s: %w", path, err))
	}
	if err := migrate(conn); err != nil {
		return fail(errors.Join(fmt.Errorf("open journal %s: %w", path, err), conn.Close()))
	}
	read, err := openDB(path, "query_only(1)")
	if err != nil {
		return fail(errors.Join(err, conn.Close()))
	}
	read.SetMaxOpenConns(4)
	j := &Journal{read: read, db: db, conn: conn, options: options, broken: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{})}
	j.room = sync.NewCond(&j.mu)
	go j.write()
	return j, nil
}

func openDB(path string, pragmas ...string) (*sql.DB, error) {
	values := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)"}, pragmas...)}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+values.Encode())
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	return db, nil
}

// Close waits for the writes that were accepted and closes the file. A write
// that failed with nobody waiting for it is told here.
func (j *Journal) Close() error {
	if j.conn == nil {
		return j.read.Close()
	}
	j.mu.Lock()
	was := j.closed
	j.closed = true
	j.room.Broadcast()
	j.mu.Unlock()
	if was {
		return nil
	}
	j.nudge()
	<-j.done
	return errors.Join(j.Err(), j.read.Close(), j.conn.Close(), j.db.Close())
}

// Failed is closed when a write has failed that should not: a full or broken
// disk. Nothing is taken any more from then on, as of a process that was killed:
// what comes next must not be done, because it would not be known after a
// restart. Err says why.
func (j *Journal) Failed() <-chan struct{} { return j.broken }

// Err is the error that made the journal refuse further writes, or nil.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// Sync waits until every write accepted before is durable.
func (j *Journal) Sync() error { return j.do("", true, func(*txn) error { return nil }) }

func (t *txn) close() {
	for _, s := range t.stmts {
		_ = s.Close() // the connection is about to be closed anyway
	}
}

// bounded cuts a free text to maxText bytes, at a rune's border.
func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func unstamp(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
