package record

import "io"

// Cutter reads the whole records of one split, verbatim.
type Cutter struct {
	own, after io.Reader
	past       bool // own is read to its end
	begun      bool // the first record has begun
	done       bool
	head, tail mark
	skipped    int64
}

// Cut reads the records that belong to own, a part of a file, with their ends as
// they are. after goes on where own ends. first says that own begins the file;
// otherwise the record that own begins in is the former split's.
//
// For LF, CRLF and a lone CR that is Hadoop's rule: a record whose first byte is
// at p belongs to the split from s to e where s < p ≤ e, and p = 0 to the first.
// With a delimiter it belongs to the split in which the delimiter before it
// begins. Where a delimiter can overlap itself (LF LF in LF LF LF) and does so at
// a split's end, Hadoop reads a record twice; here every record is one split's,
// as who reads the whole file finds it.
func Cut(own, after io.Reader, first bool, delimiter []byte) *Cutter {
	m := newMark(delimiter)
	return &Cutter{own: own, after: after, begun: first, head: m, tail: m}
}

// Skipped is how many bytes lie between the start of own and the first record,
// once Read has returned a byte or io.EOF.
func (c *Cutter) Skipped() int64 { return c.skipped }

// Read reads bytes of whole records. It reads after only as far as the buffer
// that finds the last record's end.
func (c *Cutter) Read(p []byte) (int, error) {
	for idle := 0; !c.done && len(p) > 0; {
		src := c.own
		if c.past {
			src = c.after
		}
		n, err := src.Read(p)
		if n == 0 && err == nil {
			if idle++; idle == idleReads {
				return 0, io.ErrNoProgress
			}
			continue
		}
		idle = 0
		from, to := c.records(p[:n])
		if err == io.EOF {
			c.done = c.done || c.past
			c.past, err = true, nil
		}
		copy(p, p[from:to])
		if n = to - from; n > 0 || err != nil {
			return n, err
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, io.EOF
}

// records says which part of b, the next bytes, belongs to the split's records.
func (c *Cutter) records(b []byte) (from, to int) {
	to = len(b)
	if c.past && to > 0 {
		to, c.done = c.tail.find(b)
	}
	if !c.begun {
		from, c.begun = c.head.find(b)
		c.skipped += int64(from)
	}
	// A mark behind the tail's cannot be: both read the same bytes, the head more.
	return min(from, to), to
}
