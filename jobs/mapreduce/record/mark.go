package record

import "bytes"

// mark finds, for one who begins to read somewhere in a file, the first byte after
// that which certainly begins a record. A split's records are the bytes from its
// own mark to that of the next split, so each record is in one split whatever the
// marks are; which ones they are decides only who gets it.
//
// For lines it is the byte after the first end. For a delimiter it is the byte
// after the first occurrence. One that can overlap itself needs more: who reads
// from the file's start may be in the midst of a run of occurrences and take
// others. He takes the first of a run for certain, so mark looks for an
// occurrence that no other overlaps from the left, and passes over those that
// begin in the first len(delimiter)-1 bytes, of which it cannot know.
type mark struct {
	delim []byte
	// border[n] is the length of the longest border of delim[:n] (Knuth, Morris, Pratt).
	border  []int
	matched int // bytes of delim that the bytes so far end with
	pass    int // bytes in which an occurrence may not begin
	read    int // bytes so far, up to 2·len(delim) and then no longer counted
	since   int // bytes since the last occurrence's end, counted alike
	cr      bool
}

func newMark(delim []byte) mark {
	if len(delim) == 0 {
		return mark{}
	}
	m := mark{delim: delim, border: make([]int, len(delim)+1), since: len(delim)}
	for n, k := 1, 0; n < len(delim); n++ {
		for k > 0 && delim[n] != delim[k] {
			k = m.border[k]
		}
		if delim[n] == delim[k] {
			k++
		}
		m.border[n+1] = k
	}
	if m.border[len(delim)] > 0 {
		m.pass = len(delim) - 1
	}
	return m
}

// find reads the stream's next bytes and says how many lie before the mark, and
// whether it was found. After it was found, find is not called again.
func (m *mark) find(b []byte) (int, bool) {
	if len(m.delim) > 0 {
		return m.findDelimiter(b)
	}
	if m.cr && len(b) > 0 {
		if b[0] == '\n' {
			return 1, true
		}
		return 0, true
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		end = len(b)
	}
	if cr := bytes.IndexByte(b[:end], '\r'); cr >= 0 {
		switch {
		case cr+1 == len(b): // an LF may follow
			m.cr = true
			return len(b), false
		case b[cr+1] == '\n':
			return cr + 2, true
		}
		return cr + 1, true
	}
	if end < len(b) {
		return end + 1, true
	}
	return len(b), false
}

func (m *mark) findDelimiter(b []byte) (int, bool) {
	size := len(m.delim)
	for i, x := range b {
		for m.matched == size || m.matched > 0 && x != m.delim[m.matched] {
			m.matched = m.border[m.matched]
		}
		if x == m.delim[m.matched] {
			m.matched++
		}
		m.read = min(m.read+1, 2*size)
		m.since = min(m.since+1, 2*size)
		if m.matched < size {
			continue
		}
		if m.since >= size && m.read-size >= m.pass {
			return i + 1, true
		}
		m.since = 0
	}
	return len(b), false
}
