// Package collect takes a map's output, record by record, and makes of it one
// sorted segment for each reducer.
//
// A Collector keeps records in a region of memory of a fixed size: their bytes
// from its start on, an index of 16 bytes a record from its end backwards
// (arena.go). While keys repeat, a hash table finds each key's entry, and values
// are appended to a chain of chunks there, so that only distinct keys are sorted;
// where most keys differ every record gets an entry of its own (group.go). Sorting
// is by partition, then by the first eight bytes of the key as a number, by radix,
// and only where these tie by the keys (sort.go).
//
// When the region is full it is written as a run: one segment a partition, one
// after another in one file (spill.go). At the end runs and what is in memory are
// merged. A record that is larger than the region is a run of its own.
//
// It guarantees that
//   - a segment's keys are in the comparator's order, and that ties are in the
//     order in which they were added;
//   - the same records give the same bytes, whatever the machine;
//   - index, hash table and records together take no more than Options.Memory; a
//     merge takes as much again only after the region is given back.
//
// A combiner sees each run in order before it is written; what it makes goes
// through a Collector of its own, a quarter of the size, for it may change keys. It
// sees the runs once more where enough of them are merged (combine.go). Sums are made
// in place.
//
// Start at collector.go.
package collect
