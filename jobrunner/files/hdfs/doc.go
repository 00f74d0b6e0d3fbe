// Package hdfs is the files.System of a Hadoop cluster, over colinmarc/hdfs, and
// over WebHDFS for what that library lacks.
//
// The library alone delivers data that fails its checksum, waits for ever on a
// frozen server, cannot write while one DataNode is dead and takes ciphertext
// for data. None of that can be reached through this package:
//
//   - Data is read in pieces small enough that the library checks them before it
//     hands them out (stream.go). A bad replica is left for another; when none is
//     right the error names file and offset.
//   - Every connection renews a deadline at every read and write (conn.go).
//   - A call uses a NameNode client of its own (link.go, pool.go); a client that failed is
//     thrown away, and the call tried again with another, at the next NameNode,
//     until Config.Patience is over (retry.go).
//   - A write that fails begins again under a new name, with fewer replicas, then
//     through WebHDFS, whose DataNode recovers its pipeline (write.go).
//   - Encryption zones are refused, erasure-coded files read through WebHDFS, and
//     protections of transfers that the library does not speak are named at once.
//
// The configuration is Hadoop's own (core-site.xml and hdfs-site.xml); settings.go
// reads it, resolve.go finds the NameNodes of a URL's authority.
//
// Start at hdfs.go.
package hdfs
