// Package journal is the publisher's memory: jobs, tasks, attempts, leases and
// payments in one SQLite file.
//
// It guarantees that what a durable call stored is there after a kill -9 at any
// later moment, that a task is finished at most once in a run, and that a
// lease's payments never go back. One goroutine writes; calls that arrive while
// a transaction is being committed share the next one, so that thousands of
// task records a second cost tens of fsyncs. Several processes may read while
// one host writes (WAL).
//
// It does not decide anything: which task runs is jobrunner/schedule's, what is
// paid is jobrunner/lease's. Bulk data (manifests, outputs) lives in the blob
// store; the journal holds its hashes.
//
// Start at journal.go (opening) and writer.go, then job.go, task.go, output.go, split.go, lease.go;
// view.go has the JSON that scripts rely on; check.go the invariants.
package journal
