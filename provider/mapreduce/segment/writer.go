package segment

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/s2"
)

// Writer writes one segment. Its errors stick: after one, all calls return it.
type Writer struct {
	out   io.Writer
	err   error
	space []byte // room for a header, then block
	block []byte
	store []byte // room for a header, then the compressed block

	last    []byte // the key of the entry before, in block or in keep
	inBlock bool
	any     bool
	keep    []byte

	footer  Footer
	written int64
	pays    bool // what the last sample said of compression
}

// sampleEvery says how many blocks one sample of compression stands for.
const sampleEvery = 16

// NewWriter writes a segment to out.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{}
	w.Reset(out)
	return w
}

// Reset starts another segment with the buffers of a closed one.
func (w *Writer) Reset(out io.Writer) {
	space, store, keep := w.space, w.store, w.keep
	if space == nil {
		space = make([]byte, headerSize+BlockSize)
	}
	*w = Writer{out: out, space: space, block: space[headerSize:headerSize], store: store, keep: keep[:0]}
}

// Append adds n values of a key, as a payload. Keys must come in order.
func (w *Writer) Append(key, payload []byte, n int) error {
	if w.err != nil || n == 0 {
		return w.err
	}
	var sizes [2 * binary.MaxVarintLen64]byte
	w.begin(key, len(payload), 0)
	size := binary.PutUvarint(sizes[:], uint64(len(payload)))
	w.put(sizes[:size])
	w.put(payload)
	w.footer.Records += uint64(n)
	return w.err
}

// AppendRecord adds one value of a key. Keys must come in order.
func (w *Writer) AppendRecord(key, value []byte) error {
	if w.err != nil {
		return w.err
	}
	var sizes, inner [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(inner[:], uint64(len(value)))
	w.begin(key, len(value), n)
	size := binary.PutUvarint(sizes[:], uint64(len(value)+n))
	w.put(sizes[:size])
	w.put(inner[:n])
	w.put(value)
	w.footer.Records++
	return w.err
}

// begin writes an entry's key, at the start of a new block if the entry fits into
// one but not into what is left of this.
func (w *Writer) begin(key []byte, payload, more int) {
	same := w.any && bytes.Equal(key, w.last)
	need := payload + more + 2*binary.MaxVarintLen64
	if !same {
		need += len(key)
	}
	if len(w.block)+need > BlockSize && need <= BlockSize {
		w.flush()
	}
	if same {
		w.put([]byte{0})
		return
	}
	w.any = true
	w.footer.MaxKey = max(w.footer.MaxKey, uint64(len(key)))
	var size [binary.MaxVarintLen64]byte
	w.put(size[:binary.PutUvarint(size[:], uint64(len(key))+1)])
	start := len(w.block)
	if start+len(key) <= BlockSize {
		w.block = append(w.block, key...)
		w.last, w.inBlock = w.block[start:], true
		return
	}
	w.keep = append(w.keep[:0], key...)
	w.last, w.inBlock = w.keep, false
	w.put(key)
}

// put adds bytes, over the ends of blocks where they do not fit.
func (w *Writer) put(b []byte) {
	for len(w.block)+len(b) > BlockSize {
		n := BlockSize - len(w.block)
		w.block = append(w.block, b[:n]...)
		b = b[n:]
		w.flush()
	}
	w.block = append(w.block, b...)
}

func (w *Writer) flush() {
	if len(w.block) == 0 || w.err != nil {
		w.block = w.block[:0]
		return
	}
	if w.inBlock {
		w.keep = append(w.keep[:0], w.last...)
		w.last, w.inBlock = w.keep, false
	}
	h, stored := header{raw: uint32(len(w.block))}, w.space[:headerSize+len(w.block)]
	if sample := w.footer.Blocks%sampleEvery == 0; sample || w.pays {
		if w.store == nil {
			w.store = make([]byte, headerSize+s2.MaxEncodedLen(BlockSize))
		}
		small := len(s2.Encode(w.store[headerSize:], w.block))
		good := small < len(w.block)*3/4
		if sample {
			w.pays = good
		}
		if good {
			h.compressed, stored = true, w.store[:headerSize+small]
		}
	}
	h.stored = uint32(len(stored) - headerSize)
	h.sum = checksum(w.footer.Blocks, h, stored[headerSize:])
	h.encode(stored[:0])
	w.write(stored)
	w.footer.Blocks++
	w.footer.Bytes += uint64(h.raw)
	w.footer.MaxRaw = max(w.footer.MaxRaw, h.raw)
	w.footer.MaxStored = max(w.footer.MaxStored, h.stored)
	w.block = w.block[:0]
}

func (w *Writer) write(b []byte) {
	if w.err == nil {
		var n int
		n, w.err = w.out.Write(b)
		w.written += int64(n)
	}
}

// Close ends the segment, which without entries has no bytes at all, and tells its
// footer and its size in bytes. It does not close what it is written to.
func (w *Writer) Close() (Footer, int64, error) {
	w.flush()
	if w.footer.Blocks > 0 {
		w.write(w.footer.encode())
	}
	if cap(w.keep) > BlockSize { // a key of uncommon size
		w.keep, w.last = nil, nil
	}
	return w.footer, w.written, w.err
}
