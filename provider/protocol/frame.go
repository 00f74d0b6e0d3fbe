package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
	"reflect"

	"github.com/zennet/zennet/ledger/types"
)

// Message is one of the structs of this package that travel in a frame of their
// own, as a pointer when read.
type Message interface{ Validate() error }

// kinds is every message that may stand in a frame: its number on the wire and
// the most bytes that its encoding may have.
var kinds = []struct {
	number uint8
	zero   Message
	max    uint32
}{
	{1, &Capabilities{}, 64 << 10},
	{2, &Offer{}, 8 << 10},
	{3, &Counter{}, 8 << 10},
	{4, &Accept{}, 1 << 10},
	{5, &Reject{}, 4 << 10},
	{6, &Opened{}, 1 << 10},
	{7, &Ready{}, 1 << 10},
	{8, &UsageReport{}, 16 << 10},
	{9, &Paid{}, 8 << 10},
	{10, &TopUpNotice{}, 1 << 10},
	{11, &State{}, 4 << 10},
	{12, &Bye{}, 4 << 10},
	{13, &Closed{}, 1 << 10},
	{14, &Resume{}, 32 << 10},
	{15, &Drop{}, 4 << 10},
	{16, &StreamHeader{}, 1 << 10},
	{17, &Pull{}, MaxPull},
	{18, &Pulled{}, 4 << 10},

	{32, &WorkerHello{}, 1 << 10},
	{33, &Greeting{}, 16 << 20},
	{34, &Run{}, 1 << 20},
	{35, &Started{}, 1 << 10},
	{36, &Exited{}, 256 << 10},
	{37, &Kill{}, 1 << 10},
	{38, &Release{}, 1 << 10},
	{39, &Measure{}, 1 << 10},
	{40, &Reading{}, 4 << 10},
	{41, &Logs{}, 1 << 10},
	{42, &Fetch{}, 8 << 10},
	{dataKind, &Data{}, ChunkSize + 4<<10},
	{44, &Feed{}, 1 << 10},
	{45, &Fed{}, 4 << 10},
	{46, &FeedEnd{}, 4 << 10},
	{47, &FeedBlob{}, 1 << 10},

	{48, &Have{}, MaxHave*34 + 1<<10},
	{49, &Missing{}, MaxHave*5 + 1<<10},
	{chunkKind, &Chunk{}, MaxManifest + 1<<10},
	{51, &Stored{}, 4 << 10},

	{56, &Said{}, 1 << 10},
}

// MaxManifest is the most bytes that an encoded Manifest may have.
const MaxManifest = 16 << 20

// StreamHeader is the first frame of every stream that the publisher opens for a
// lease (worker, blob and pull streams): which lease it belongs to. Another
// provider may open a worker stream with a Ticket of the publisher.
type StreamHeader struct {
	Contract types.Hash `cbor:"1,keyasint"`
	Ticket   *Ticket    `cbor:"2,keyasint,omitempty"`
}

var (
	numberOf = map[reflect.Type]int{}
	kindOf   = map[uint8]int{}
)

func init() {
	for i, k := range kinds {
		numberOf[reflect.TypeOf(k.zero).Elem()] = i
		kindOf[k.number] = i
	}
}

// frameHead is how many bytes of a frame come before the message.
const frameHead = 4 + 1

// A frame is: length of the rest (uint32, big endian), the message's number (1
// byte), its canonical encoding.

// AppendFrame appends m's frame to buf. m, a struct or a pointer to one, must be
// a known message within its bound; else ErrKind or ErrTooLarge.
func AppendFrame(buf []byte, m Message) ([]byte, error) {
	t := reflect.TypeOf(m)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	i, known := numberOf[t]
	if !known {
		return buf, fmt.Errorf("%w: %T", ErrKind, m)
	}
	body := types.Encode(m)
	if uint32(len(body)) > kinds[i].max {
		return buf, fmt.Errorf("%w: %s of %d bytes, at most %d", ErrTooLarge, t.Name(), len(body), kinds[i].max)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)+1))
	buf = append(buf, kinds[i].number)
	return append(buf, body...), nil
}

// WriteMessage writes m's frame in one Write.
func WriteMessage(w io.Writer, m Message) error {
	buf, err := AppendFrame(nil, m)
	if err != nil {
		return err
	}
	_, err = w.Write(buf)
	return err
}

// ReadMessage reads one frame and returns a pointer to its message, decoded and
// validated. A frame that is unknown, too large for its kind or not canonical is
// refused before it is buffered whole. A clean end is io.EOF.
func ReadMessage(r io.Reader) (Message, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	return readRest(r, head)
}

// readRest reads the message of a frame whose head was read.
func readRest(r io.Reader, head [frameHead]byte) (Message, error) {
	i, known := kindOf[head[4]]
	if !known {
		return nil, fmt.Errorf("%w: number %d", ErrKind, head[4])
	}
	length := binary.BigEndian.Uint32(head[:4])
	if length == 0 || length-1 > kinds[i].max {
		return nil, fmt.Errorf("%w: %T of %d bytes", ErrTooLarge, kinds[i].zero, length)
	}
	body, err := readBody(r, int(length-1))
	if err != nil {
		return nil, err
	}
	m := reflect.New(reflect.TypeOf(kinds[i].zero).Elem()).Interface().(Message)
	if err := types.Decode(body, m); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// promised is the most memory that a peer gets for the mere promise of a body.
const promised = ChunkSize + 64<<10

// readBody reads exactly n bytes; for a large body, memory grows with what arrives.
func readBody(r io.Reader, n int) ([]byte, error) {
	body := make([]byte, min(n, promised))
	for at := 0; ; {
		got, err := io.ReadFull(r, body[at:])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if at += got; at == n {
			return body, nil
		}
		body = append(body, make([]byte, min(n-at, at))...)
	}
}

// Read reads one frame that must hold a T.
func Read[T any](r io.Reader) (*T, error) {
	m, err := ReadMessage(r)
	if err != nil {
		return nil, err
	}
	t, ok := m.(any).(*T)
	if !ok {
		return nil, fmt.Errorf("%w: got %T, want %T", ErrKind, m, new(T))
	}
	return t, nil
}
