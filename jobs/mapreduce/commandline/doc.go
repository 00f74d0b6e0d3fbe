// Package commandline reads hadoop-streaming's command line and writes the job file
// that means the same.
//
// Options are Hadoop 3.4.2's: those of hadoop-streaming.jar and its generic ones, in
// any order, with one dash or two, behind "hadoop jar hadoop-streaming.jar" or alone.
// What cannot run here (Java classes without an equal, -libjars, -io, -inputreader,
// SequenceFiles) is refused by name; what has no meaning here is passed over with a
// warning. A path without a scheme is HDFS where fs.defaultFS says so (-fs, -D, -conf
// or core-site.xml), as in Hadoop, and else one of this machine.
//
// It leaves to jobs/mapreduce/streaming what the settings mean, and to jobs/spec the
// checks of the job file, such as whether files exist.
//
// Start reading at Parse. The package is pure: what it must know of the machine comes
// in as World.
package commandline
