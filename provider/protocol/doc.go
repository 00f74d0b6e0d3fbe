// Package protocol is what the two ends of a lease say to each other: the
// messages, their bounds, and the frames that carry them.
//
// A lease has three kinds of streams over one connection: the lease stream with
// the control messages of lease.go, worker streams (worker.go) that the provider
// pipes through unread, and blob streams (blob.go). Every stream is a sequence of
// frames (frame.go); the publisher's streams begin with a [StreamHeader].
//
// It guarantees that a message which [ReadMessage] returns is canonically
// encoded, within its size and within the bounds of its Validate, and that a
// peer cannot make the reader hold more than one message's largest size. What a
// message means in which phase is for provider/contract and the two ends.
//
// It is pure but for reading and writing frames. Start at lease.go.
package protocol
