// Package api is the local HTTP API of a zennetd, or of a zennet-job that hosts
// the network in its own process: a unix socket with its owner's permissions,
// JSON, and server-sent events for what goes on. [Serve] is the server, [Client]
// the other end. What can be read from the journal (status, receipts, lists) is
// read there; the API carries what needs a living engine: submit, cancel, watch,
// the logs of running tasks, and the state of the network.
//
// Paths, all below /v1:
//
//	POST /jobs               SubmitRequest → SubmitReply
//	POST /jobs/{id}/cancel
//	GET  /jobs/{id}/events   status snapshots as server-sent events, until the job has ended
//	GET  /jobs/{id}/logs     ?task=…&stderr=…&follow=… → raw bytes
//	GET  /network            Network
//
// An error is {"kind": …, "message": …} with a status of 4xx or 5xx.
package api
