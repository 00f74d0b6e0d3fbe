package mapreduce

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/record"
)

// A record is held in memory as a whole, several times over, by us and by the user's
// program. One that is too large for the lease would be found out by the kernel, which
// kills without a word: so records have a bound here, and a large one is told in the
// log before it is passed on, so that it stands there whatever is killed then.

// errTooLarge says that a record is larger than the lease can hold.
var errTooLarge = errors.New("too large for the lease's memory")

// large knows the largest record of a task so far, where it matters.
type large struct {
	most int64 // bytes that a record may have; 0 = any
	log  io.Writer

	mu   sync.Mutex
	size int64 // of the largest one, 0 below a quarter of most
	what string
	told int64 // size that the log has
}

func newLarge(most int64, log io.Writer) *large { return &large{most: most, log: log} }

// worth says that a record of size bytes is worth to be seen. It is apart from see, so
// that others cost no closure.
func (l *large) worth(size int) bool { return l.most > 0 && int64(size) >= l.most/4 }

// see takes a record of size bytes, or as many of it as have come; what names it.
func (l *large) see(size int64, what func() string) {
	if l.most == 0 || size < l.most/4 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if size <= l.size {
		return
	}
	l.size, l.what = size, what()
	if size >= 2*l.told {
		l.told = size
		fmt.Fprintf(l.log, "mapreduce: %s\n", l.words())
	}
}

// words tells of the largest record and what to do; mu is held.
func (l *large) words() string {
	return fmt.Sprintf("%s has %s or more; %s", l.what, mebibytes(l.size), remedy(l.size))
}

// explain adds to a program's failure that it was given a large record.
func (l *large) explain(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil || l.size == 0 || errors.Is(err, errTooLarge) {
		return err
	}
	return fmt.Errorf("%w; it was given a large record: %s", err, l.words())
}

// tooLarge is the refusal of a record that what names.
func (l *large) tooLarge(what string) error {
	return fmt.Errorf("%s has more than %s, and is %w: %s", what, mebibytes(l.most), errTooLarge, remedy(l.most+1))
}

// remedy says what memory a record of size bytes wants.
func remedy(size int64) string {
	return fmt.Sprintf("set resources.memory to %d times the largest record, %s at least", ampleShare, mebibytes(size*ampleShare))
}

// ampleShare is how many times a record fits into a memory that is enough for a user's
// program, too, with copies of its own.
const ampleShare = 2 * mapreduce.RecordShare

func mebibytes(n int64) string {
	if n < megabyte {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d MiB", (n+megabyte-1)/megabyte)
}

const megabyte = 1 << 20

// recordAt names a record of the split by its place.
func (s *split) recordAt(offset int64) string {
	if s.file == "" {
		return fmt.Sprintf("the record at byte %d of the input", offset)
	}
	if s.packed {
		return fmt.Sprintf("the record at byte %d of %s, counted unpacked,", offset, s.file)
	}
	return fmt.Sprintf("the record at byte %d of %s", offset, s.file)
}

// stretch finds long lines in pieces of a text.
type stretch struct {
	s     *split
	start int64 // where the line that has not ended begins, in the split
	run   int64 // its bytes so far
	total int64
}

// see looks at the next piece.
func (t *stretch) see(b []byte) {
	first, last := bytes.IndexByte(b, '\n'), -1
	if first >= 0 {
		last = bytes.LastIndexByte(b, '\n')
	} else if first = bytes.IndexByte(b, '\r'); first >= 0 {
		last = bytes.LastIndexByte(b, '\r')
	}
	size := t.run + int64(len(b))
	if first >= 0 {
		size = t.run + int64(first)
	}
	start := t.start
	t.s.large.see(size, func() string { return t.s.recordAt(t.s.first + start) })
	if first >= 0 {
		t.start, t.run = t.total+int64(last)+1, int64(len(b)-last-1)
	} else {
		t.run = size
	}
	t.total += int64(len(b))
}

// limit is a bound of records for package record.
func (l *large) limit() int { return int(min(l.most, 1<<31-1)) }

// line says of a line that a program wrote that it is too large.
func (l *large) line(err error) error {
	if errors.Is(err, record.ErrTooLong) && l.most > 0 {
		return l.tooLarge("a line that it wrote")
	}
	return err
}
