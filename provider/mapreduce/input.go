package mapreduce

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/zennet/zennet/jobs/mapreduce"
	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/mapreduce/record"
	"github.com/zennet/zennet/jobs/mapreduce/streaming"
)

// bufferSize is that of what is read and written in one piece.
const bufferSize = 256 << 10

// split is a map's input.
type split struct {
	bytes io.Reader // of records, decoded
	raw   *counting
	first int64 // position of the first record in its file
	bom   bool  // there was a BOM before it

	file   string // its name
	packed bool   // positions are those of the unpacked text
	large  *large
}

// counting counts what is read.
type counting struct {
	io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// openSplit reads what comes before the records, and decompresses them.
func (a *attempt) openSplit() (*split, error) {
	s := &split{raw: &counting{Reader: a.Stdin}, large: a.large}
	s.bytes = s.raw
	if len(a.task.Stdin) == 0 {
		return s, nil
	}
	in := a.task.Stdin[0]
	s.first, s.file, s.packed = in.Start, in.File, in.Codec != ""
	if in.Lead {
		var lead [8]byte
		if n, err := io.ReadFull(s.raw, lead[:]); err != nil && n > 0 {
			return nil, fmt.Errorf("read where the first record is: %w", err)
		}
		s.first = int64(binary.BigEndian.Uint64(lead[:]))
	}
	if in.Codec != "" {
		c, ok := codec.ByName(in.Codec)
		if !ok {
			return nil, fmt.Errorf("%s: no codec %q", in.File, in.Codec)
		}
		decoded, err := c.NewReader(s.raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.File, err)
		}
		s.bytes = decoded
		if a.task.Kind == mapreduce.KindSample {
			s.bytes = lenient{decoded}
		}
	}
	if in.Start == 0 {
		return s, s.dropBOM()
	}
	return s, nil
}

var bom = []byte("\xef\xbb\xbf")

// dropBOM leaves out a byte order mark.
func (s *split) dropBOM() error {
	head := make([]byte, len(bom))
	n, err := io.ReadFull(s.bytes, head)
	if s.bom = bytes.Equal(head, bom); s.bom {
		return nil
	}
	s.bytes = io.MultiReader(bytes.NewReader(head[:n]), s.bytes)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // the former is told again, the latter is ours
		return nil
	}
	return err
}

// lenient takes compressed data that ends early as ended: a sample is cut anywhere.
type lenient struct{ io.Reader }

// Read implements io.Reader.
func (l lenient) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// records calls each for every record, without its end.
func (s *split) records(in streaming.Input, each func(offset int64, line []byte) error) error {
	r := record.NewReader(s.bytes, in.Delimiter, s.large.limit())
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		offset := s.first + r.Offset()
		if s.bom && r.Offset() > 0 { // as Hadoop counts
			offset += int64(len(bom))
		}
		if errors.Is(err, record.ErrTooLong) {
			return s.large.tooLarge(s.recordAt(offset))
		}
		if err == nil {
			if s.large.worth(len(line)) {
				s.seeLarge(len(line), offset)
			}
			err = each(offset, line)
		}
		if err != nil {
			return err
		}
	}
}

func (s *split) seeLarge(size int, offset int64) {
	s.large.see(int64(size), func() string { return s.recordAt(offset) })
}

// feed writes what the mapper reads, and says how many records that is.
func (s *split) feed(in streaming.Input, w io.Writer) (records int64, err error) {
	if in.IgnoreKey && in.Format != streaming.FormatKeyValue && len(in.Delimiter) == 0 {
		return s.copyLines(w)
	}
	buffer := make([]byte, 0, bufferSize)
	err = s.records(in, func(offset int64, line []byte) error {
		records++
		if len(buffer) > 0 && len(buffer)+len(line) > bufferSize-64 {
			if _, err := w.Write(buffer); err != nil {
				return err
			}
			if buffer = buffer[:0]; cap(buffer) > 4*bufferSize {
				buffer = make([]byte, 0, bufferSize)
			}
		}
		buffer = in.Append(buffer, offset, line)
		return nil
	})
	if err == nil && len(buffer) > 0 {
		_, err = w.Write(buffer)
	}
	return records, err
}

// copyLines writes the lines as they are, each with LF.
func (s *split) copyLines(w io.Writer) (records int64, err error) {
	var l lines
	long := stretch{s: s}
	buffer := make([]byte, bufferSize)
	for {
		n, readErr := s.bytes.Read(buffer)
		if n > 0 {
			long.see(buffer[:n])
			if _, err := w.Write(l.normal(buffer[:n])); err != nil {
				return l.count, err
			}
		}
		if readErr != nil {
			if end := l.end(); len(end) > 0 && readErr == io.EOF {
				if _, err := w.Write(end); err != nil {
					return l.count, err
				}
			}
			return l.count, noEOF(readErr)
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// lines finds the ends of lines in pieces of a text.
type lines struct {
	count int64
	cr    bool // the last byte was a CR
	open  bool // the last line has not ended
}

// normal makes every end an LF, in place.
func (l *lines) normal(b []byte) []byte {
	if l.cr && len(b) > 0 {
		l.cr = false
		if b[0] == '\n' {
			b = b[1:]
		}
	}
	if len(b) == 0 {
		return b
	}
	if at := bytes.IndexByte(b, '\r'); at >= 0 {
		to := at
		for from := at; from < len(b); {
			b[to] = '\n' // for the CR at from
			to++
			from++
			if from == len(b) {
				l.cr = true
				break
			}
			if b[from] == '\n' {
				from++
			}
			next := bytes.IndexByte(b[from:], '\r')
			if next < 0 {
				next = len(b) - from
			}
			to += copy(b[to:], b[from:from+next])
			from += next
		}
		b = b[:to]
	}
	l.count += int64(bytes.Count(b, lf))
	l.open = b[len(b)-1] != '\n'
	return b
}

// see counts the lines of b, and leaves it as it is.
func (l *lines) see(b []byte) {
	if len(b) == 0 {
		return
	}
	n := bytes.Count(b, lf)
	if bytes.IndexByte(b, '\r') >= 0 {
		n += bytes.Count(b, []byte("\r")) - bytes.Count(b, []byte("\r\n"))
	}
	if l.cr && b[0] == '\n' {
		n--
	}
	last := b[len(b)-1]
	l.count += int64(n)
	l.cr, l.open = last == '\r', last != '\r' && last != '\n'
}

// end is what the last line lacks.
func (l *lines) end() []byte {
	if !l.open {
		return nil
	}
	l.open = false
	l.count++
	return lf
}

var lf = []byte("\n")
