// Package spec reads a job file: YAML text in, a validated Job out.
//
// It guarantees that a Job that Parse returns is complete (every default filled
// in), within the bounds that limit.go lists, and names only files inside the
// job file's own folder that exist (the input and output of kind mapreduce may be
// URLs too, which others look for). Every complaint carries its place
// ("fold.yaml:12: slots: …", or the --set flag that caused it), and up to
// MaxErrors of them are reported at once. Keys and kinds that Zennet knows but
// that are not built yet are refused with a sentence that says so.
//
// It leaves to the planners (jobs/container, jobs/gromacs, jobs/mapreduce) what needs the inputs'
// contents, such as whether a box is large enough for its solute.
//
// Start reading at Job, then Parse. The package is pure: it reads files only
// through the fs.FS that it is given.
package spec
