// Package peer is the network of peers: libp2p hosts whose identity is the
// ledger key (PROTOCOL.md 1.3), so that the encrypted handshake proves who owns
// an address.
//
// It guarantees that every connection of a host is with the holder of a
// secp256k1 key of even Y, and that [ID] and [Address] map peers to accounts
// and back without asking anyone. Transport is TCP with TLS only; there is no
// relay, no address discovery and no NAT service. Limits on connections,
// streams and memory are those of limit.go.
//
// What is said over a stream is provider/protocol; who may open which stream is
// for the two ends (provider/agent, jobrunner/lease). Start at host.go.
package peer
