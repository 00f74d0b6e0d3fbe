// Package mapreduce is what runs one task of a MapReduce job, inside the leased
// container: "zennet-worker mapreduce map", reduce or sample, started in the
// task's scratch folder, in which jobs/mapreduce says what lies where.
//
//	map     stdin: the split ─▶ mapper ─▶ collect (─▶ combiner) ─▶ seg/00000 … one for each reducer
//	        without reducers: ─▶ mapper ─▶ out/part-00000
//	reduce  in/00000 …, one from each map ─▶ merge ─▶ reducer ─▶ out/part-00000
//	sample  stdin: a little of the input ─▶ mapper ─▶ boundaries, the range partitioner's
//
// Mapper, combiner and reducer are programs of the user's (package process) or
// operations of ours (builtin_*.go). Everything follows Hadoop Streaming's
// contract, whose rules are jobs/mapreduce/streaming's. What was counted and
// measured goes into facts.json.
//
// It guarantees that
//   - a task's output depends on its input and its program only: two attempts write
//     the same bytes;
//   - memory is bounded by the task's share of the lease, whatever the input, but for
//     a few copies of the largest record, which may have an eighth of the lease's;
//   - where a task fails, the last line on stderr says why, and the exit code is that of
//     the user's program where that is what failed, else 1.
//
// Start at main.go, then map.go and reduce.go.
package mapreduce
