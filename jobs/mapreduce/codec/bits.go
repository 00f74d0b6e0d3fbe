package codec

const (
	blockMagic = 0x314159265359 // π; a block follows
	endMagic   = 0x177245385090 // √π; the stream's sum follows
	magicBits  = 48
)

// magicReader reads a bzip2 file's bits, and finds the magics among them, which
// begin at any bit.
type magicReader struct {
	src    *source
	read   int64  // bytes of the file so far, from its start
	acc    uint64 // the last bits read
	left   uint   // how many of them are not handed out
	window uint64 // the last bits that next handed out
	behind uint   // how many of the last byte of next follow the magic
}

// at is how many bits of the file were handed out.
func (r *magicReader) at() int64 { return 8*r.read - int64(r.left) }

// take hands out n ≤ 48 bits. io.EOF says that the file has fewer.
func (r *magicReader) take(n uint) (uint64, error) {
	for r.left < n {
		c, err := r.src.ReadByte()
		if err != nil {
			return 0, err
		}
		r.acc = r.acc<<8 | uint64(c)
		r.read++
		r.left += 8
	}
	r.left -= n
	return r.acc >> r.left & (1<<n - 1), nil
}

// align drops the bits up to the next byte of the file.
func (r *magicReader) align() { r.left -= r.left % 8 }

// ended says that the file has no more bits.
func (r *magicReader) ended() bool { return r.left == 0 && r.src.ended() }

// restart says that a magic may begin with the next bit, not before: no magic
// begins with ones.
func (r *magicReader) restart() { r.window = ^uint64(0) }

// next hands out 8 bits. Where they complete a magic, it says which; what follows
// the magic is then handed out again, unless resume is called.
func (r *magicReader) next() (b byte, magic uint64, err error) {
	v, err := r.take(8)
	if err != nil {
		return 0, 0, err
	}
	r.window = r.window<<8 | v
	for behind := uint(8); behind > 0; {
		behind--
		if m := r.window >> behind & (1<<magicBits - 1); m == blockMagic || m == endMagic {
			r.behind = behind
			r.left += behind
			return byte(v), m, nil
		}
	}
	return byte(v), 0, nil
}

// resume takes the magic that next found last for none, and goes on behind its byte.
func (r *magicReader) resume() { r.left -= r.behind }
