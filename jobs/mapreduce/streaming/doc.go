// Package streaming is Hadoop Streaming's contract as values and pure functions:
// what a job's settings mean (Resolve → Config), how commands are split, how lines
// become keys and values (Fields, Input), which reducer a key goes to (Partitioner),
// how keys are ordered (Comparator), what a line on stderr says (Report), what a
// task's environment holds (Environment), and Hadoop's aggregate (Aggregate).
//
// It guarantees the behaviour of Hadoop 3.4.2 on Java 17, checked by vectors that
// Hadoop's own classes made (testdata/Vectors.java). Where Hadoop's
// KeyFieldBasedComparator contradicts itself (texts that are no numbers, under -n),
// Comparator is an order that agrees with every pair that Hadoop orders.
//
// It leaves to others the reading of records and compressed files (jobs/mapreduce's
// record and codec), the planning, and the running of the processes
// (provider/mapreduce).
//
// Start reading at Config and Resolve. The package is pure.
package streaming
