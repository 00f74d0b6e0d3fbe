package mapreduce

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/zennet/zennet/provider/mapreduce/collect"
)

// words emits each word with 1. Words are what Java's StringTokenizer finds: parted
// by space, TAB, LF, CR and FF.
//
// Where they are to be summed up, words of at most 16 bytes are counted in a small
// table in front of the Collector's, as two numbers.
type words struct {
	to    sink
	sums  *collect.Collector
	front []short
	buf   [16]byte
}

// short is a word with how often it was seen.
type short struct {
	low, high uint64 // its bytes, the first lowest; 0 = none
	count     int64
}

const frontBits = 15

// space are the bytes between words.
var space = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, '\f': true}

func newWords(to sink) *words {
	w := &words{to: to}
	if c, ok := to.(collected); ok && c.Sums() {
		w.sums = c.Collector
		w.front = make([]short, 1<<frontBits)
	}
	return w
}

// lines counts the words of a split of lines, and says how many lines there are. It
// does not look at lines one by one.
func (w *words) lines(s *split) (int64, error) {
	var l lines
	buffer := make([]byte, bufferSize)
	held := 0 // of the start of a word, perhaps
	for {
		if held == len(buffer) {
			if s.large.most > 0 && int64(held) > s.large.most {
				return l.count, s.large.tooLarge("a word of " + s.file)
			}
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
		n, readErr := s.bytes.Read(buffer[held:])
		text := buffer[:held+n]
		l.see(text[held:])
		end := len(text)
		if readErr == nil {
			for end > held && !space[text[end-1]] {
				end--
			}
			if end == held { // no space in what is new
				end = 0
			}
		}
		if err := w.add(text[:end]); err != nil {
			return l.count, err
		}
		if readErr != nil {
			l.end()
			return l.count, errors.Join(noEOF(readErr), w.flush())
		}
		held = copy(buffer, text[end:])
	}
}

// add emits the words of a text, which begins and ends between words.
func (w *words) add(text []byte) error {
	if w.sums == nil {
		return w.emit(text)
	}
	for i := 0; i < len(text); {
		if space[text[i]] {
			i++
			continue
		}
		if i+16 < len(text) {
			low, size := upToSpace(text[i:])
			high := uint64(0)
			if size == 8 {
				var more int
				high, more = upToSpace(text[i+8:])
				size += more
			}
			if space[text[i+size]] {
				if err := w.short(low, high); err != nil {
					return err
				}
				i += size + 1
				continue
			}
		}
		start := i
		for i < len(text) && !space[text[i]] {
			i++
		}
		if err := w.sums.AddSum(text[start:i], 1, 1); err != nil {
			return err
		}
	}
	return nil
}

// upToSpace gives the bytes before the first control character or space, at most
// eight, as a number.
func upToSpace(text []byte) (bytes uint64, size int) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	x := binary.LittleEndian.Uint64(text)
	marks := (x - '!'*ones) & ^x & tops // the lowest is right
	if marks == 0 {
		return x, 8
	}
	size = bits.TrailingZeros64(marks) / 8
	return x & (1<<(8*size) - 1), size
}

// short counts a short word.
func (w *words) short(low, high uint64) error {
	s := &w.front[(low^high*0xff51afd7ed558ccd)*0x9e3779b97f4a7c15>>(64-frontBits)]
	if s.low == low && s.high == high {
		s.count++
		return nil
	}
	if err := w.evict(*s); err != nil {
		return err
	}
	*s = short{low, high, 1}
	return nil
}

func (w *words) evict(s short) error {
	if s.low == 0 {
		return nil
	}
	binary.LittleEndian.PutUint64(w.buf[:], s.low)
	binary.LittleEndian.PutUint64(w.buf[8:], s.high)
	size := (bits.Len64(s.low) + 7) / 8
	if s.high != 0 {
		size = 8 + (bits.Len64(s.high)+7)/8
	}
	return w.sums.AddSum(w.buf[:size], s.count, uint64(s.count))
}

// flush hands over what is still counted here.
func (w *words) flush() error {
	for i, s := range w.front {
		if err := w.evict(s); err != nil {
			return err
		}
		w.front[i] = short{}
	}
	return nil
}

// emit puts the words of a text one by one.
func (w *words) emit(text []byte) error {
	for i := 0; i < len(text); {
		if space[text[i]] {
			i++
			continue
		}
		start := i
		for i < len(text) && !space[text[i]] {
			i++
		}
		if err := w.to.Put(text[start:i], one); err != nil {
			return err
		}
	}
	return nil
}
