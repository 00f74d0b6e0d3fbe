// Package worker is the program inside every leased container: its first
// process, which runs the publisher's tasks.
//
// [Serve] answers the connections of provider/protocol/worker.go on a listening
// socket that it inherits. Each task is a session of its own with a scratch
// folder of its own; its output goes to files, so that a broken connection costs
// nothing; when it ends, everything that it left running is killed, what it was
// asked to produce is hashed into a manifest, and why it failed is told in a
// class and a sentence.
//
//	staging → running → (terminating →) collecting → ended → released
//
// It guarantees that
//   - every process of the container is reaped (children.go), and none of a task
//     lives on after its Exited (tree.go);
//   - a task cannot stop the worker: not by signals, by forking, by filling the
//     disk or the memory; the worst a task can do is to fail, with its class;
//   - nothing that is collected comes from outside the task's scratch folder.
//
// Where a task's standard input is fed (feed.go, stdin.go), it ends only after all
// of it was taken and verified; a task that could not be fed fails.
//
// The container's walls are package runtime's. A task of the same lease is no
// enemy of another: they have one owner, and one user.
//
// Start at server.go, then task.go.
package worker
