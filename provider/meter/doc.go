// Package meter reads what a container used: the counters of PROTOCOL.md 2.
//
// Two readers see the same container from its two sides, so that they can be
// compared (PROTOCOL.md 5.4). [Meter] is the host's: cgroups v1, v2 or a mixture
// of both ("hybrid"), the network namespace's net/dev, and the scratch volume's
// block device. [Inside] is the worker's: only the procfs that the container's
// init sees.
//
// It guarantees that no counter of a reader ever decreases, that memory is
// integrated over time also between reads, and that a container that is gone
// gives ErrGone together with the last reading, so that it can still be settled.
// Persisting a base across restarts (1.12) and money are left to others.
//
// Where the kernel offers several figures for one counter, DECISIONS.md says
// which is taken and why. Start at meter.go, then cgroup.go.
package meter
