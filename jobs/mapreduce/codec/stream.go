package codec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// source is what a format's library reads from. It keeps the error of the reader
// below, so that it is not taken for the data's.
type source struct {
	*bufio.Reader
	err error
}

func newSource(r io.Reader) *source { return &source{Reader: bufio.NewReaderSize(r, 32<<10)} }

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.note(err)
	return n, err
}

func (s *source) ReadByte() (byte, error) {
	b, err := s.Reader.ReadByte()
	s.note(err)
	return b, err
}

// ended says that there is nothing left to read.
func (s *source) ended() bool {
	_, err := s.Peek(1)
	s.note(err)
	return err != nil
}

func (s *source) note(err error) {
	if err != nil && err != io.EOF {
		s.err = err
	}
}

// stream reads one format; its errors are those that the package promises.
type stream struct {
	format string
	src    *source
	// open begins to read the source, and is called again for each stream of a
	// format whose library reads only one.
	open func(*source) (io.ReadCloser, error)
	cur  io.ReadCloser
	err  error
}

func newStream(format string, r io.Reader, open func(*source) (io.ReadCloser, error)) (io.ReadCloser, error) {
	return &stream{format: format, src: newSource(r), open: open}, nil
}

// Read hands out decompressed bytes; after its first error it only repeats it.
func (s *stream) Read(p []byte) (int, error) {
	for s.err == nil {
		n, err := s.read(p)
		s.err = err
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, s.err
}

// read is one step: io.EOF is the end of all streams, and nothing is no error.
func (s *stream) read(p []byte) (int, error) {
	if s.cur == nil {
		cur, err := s.open(s.src)
		if err != nil {
			return 0, sentence(s.format, s.src, err)
		}
		s.cur = cur
	}
	n, err := s.cur.Read(p)
	switch {
	case err == io.EOF && s.src.ended() && s.src.err == nil:
		return n, io.EOF
	case err == io.EOF:
		err = s.cur.Close()
		s.cur = nil
	}
	if err != nil {
		err = sentence(s.format, s.src, err)
	}
	return n, err
}

// sentence says whether data ends too soon, is corrupt, or cannot be read.
func sentence(format string, src *source, err error) error {
	switch {
	case src.err != nil:
		return src.err
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %s ends too soon: %w", ErrCorrupt, format, io.ErrUnexpectedEOF)
	case errors.Is(err, ErrCorrupt):
		return err
	}
	return fmt.Errorf("%w: %s: %v", ErrCorrupt, format, err)
}

// Close gives back what the format's library holds.
func (s *stream) Close() error {
	if s.err == nil {
		s.err = errors.New(s.format + " reader is closed")
	}
	if s.cur == nil {
		return nil
	}
	cur := s.cur
	s.cur = nil
	return cur.Close()
}
