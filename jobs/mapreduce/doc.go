// Package mapreduce plans jobs of kind mapreduce: the input files that a survey
// found become splits by Hadoop's rules, splits become map tasks, and every
// reduce task takes its segment of each map's output. It also draws the job's
// report from what the tasks counted.
//
// It guarantees that the splits of a file cover each of its bytes once, that maps
// are numbered as Hadoop numbers them, and that equal jobs have equal plans. It
// leaves to jobs/mapreduce/streaming what the settings mean, to provider/mapreduce
// what a task does with its Task, and to jobrunner/data how files are found and
// read.
//
// Start reading at Task, what a task is told; then Plan. The package is pure.
package mapreduce
