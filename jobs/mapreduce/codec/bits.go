package codec

const (
	blockMagic = 0x314159265359 // π; a block follows
	endMagic   = 0x177245385090 // √π; the stream's sum follows
	magicBits  = 48
)

// bitReader reads a bzip2 file's bits, the highest of a byte first.
type bitReader struct {
	src  *source
	read int64  // bytes of the file so far, from its start
	acc  uint64 // the last bits read
	left uint   // how many of them are not handed out
	err  error  // what src ended with
}

// at is how many bits of the file were handed out.
func (r *bitReader) at() int64 { return 8*r.read - int64(r.left) }

// have reads until n ≤ 48 bits are there to be handed out, or src ends.
func (r *bitReader) have(n uint) bool {
	for r.left < n {
		c, err := r.src.ReadByte()
		if err != nil {
			r.err = err
			return false
		}
		r.acc = r.acc<<8 | uint64(c)
		r.read++
		r.left += 8
	}
	return true
}

// take hands out n ≤ 48 bits. io.EOF says that the file has fewer.
func (r *bitReader) take(n uint) (uint64, error) {
	if !r.have(n) {
		return 0, r.err
	}
	r.left -= n
	return r.acc >> r.left & (1<<n - 1), nil
}

// peek is the next n bits, or zeros behind the file's end, without handing them out.
func (r *bitReader) peek(n uint) uint64 {
	if r.have(n) {
		return r.acc >> (r.left - n) & (1<<n - 1)
	}
	return r.acc << (n - r.left) & (1<<n - 1)
}

// drop hands out n bits that peek showed.
func (r *bitReader) drop(n uint) error {
	if n > r.left {
		return r.err
	}
	r.left -= n
	return nil
}

// align drops the bits up to the next byte of the file.
func (r *bitReader) align() { r.left -= r.left % 8 }

// ended says that the file has no more bits.
func (r *bitReader) ended() bool { return r.left == 0 && r.src.ended() }

// seekBlock reads up to and with the next block's magic, which begins at any bit.
func (r *bitReader) seekBlock() error {
	window := ^uint64(0) // no magic begins with ones
	for {
		v, err := r.take(8)
		if err != nil {
			return err
		}
		window = window<<8 | v
		for behind := uint(8); behind > 0; {
			behind--
			if window>>behind&(1<<magicBits-1) == blockMagic {
				r.left += behind
				return nil
			}
		}
	}
}
