package protocol

import (
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// A pull stream lets a provider take files from another provider's container, of
// another lease of the same publisher: what the tasks of the one left, the tasks
// of the other need. The publisher opens it with the provider that shall have
// them and sends a StreamHeader and Pulls; each is answered by Pulled messages
// that tell how far it is, the last of them with Done or Error. The provider dials
// the other one and opens a worker stream there with the Pull's ticket; only files
// of ended tasks can be fetched over it. What comes is verified by hash and kept
// as if the publisher had pushed it.
type Pull struct {
	From   types.Address `cbor:"1,keyasint"` // who has them; the puller itself where it has both leases
	Addrs  []string      `cbor:"2,keyasint"` // libp2p multiaddrs, without /p2p
	Ticket Ticket        `cbor:"3,keyasint"`
	Files  []PullFile    `cbor:"4,keyasint"`
}

// PullFile is one file of a Pull.
type PullFile struct {
	Task   string       `cbor:"1,keyasint"` // its id in the worker that has it
	Path   string       `cbor:"2,keyasint"` // among what was collected
	Size   uint64       `cbor:"3,keyasint"` // bytes
	Chunks []types.Hash `cbor:"4,keyasint"` // SHA-256 of each ChunkSize bytes
}

// Bounds of one Pull.
const (
	MaxPull       = 4 << 20 // bytes of its frame
	MaxPullFiles  = 4096
	MaxPullChunks = 32768 // of all its files
)

// Pulled tells how many bytes of a Pull have come.
type Pulled struct {
	Bytes uint64 `cbor:"1,keyasint"`
	Done  bool   `cbor:"2,keyasint"`
	Error string `cbor:"3,keyasint,omitempty"`
}

// Ticket is a publisher's permission for one provider to read what ended tasks
// have left in the container of a lease, until it expires.
type Ticket struct {
	Contract types.Hash      `cbor:"1,keyasint"`
	Reader   types.Address   `cbor:"2,keyasint"`
	Expires  int64           `cbor:"3,keyasint"` // Unix seconds
	Sig      types.Signature `cbor:"4,keyasint"` // by the lease's publisher
}

const ticketKind = "ticket"

func (t Ticket) body() []byte {
	return types.Encode(struct {
		_        struct{} `cbor:",toarray"`
		Contract types.Hash
		Reader   types.Address
		Expires  int64
	}{Contract: t.Contract, Reader: t.Reader, Expires: t.Expires})
}

// NewTicket signs a permission.
func NewTicket(key types.PrivateKey, ledger types.Hash, contract types.Hash, reader types.Address, expires int64) Ticket {
	t := Ticket{Contract: contract, Reader: reader, Expires: expires}
	t.Sig = key.Sign(ticketKind, ledger, t.body())
	return t
}

// Verify checks that publisher lets reader read the lease at time now, in Unix
// seconds. ErrInvalid, types.ErrSignature.
func (t Ticket) Verify(ledger types.Hash, publisher, reader types.Address, contract types.Hash, now int64) error {
	if t.Contract != contract || t.Reader != reader {
		return fmt.Errorf("%w: the ticket is for %s and lease %s", ErrInvalid, t.Reader.Short(), t.Contract.Short())
	}
	if now >= t.Expires {
		return fmt.Errorf("%w: the ticket expired at %d, it is %d", ErrInvalid, t.Expires, now)
	}
	return types.Verify(publisher, ticketKind, ledger, t.body(), t.Sig)
}

// Validate checks the bounds.
func (t *Ticket) Validate() error {
	p := &problems{}
	p.hash("contract", t.Contract)
	p.check(!t.Reader.IsZero(), "no reader")
	p.check(t.Expires > 0, "no time of expiry")
	return p.err
}

// Validate checks the bounds.
func (m *Pull) Validate() error {
	p := &problems{}
	p.check(!m.From.IsZero(), "nobody to pull from")
	p.list("addresses", len(m.Addrs), 8)
	for _, addr := range m.Addrs {
		p.name("address", addr, 128)
	}
	p.nested("ticket", m.Ticket.Validate())
	p.check(len(m.Files) > 0 && len(m.Files) <= MaxPullFiles, "%d files, want 1 to %d", len(m.Files), MaxPullFiles)
	chunks := uint64(0)
	for _, f := range m.Files {
		p.name("task", f.Task, MaxID)
		p.path("file", f.Path)
		p.check(uint64(len(f.Chunks)) == (f.Size+ChunkSize-1)/ChunkSize, "file %.40q: %d hashes for %d bytes", f.Path, len(f.Chunks), f.Size)
		chunks += uint64(len(f.Chunks))
	}
	p.check(chunks <= MaxPullChunks, "%d chunks, at most %d", chunks, MaxPullChunks)
	return p.err
}

// Validate checks the bounds.
func (m *Pulled) Validate() error {
	p := &problems{}
	p.text("error", m.Error)
	return p.err
}
