// Package pricing turns measurements into money. Rates come from canonical
// benchmarks by least squares (PROTOCOL.md 2.1–2.5, [Solve], [FromBenchmarks]); bills come from
// cumulative counters and integer rates (2.6, [Rates.Bill]), so that both sides
// of a lease always compute the same sum.
//
// It is pure. Start at counter.go, then fit.go and rates.go.
package pricing
