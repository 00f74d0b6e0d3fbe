// Package channel holds vouchers and the two ends of a payment channel as pure
// values (PROTOCOL.md 3): what a finalized header proves of a channel
// ([Proven]), the end that signs ([Payer]) and the end that is paid ([Payee]).
//
// Every method returns the new value of its end and leaves the old one as it
// was; with an error, the old one stays in force. The caller persists the new
// value before it acts on it: before a voucher is sent, before service goes on.
// It guarantees that amounts never fall, never exceed the proven deposit, and
// that the payer never signs above the cap that its caller names.
//
// Whether a header is finalized and a proof holds is the caller's business
// (ledger/client); when usage is due is provider/contract's. Start at voucher.go.
package channel
