package protocol

import (
	"fmt"
	"io"

	"github.com/zennet/zennet/ledger/types"
)

// A "stdin" connection streams data into the standard input of tasks whose Run
// says Stdin, of one after another:
//
//	publisher                             worker
//	Feed{ID, From}  ────────────────────►
//	Data, Data …    ────────────────────► writes them to the process
//	FeedBlob{Hash, Size} ───────────────► writes that blob of the container's store
//	                ◄──────────────────── Fed{Offset}, at once and then every 20 s
//	FeedEnd{Size, Hash} ────────────────► compares, then closes the process's input
//	                ◄──────────────────── Fed{Offset, End}: the feed has ended
//	Feed{…} the next
//
// The publisher need not wait for the first Fed. The worker answers every Feed
// with exactly one Fed whose End is set, which may come at any time; what comes
// for that feed afterwards is dropped. A Feed of a task that another connection
// feeds ends that one. When a connection breaks, what was written counts: the
// next Feed goes on at the Offset that its first Fed tells.
//
// An input is cut into chunks of ChunkSize bytes, the last one shorter. A chunk
// that lies in the publisher's blob store at the provider, where the container
// reads it, need not travel: FeedBlob names it. A worker that does not find it, or
// finds other bytes, answers FedLacking, and has written nothing of it.

// Feed begins, or goes on with, a task's standard input: the Data that follow are
// its bytes from From on. The task's Run may come a little later than its Feed.
type Feed struct {
	ID   string `cbor:"1,keyasint"`
	From uint64 `cbor:"2,keyasint"`
}

// FeedBlob feeds the chunk of the input that the next byte belongs to, from that
// byte on: what was fed of the chunk before is left out.
type FeedBlob struct {
	Hash types.Hash `cbor:"1,keyasint"` // the blob's SHA-256
	Size uint32     `cbor:"2,keyasint"` // bytes of the whole chunk; fewer than ChunkSize for the last one
}

// FeedEnd says that all has been sent: the length and the FeedSum of the whole
// input, from its first byte on. With Error the input cannot be had: the task is
// ended with class "stage" and these words.
type FeedEnd struct {
	Size  uint64     `cbor:"1,keyasint"`
	Hash  types.Hash `cbor:"2,keyasint"`
	Error string     `cbor:"3,keyasint,omitempty"`
}

// Fed tells how much of its input a task has taken, and how the feed ended.
type Fed struct {
	Offset uint64 `cbor:"1,keyasint"` // bytes taken so far, from the input's beginning
	End    uint8  `cbor:"2,keyasint"`
	Error  string `cbor:"3,keyasint,omitempty"` // with FedFailed
}

// How a feed ended.
const (
	FedOn        = 0 // it goes on
	FedWhole     = 1 // all was taken, and has the hash that FeedEnd told
	FedEarly     = 2 // the process ended, or closed its input, before its end: it wants no more
	FedElsewhere = 3 // From is not Offset: feed again from there
	FedFailed    = 4 // Error says why; the task, if there is one, ends with class "stage"
	FedLacking   = 5 // a blob is not there as it was named: feed again from Offset, without it
)

func (m *Feed) Validate() error { return taskID(m.ID) }

func (m *FeedBlob) Validate() error {
	p := &problems{}
	p.hash("blob", m.Hash)
	p.check(m.Size > 0 && m.Size <= ChunkSize, "a chunk of %d bytes", m.Size)
	return p.err
}

func (m *FeedEnd) Validate() error {
	p := &problems{}
	p.text("error", m.Error)
	return p.err
}

func (m *Fed) Validate() error {
	p := &problems{}
	p.check(m.End <= FedLacking, "end is %d", m.End)
	p.text("error", m.Error)
	p.check((m.End == FedFailed) == (m.Error != ""), "end %d with error %.40q", m.End, m.Error)
	return p.err
}

// dataKind is Data's number on the wire.
const dataKind = 43

// DataRoom is how many bytes must be free before the content that SealData frames.
const DataRoom = maxBytesHead

// SealData makes the frame of a Data whose content is buf[at:], at most ChunkSize
// bytes, without moving it: the head is written before at, and the frame is
// buf[start:].
func SealData(buf []byte, at int) (start int) {
	var head [maxBytesHead]byte
	h := bytesHead(head[:0], dataKind, len(buf)-at)
	return at - copy(buf[at-len(h):], h)
}

// ReadFeed reads one frame of a stdin connection. Of a Data it reads the head
// only: then m is nil, and the n bytes of content are still to be read from r.
// Frames that ReadMessage would refuse are refused, and so is a Data with an Error.
func ReadFeed(r io.Reader) (m Message, n int, err error) {
	var head [maxBytesHead]byte
	if _, err := io.ReadFull(r, head[:frameHead]); err != nil {
		return nil, 0, err
	}
	if head[4] != dataKind {
		m, err = readRest(r, [frameHead]byte(head[:]))
		return m, 0, err
	}
	if n, err = readBytesHead(r, head[:]); err == nil && n > ChunkSize {
		err = fmt.Errorf("%w: Data of %d bytes, at most %d", ErrTooLarge, n, ChunkSize)
	}
	return nil, n, err
}
