// Package lease is the publisher's end of the market and of its leases.
//
// A [Market] announces what a job needs, takes the providers that dial in,
// chooses among their offers, negotiates, opens a payment channel for each
// container, and then answers every usage report with a voucher, tops channels
// up, notices lost providers and sees to it that every channel is settled. A
// [Lease] is one ready container: streams to its worker, staging, what it cost.
//
// The rules are in the pure machine of provider/contract; a session drives one
// machine with real streams, the ledger and the journal: it stores before it
// sends. The budget of a job is watched here, before every OPEN and TOP-UP
// (purse.go). Containers, tasks and retries are left to others.
//
// Start at market.go, then acquire.go, choose.go and session.go.
package lease
