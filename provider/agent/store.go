package agent

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the database driver

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
)

// store is agent.db: the record of every lease, written through before what it
// says is acted on. Writes that wait at once become one transaction.
type store struct {
	db    *sql.DB
	queue chan write
	done  chan struct{}

	mu     sync.RWMutex // held to put into queue; closed under the lock
	closed bool
}

// write is one record to store, and where to say that it is.
type write struct {
	rec   contract.ProviderRecord
	addrs []string
	first bool
	err   chan error
}

const schema = `
CREATE TABLE IF NOT EXISTS lease (
	contract BLOB PRIMARY KEY,
	phase    TEXT NOT NULL,
	claim    INTEGER NOT NULL,  -- nXEN, settled once the phase is closed
	addrs    TEXT NOT NULL,     -- where the publisher listens, JSON
	record   BLOB NOT NULL,     -- canonical encoding of contract.ProviderRecord
	changed  INTEGER NOT NULL   -- Unix ns
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lease_changed ON lease (changed);
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), leases INTEGER NOT NULL, earned INTEGER NOT NULL);
INSERT OR IGNORE INTO total VALUES (1, 0, 0);
`

// openStore opens the database at path and forgets the oldest ended leases, of
// which only the total stays.
func openStore(path string) (*store, error) {
	values := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-4000)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+values.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	s := &store{db: db, queue: make(chan write, maxLeases), done: make(chan struct{})}
	if _, err := db.Exec(schema); err == nil {
		err = s.prune()
	} else {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	go s.run()
	return s, nil
}

// prune moves what exceeds maxEnded leases of the past into the total.
func (s *store) prune() error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	const old = `contract IN (SELECT contract FROM lease WHERE phase IN ('closed', 'failed') ORDER BY changed DESC LIMIT -1 OFFSET ?)`
	var n, earned int64
	if err := tx.QueryRow(`SELECT COUNT(*), COALESCE(SUM(claim), 0) FROM lease WHERE phase = 'closed' AND `+old, maxEnded).Scan(&n, &earned); err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE total SET leases = leases + ?, earned = earned + ?`, n, earned); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM lease WHERE `+old, maxEnded); err != nil {
		return err
	}
	return tx.Commit()
}

// save stores rec durably. first says that its contract must be new; ErrDuplicate
// where it is not.
func (s *store) save(rec contract.ProviderRecord, addrs []string, first bool) error {
	w := write{rec: rec, addrs: addrs, first: first, err: make(chan error, 1)}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return fmt.Errorf("%w: the agent is closed", ErrStore)
	}
	s.queue <- w
	s.mu.RUnlock()
	return <-w.err
}

// run writes what waits, until close.
func (s *store) run() {
	defer close(s.done)
	for w := range s.queue {
		batch := []write{w}
	gather:
		for len(batch) < maxLeases {
			select {
			case w, open := <-s.queue:
				if !open {
					break gather
				}
				batch = append(batch, w)
			default:
				break gather
			}
		}
		s.commit(batch)
	}
}

// commit writes a batch in one transaction and answers each. A duplicate fails
// alone; any other error fails all.
func (s *store) commit(batch []write) {
	answers := make([]error, len(batch))
	err := func() error {
		tx, err := s.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for i, w := range batch {
			if answers[i], err = put(tx, w); err != nil {
				return err
			}
		}
		return tx.Commit()
	}()
	for i, w := range batch {
		if err != nil {
			answers[i] = fmt.Errorf("%w: %w", ErrStore, err)
		}
		w.err <- answers[i]
	}
}

// put writes one record. own is an error of this record alone.
func put(tx *sql.Tx, w write) (own, err error) {
	id := w.rec.Contract.ID()
	addrs, err := json.Marshal(w.addrs)
	if err != nil {
		return nil, err
	}
	verb := `INSERT OR REPLACE`
	if w.first {
		verb = `INSERT OR IGNORE`
	}
	result, err := tx.Exec(verb+` INTO lease (contract, phase, claim, addrs, record, changed) VALUES (?, ?, ?, ?, ?, ?)`,
		id[:], string(w.rec.Phase), int64(w.rec.Claim), string(addrs), types.Encode(w.rec), time.Now().UnixNano())
	if err != nil {
		return nil, err
	}
	if n, err := result.RowsAffected(); err != nil {
		return nil, err
	} else if n == 0 {
		return fmt.Errorf("%w: %s", ErrDuplicate, id.Short()), nil
	}
	return nil, nil
}

// stored is a lease as it was found.
type stored struct {
	rec   contract.ProviderRecord
	addrs []string
}

// live lists the leases that have not ended.
func (s *store) live() ([]stored, error) {
	return s.list(`SELECT addrs, record FROM lease WHERE phase NOT IN ('closed', 'failed') ORDER BY changed`)
}

// ended lists the newest leases that have, newest first.
func (s *store) ended(n int) ([]stored, error) {
	return s.list(`SELECT addrs, record FROM lease WHERE phase IN ('closed', 'failed') ORDER BY changed DESC LIMIT ?`, n)
}

// answered counts the contracts that there are by announcement, so that one that
// was answered before a restart is not answered again.
func (s *store) answered() (map[types.Hash]int, error) {
	all, err := s.list(`SELECT addrs, record FROM lease`)
	out := map[types.Hash]int{}
	for _, l := range all {
		if !l.rec.Announcement.IsZero() {
			out[l.rec.Announcement]++
		}
	}
	return out, err
}

func (s *store) list(query string, args ...any) ([]stored, error) {
	rows, err := s.db.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	defer rows.Close()
	var out []stored
	for rows.Next() {
		var addrs string
		var record []byte
		var l stored
		if err := rows.Scan(&addrs, &record); err != nil {
			return nil, fmt.Errorf("read leases: %w", err)
		}
		if err := json.Unmarshal([]byte(addrs), &l.addrs); err != nil {
			return nil, fmt.Errorf("read leases: %w", err)
		}
		if err := types.Decode(record, &l.rec); err != nil {
			return nil, fmt.Errorf("read leases: %w", err)
		}
		out = append(out, l)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	return out, nil
}

// totals is how many leases were ever settled, and for how much.
func (s *store) totals() (leases int, earned types.Amount, err error) {
	var n, sum int64
	err = s.db.QueryRow(`SELECT total.leases + COUNT(lease.contract), total.earned + COALESCE(SUM(lease.claim), 0)
		FROM total LEFT JOIN lease ON lease.phase = 'closed'`).Scan(&n, &sum)
	if err != nil {
		return 0, 0, fmt.Errorf("read totals: %w", err)
	}
	return int(n), types.Amount(sum), nil
}

// close waits for the writes that were taken and closes the file.
func (s *store) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.queue)
	s.mu.Unlock()
	<-s.done
	return s.db.Close()
}
