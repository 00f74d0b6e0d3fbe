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
// Where they are to be summed up, short words are counted in a small table in
// front of the Collector's, a word of at most eight bytes being a number.
type words struct {
	to    sink
	sums  *collect.Collector
	front []short
	buf   [8]byte
}

// short is a word with how often it was seen.
type short struct {
	word  uint64 // its bytes, the first lowest; 0 = none
	count int64
}

const frontBits = 14

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
	const low, high = 0x0101010101010101, 0x8080808080808080
	for i := 0; i < len(text); {
		if space[text[i]] {
			i++
			continue
		}
		if i+8 < len(text) {
			// The lowest mark is at the first byte below '!': the word's end, unless it is
			// some other control character.
			x := binary.LittleEndian.Uint64(text[i:])
			marks := (x - '!'*low) & ^x & high
			size := 8
			if marks != 0 {
				size = bits.TrailingZeros64(marks) / 8
				x &= 1<<(8*size) - 1
			}
			if size > 0 && space[text[i+size]] {
				if err := w.short(x); err != nil {
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

// short counts a short word.
func (w *words) short(word uint64) error {
	s := &w.front[word*0x9e3779b97f4a7c15>>(64-frontBits)]
	if s.word == word {
		s.count++
		return nil
	}
	if err := w.evict(*s); err != nil {
		return err
	}
	*s = short{word, 1}
	return nil
}

func (w *words) evict(s short) error {
	if s.word == 0 {
		return nil
	}
	binary.LittleEndian.PutUint64(w.buf[:], s.word)
	return w.sums.AddSum(w.buf[:(bits.Len64(s.word)+7)/8], s.count, uint64(s.count))
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
