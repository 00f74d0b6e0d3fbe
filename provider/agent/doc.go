// Package agent is the provider role: it sells this machine's containers.
//
// An [Agent] follows the ledger's announcements, and where one passes its filter
// (market.go) it dials the publisher and opens one lease stream for every
// container that it offers. Each lease is one goroutine (lease.go) that drives
// the pure machine of provider/contract and carries out its effects: the
// contract, the proven channel, the container (container.go), readings, USAGE,
// freezing, settlement. Streams that the publisher opens for its own leases are
// piped to the worker or taken into the publisher's blob store (serve.go).
//
// It guarantees that
//   - what a lease promised or earned is on the disk before it is sent (store.go),
//     so that after kill -9 at any point the next start finds its containers,
//     resumes or settles each lease exactly once, and destroys what belongs to
//     none (recover.go);
//   - a publisher that stops paying costs at most the exposure that its contract
//     names (PROTOCOL.md 1.10): container, staging and tunnels freeze together;
//   - no peer can make it hold more streams, memory or negotiations than the
//     bounds of limit.go, or reach anything of another publisher's.
//
// The runtime, the ledger, the meter and the prices come in through [Config].
// Start at agent.go, then lease.go.
package agent
