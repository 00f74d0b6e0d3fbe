// Package types holds what every other package of Zennet must agree on: money
// ([Amount]), keys and addresses ([PrivateKey], [Address]), hashes ([Hash]),
// signatures ([Signature]) and the one canonical encoding ([Encode], [Decode]).
//
// It guarantees that one meaning has one encoding: Decode accepts exactly the
// bytes that Encode would give back. Signatures are BIP-340 over a tagged hash
// of (ledger id, body), so that a signature for one kind of message or one
// ledger never validates as another (PROTOCOL.md 4.2).
//
// It is pure: randomness comes in as an argument. Start at amount.go.
package types
