// Package files says what the publisher needs of a place where data files lie:
// to look, to read from an offset, to write whole files, to rename and to remove.
// Package local is this machine's disk, package hdfs a Hadoop cluster.
//
// Every System guarantees the same. What is read is what was written, or an
// error that names the file and the place: never other bytes. A file that was
// put is whole and safe before Put returns. Every wait has a deadline, and what
// may pass (a restarting server, a dead disk's node) is tried again until then.
// A System is safe for use by several goroutines.
//
// Paths are absolute and slash-separated, names of the System itself without
// scheme or host: package data maps URLs to them.
//
// Start at files.go.
package files
