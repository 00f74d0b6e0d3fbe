// Package client is the publisher's side of the worker protocol
// (provider/protocol/worker.go).
//
// A [Client] owns one control connection; Logs and Fetch dial connections of
// their own. When the control connection breaks the client is done and its
// caller makes a new one, whose Tasks tell what the worker still holds; nothing
// is retried here. Everything that is fetched is verified against its hash.
//
// A [Feeder] streams into tasks' standard input. It outlives control connections,
// and where one of its own breaks it goes on over another, at the byte that the
// worker tells. What it feeds may lie in the container's blob store already, or is
// put there on the way (split.go).
//
// Start at client.go.
package client
