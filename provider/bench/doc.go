// Package bench holds the canonical benchmarks (PROTOCOL.md 2.2): [Kernels] that
// load a machine in different ways, [Main], by which the worker runs one in a
// container, and [Measure], by which a provider finds its rows V and prices s.
//
// It guarantees that a kernel's checksum depends on its arguments alone, so that
// a publisher can send a benchmark as an ordinary task and check that it was done
// (5.5); that a machine is measured once, however many agents share the cache;
// and that a disturbed measurement cannot give absurd prices, for a price is
// made from what the container itself used and held (price.go).
//
// The rates that follow from the rows are package pricing's; what to ask is the
// operator's. Start at kernel.go, then measure.go.
package bench
