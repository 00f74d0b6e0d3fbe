// Package data is a job's way to its data: it lists the input files, streams parts
// of them as whole records, and makes the output folder.
//
// Places are hdfs:…, file:… or plain paths, which are relative to the job file's
// folder. They are read as Hadoop reads them: nothing in them is percent-encoded.
//
// It guarantees:
//
//   - a survey makes no call a file, takes at most MaxFiles files, and names the
//     job file's line in whatever it refuses;
//   - what tasks start from and a URL names is looked for, and opened, before the job
//     is planned;
//   - a part is streamed only from the very file that was planned (its number,
//     size and time), as whole records after Hadoop's rule of splits;
//   - an output appears by one rename, with exactly the files that were delivered
//     and an empty _SUCCESS. Before, they lie in a hidden folder beside it, which
//     is removed where the job does not come to its end;
//   - nothing that exists is ever overwritten.
//
// It leaves to jobrunner/files how a file system is spoken to, to
// jobs/mapreduce/record and codec what a record and a compressed file are, to
// jobs/mapreduce how files are cut into parts, and to jobrunner/engine when
// something is delivered and what is remembered of it.
//
// Start at data.go, then survey.go (with glob.go and place.go), remote.go, part.go,
// output.go.
package data
