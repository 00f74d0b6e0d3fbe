package codec

import "fmt"

const (
	// blockUnit is what a stream's level counts: bytes of a block.
	blockUnit = 100_000
	maxLevel  = 9
	// groupSize is after how many symbols another code may be used.
	groupSize = 50
	maxCodes  = 6
	// maxRun bounds a run while its digits are read; a block is shorter.
	maxRun = 1 << 21
)

// block decodes one block: code, list of bytes, sort, runs, in this order undone.
type block struct {
	want, sum uint32

	codes     [maxCodes]huffman
	selectors []uint8
	// text is the block's bytes, in the low 8 bits; above them is the index of the
	// byte that follows.
	text []uint32
	at   uint32 // the last byte read, with the next one's index
	left int    // bytes of text that are not read

	randomised bool
	random     randomiser

	last   int // the last byte
	run    int // how often it came
	repeat int // how often it is still to be given
}

// open reads a block behind its magic, of at most level·100,000 bytes before runs.
func (b *block) open(r *bitReader, level int) error {
	head, err := r.take(32)
	if err != nil {
		return err
	}
	b.want, b.sum = uint32(head), ^uint32(0)
	if head, err = r.take(1 + 24); err != nil {
		return err
	}
	b.randomised, b.random = head>>24 == 1, randomiser{}
	first := int(head & (1<<24 - 1))
	bytes, err := usedBytes(r)
	if err != nil {
		return err
	}
	if err := b.openCodes(r, len(bytes)+2); err != nil {
		return err
	}
	if err := b.openText(r, bytes, level*blockUnit); err != nil {
		return err
	}
	if first >= len(b.text) {
		return fmt.Errorf("a block of %d bytes begins with its byte %d", len(b.text), first)
	}
	b.unsort(first)
	b.left, b.last, b.run, b.repeat = len(b.text), -1, 0, 0
	return nil
}

// usedBytes is which bytes the block has: 16 ranges of 16.
func usedBytes(r *bitReader) ([]byte, error) {
	ranges, err := r.take(16)
	if err != nil {
		return nil, err
	}
	var bytes []byte
	for hi := range 16 {
		if ranges>>(15-hi)&1 == 0 {
			continue
		}
		used, err := r.take(16)
		if err != nil {
			return nil, err
		}
		for lo := range 16 {
			if used>>(15-lo)&1 == 1 {
				bytes = append(bytes, byte(hi<<4|lo))
			}
		}
	}
	if len(bytes) == 0 {
		return nil, fmt.Errorf("a block of no bytes before byte %d", r.at()/8)
	}
	return bytes, nil
}

// openCodes reads which code each group of symbols has, and the codes.
func (b *block) openCodes(r *bitReader, symbols int) error {
	head, err := r.take(3 + 15)
	if err != nil {
		return err
	}
	codes, groups := int(head>>15), int(head&(1<<15-1))
	if codes < 2 || codes > maxCodes || groups == 0 {
		return fmt.Errorf("%d codes for %d groups", codes, groups)
	}
	b.selectors = b.selectors[:0]
	recent := [maxCodes]uint8{0, 1, 2, 3, 4, 5}
	for range groups {
		i := 0
		for ; ; i++ {
			more, err := r.take(1)
			if err != nil {
				return err
			}
			if more == 0 {
				break
			}
			if i+1 >= codes {
				return fmt.Errorf("a group's code is not one of %d", codes)
			}
		}
		s := recent[i]
		copy(recent[1:i+1], recent[:i])
		recent[0] = s
		b.selectors = append(b.selectors, s)
	}
	for i := range codes {
		if err := openCode(r, &b.codes[i], symbols); err != nil {
			return err
		}
	}
	return nil
}

// openCode reads the lengths of one code, each as the difference to the one before.
func openCode(r *bitReader, h *huffman, symbols int) error {
	var lengths [maxSymbols]uint8
	n, err := r.take(5)
	if err != nil {
		return err
	}
	for i := range symbols {
		for {
			if n < 1 || n > maxCode {
				return fmt.Errorf("a code of %d bits", n)
			}
			more, err := r.take(1)
			if err != nil {
				return err
			}
			if more == 0 {
				break
			}
			less, err := r.take(1)
			if err != nil {
				return err
			}
			n += 1 - 2*less
		}
		lengths[i] = uint8(n)
	}
	return h.set(lengths[:symbols])
}

// openText reads the symbols: places in a list of the bytes in which the last used
// is first, and for the first itself a run's length in digits 1 and 2, the lowest
// first.
func (b *block) openText(r *bitReader, list []byte, size int) error {
	if cap(b.text) < size {
		b.text = make([]uint32, 0, size)
	}
	b.text = b.text[:0]
	end := uint16(len(list) + 1)
	run, digit := 0, 1
	for _, s := range b.selectors {
		code := &b.codes[s]
		for range groupSize {
			symbol, err := code.next(r)
			if err != nil {
				return err
			}
			if symbol < 2 {
				if run += digit << symbol; run > maxRun {
					return fmt.Errorf("a run of more than %d", maxRun)
				}
				digit <<= 1
				continue
			}
			if run > 0 {
				if run > size-len(b.text) {
					return fmt.Errorf("a block of more than %d bytes", size)
				}
				for range run {
					b.text = append(b.text, uint32(list[0]))
				}
				run, digit = 0, 1
			}
			if symbol == end {
				return nil
			}
			if len(b.text) == size {
				return fmt.Errorf("a block of more than %d bytes", size)
			}
			i := symbol - 1
			c := list[i]
			copy(list[1:i+1], list[:i])
			list[0] = c
			b.text = append(b.text, uint32(c))
		}
	}
	return fmt.Errorf("a block does not end in its %d groups", len(b.selectors))
}

// unsort undoes the Burrows-Wheeler transform: first is where the text is among its
// sorted rotations.
func (b *block) unsort(first int) {
	var next [256]uint32
	for _, c := range b.text {
		next[c]++
	}
	sum := uint32(0)
	for c, n := range next {
		next[c] = sum
		sum += n
	}
	for i, c := range b.text {
		c &= 0xff
		b.text[next[c]] |= uint32(i) << 8
		next[c]++
	}
	b.at = b.text[first] >> 8
}

// read undoes the runs: four equal bytes are followed by how many more there are.
// It gives 0 bytes at the block's end.
func (b *block) read(p []byte) int {
	n := 0
	for n < len(p) {
		if b.repeat > 0 {
			p[n] = byte(b.last)
			n++
			b.repeat--
			continue
		}
		if b.left == 0 {
			break
		}
		b.left--
		b.at = b.text[b.at]
		c := byte(b.at)
		b.at >>= 8
		if b.randomised {
			c ^= b.random.mask()
		}
		switch {
		case b.run == 4:
			b.repeat, b.run = int(c), 0
			continue
		case b.run > 0 && int(c) == b.last:
			b.run++
		default:
			b.last, b.run = int(c), 1
		}
		p[n] = c
		n++
	}
	for _, c := range p[:n] {
		b.sum = b.sum<<8 ^ sumTable[byte(b.sum>>24)^c]
	}
	return n
}

// check compares the block's sum when all of it was read.
func (b *block) check() error {
	if ^b.sum != b.want {
		return fmt.Errorf("a block's sum is %08x, not %08x", ^b.sum, b.want)
	}
	return nil
}

// sumTable is CRC-32 with the highest bit first, which hash/crc32 has not.
var sumTable = func() (table [256]uint32) {
	for i := range table {
		sum := uint32(i) << 24
		for range 8 {
			sum = sum<<1 ^ sum>>31*0x04c11db7
		}
		table[i] = sum
	}
	return table
}()
