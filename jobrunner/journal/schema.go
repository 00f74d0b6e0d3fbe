package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// schemas is the journal's format, one step a version; PRAGMA user_version says
// how many were applied. Times are Unix nanoseconds, amounts nXEN, hashes and
// addresses 32 bytes, structs canonical CBOR. The free text fields are bounded
// by the code that writes them.
var schemas = []string{`
CREATE TABLE jobs (
	id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, image TEXT NOT NULL,
	state TEXT NOT NULL, cause TEXT NOT NULL, message TEXT NOT NULL,
	file TEXT NOT NULL, source BLOB NOT NULL, spec BLOB NOT NULL, dir TEXT NOT NULL, outputs TEXT NOT NULL,
	budget INTEGER NOT NULL, run INTEGER NOT NULL, tasks INTEGER NOT NULL, programs TEXT NOT NULL,
	submitted INTEGER NOT NULL, since INTEGER NOT NULL, deadline INTEGER NOT NULL, ended INTEGER NOT NULL
);
CREATE TABLE tasks (
	job TEXT NOT NULL REFERENCES jobs(id), number INTEGER NOT NULL, key BLOB NOT NULL, name TEXT NOT NULL, stage TEXT NOT NULL,
	state TEXT NOT NULL, tree BLOB, checkpoint BLOB, origin TEXT NOT NULL, ended INTEGER NOT NULL,
	PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE INDEX tasks_key ON tasks (key) WHERE state = 'done';
CREATE TABLE attempts (
	job TEXT NOT NULL REFERENCES jobs(id), task INTEGER NOT NULL, attempt INTEGER NOT NULL, run INTEGER NOT NULL,
	lease BLOB NOT NULL, provider BLOB NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
	class TEXT NOT NULL, message TEXT NOT NULL, code INTEGER NOT NULL, wall INTEGER NOT NULL, usage BLOB,
	PRIMARY KEY (job, task, attempt)
) WITHOUT ROWID;
CREATE INDEX attempts_open ON attempts (job) WHERE ended = 0;
CREATE INDEX attempts_bad ON attempts (job, ended) WHERE class <> '';
CREATE TABLE leases (
	id BLOB PRIMARY KEY, job TEXT NOT NULL, provider BLOB NOT NULL, contract BLOB NOT NULL, sig BLOB NOT NULL,
	state TEXT NOT NULL, channel BLOB NOT NULL, open_tx BLOB, topup_tx BLOB, record BLOB, deposit INTEGER NOT NULL, fees INTEGER NOT NULL,
	programs TEXT NOT NULL, last_usage BLOB, last_paid BLOB, close_tx BLOB NOT NULL, close_height INTEGER NOT NULL,
	claim INTEGER NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, receipt_tx BLOB NOT NULL,
	opened INTEGER NOT NULL, closed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX leases_job ON leases (job, opened);
CREATE TABLE payments (
	lease BLOB NOT NULL REFERENCES leases(id), kind TEXT NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL,
	PRIMARY KEY (lease, kind, seq)
) WITHOUT ROWID;
`, `
CREATE TABLE outputs (
	job TEXT PRIMARY KEY REFERENCES jobs(id), url TEXT NOT NULL, staging TEXT NOT NULL, folder INTEGER NOT NULL, state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX outputs_url ON outputs (url);
CREATE TABLE deliveries (
	job TEXT NOT NULL REFERENCES outputs(job), name TEXT NOT NULL, task INTEGER NOT NULL, size INTEGER NOT NULL,
	PRIMARY KEY (job, name)
) WITHOUT ROWID;
`, `
CREATE TABLE fees (
	tx BLOB PRIMARY KEY, job TEXT NOT NULL, what TEXT NOT NULL, amount INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX fees_job ON fees (job);
ALTER TABLE leases ADD COLUMN receipt_over INTEGER NOT NULL DEFAULT 0;
CREATE INDEX leases_receipt ON leases (id) WHERE state = 'settled' AND receipt_over = 0;
`, `
CREATE TABLE splits (
	number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, chunks BLOB NOT NULL
);
CREATE TABLE split_places (
	provider BLOB NOT NULL, split INTEGER NOT NULL REFERENCES splits(number) ON DELETE CASCADE, at INTEGER NOT NULL,
	PRIMARY KEY (provider, split)
) WITHOUT ROWID;
CREATE INDEX split_places_split ON split_places (split);
`}

func migrate(conn *sql.Conn) error {
	ctx := context.Background()
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(schemas) {
		return fmt.Errorf("%w: version %d, this program knows %d", ErrVersion, version, len(schemas))
	}
	for ; version < len(schemas); version++ {
		step := fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT", schemas[version], version+1)
		if _, err := conn.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("schema %d: %w", version+1, err)
		}
	}
	return nil
}

func checkVersion(db *sql.DB) error {
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if version < len(schemas) {
		return fmt.Errorf("%w: version %d; the next host (zennet-job submit, zennetd) brings it to %d", ErrVersion, version, len(schemas))
	}
	if version > len(schemas) {
		return fmt.Errorf("%w: version %d, this program knows %d", ErrVersion, version, len(schemas))
	}
	return nil
}
