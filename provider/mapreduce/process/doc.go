// Package process runs a mapper, combiner or reducer of the user's as Hadoop
// Streaming does.
//
// Run starts the program in its working folder, feeds its standard input, hands
// out its lines, and reads what it reports on stderr, all at once, so that neither
// side waits for the other with full pipes. It fails where the program
//   - ends with an exit code other than 0, unless that is no failure (ErrExit);
//   - ends, or closes its input, with more input to come than its pipe's buffers
//     hold (ErrBrokenPipe);
//   - reads and writes nothing for the timeout, while there is something to read
//     (ErrSilent); then it is killed, with all of its process group.
//
// When Run returns, the program and its process group are gone.
//
// Start at run.go.
package process
