// Package client talks to a ledger through one of its nodes and believes
// nothing that it can check: headers are verified as a light client does, from
// the genesis delegates on; accounts, channels and announcements come with a
// Merkle proof against such a header, their absence too; transactions and their
// results are compared with the hashes in the headers.
//
// [Open] gives a [Client]. Reads: [Client.Account], [Client.Channel],
// [Client.Announcements], [Client.Header]. Writes: [Client.Prepare] makes and
// signs a transaction (and gives it its nonce), [Client.Broadcast] sends it and
// waits until it is final, as often as one likes: a transaction is included
// once. [Client.Submit] is both. [Client.Follow] delivers every block in order,
// through lost connections and restarts of the node.
//
// What a node could still do: withhold (a transaction, an announcement of the
// list, a new block) and answer [Client.Supply] and [Client.Tx]'s "not found"
// as it likes. A proof against a header of your choice ends every doubt.
//
// Reading order: client.go, light.go (headers), proof.go (values), block.go
// (blocks and results), send.go, scan.go and nonce.go (transactions), follow.go.
package client
