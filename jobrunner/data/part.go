package data

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobs/mapreduce/codec"
	"github.com/zennet/zennet/jobs/mapreduce/record"
	"github.com/zennet/zennet/jobs/plan"
)

// A file is read in pieces of at most readMost bytes; short parts in shorter ones.
const (
	readLeast = 4 << 10
	readMost  = 1 << 20
)

// Open streams a part: its whole records, verbatim, or its bytes where it is a whole
// file. The file must be the one that was planned, from the start to the end of
// the stream; otherwise the error is ErrChanged, and names it.
func (d *Data) Open(ctx context.Context, part plan.Part) (io.ReadCloser, error) {
	r, err := d.open(ctx, part)
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", part.File, err)
	}
	return r, nil
}

// Check looks, without reading it, whether a part's file is the one that was
// planned: ErrChanged where it is not.
func (d *Data) Check(ctx context.Context, part plan.Part) error {
	sys, at, err := d.find(ctx, part.File)
	if err == nil {
		s := &stream{ctx: ctx, sys: sys, at: at, part: part}
		err = s.check()
	}
	if err != nil {
		return fmt.Errorf("input %s: %w", part.File, err)
	}
	return nil
}

// find gives a file's system and its path there.
func (d *Data) find(ctx context.Context, file string) (files.System, string, error) {
	p, err := parse(file, d.dir)
	if err != nil {
		return nil, "", err
	}
	at, err := p.absolute()
	if err != nil {
		return nil, "", err
	}
	sys, err := d.system(ctx, p)
	return sys, at, err
}

func (d *Data) open(ctx context.Context, part plan.Part) (io.ReadCloser, error) {
	if part.Offset < 0 || part.Length < 0 || part.Offset > part.Size-part.Length || part.Limit < 0 {
		return nil, fmt.Errorf("%w: %d bytes from %d on, of %d", ErrPart, part.Length, part.Offset, part.Size)
	}
	sys, at, err := d.find(ctx, part.File)
	if err != nil {
		return nil, err
	}
	// What is opened first and looked at then is what was looked at.
	s := &stream{ctx: ctx, sys: sys, at: at, part: part}
	if s.file, err = sys.Open(ctx, at, part.Offset); err != nil {
		return nil, s.why(err)
	}
	if err = s.check(); err == nil {
		err = s.begin()
	}
	if err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

// stream is an open part.
type stream struct {
	ctx  context.Context
	sys  files.System
	at   string
	part plan.Part
	file io.ReadCloser
	out  io.Reader // what is streamed
}

// why is ErrChanged where a failure comes from a file that was changed.
func (s *stream) why(err error) error {
	if errors.Is(err, ErrChanged) || errors.Is(err, files.ErrUnavailable) || s.ctx.Err() != nil {
		return err
	}
	if changed := s.check(); errors.Is(changed, ErrChanged) {
		return changed
	}
	return err
}

// check compares the file with what was planned.
func (s *stream) check() error {
	info, err := s.sys.Stat(s.ctx, s.at)
	p := s.part
	switch {
	case err != nil && missing(err):
		return fmt.Errorf("%w: it is gone", ErrChanged)
	case err != nil:
		return err
	case info.Size != p.Size:
		return fmt.Errorf("%w: it has %d bytes and had %d", ErrChanged, info.Size, p.Size)
	case info.ID != p.ID:
		return fmt.Errorf("%w: another file has its name now", ErrChanged)
	case info.ModTime != p.ModTime:
		return fmt.Errorf("%w: it was written since", ErrChanged)
	}
	return nil
}

// begin makes the stream.
func (s *stream) begin() error {
	p := s.part
	length := p.Length
	if p.Limit > 0 {
		length = min(length, p.Limit)
	}
	if p.Whole {
		s.out = &exact{r: s.file, left: length, all: length}
		return nil
	}
	file := bufio.NewReaderSize(s.file, int(min(max(length, readLeast), readMost)))
	own, after := io.Reader(&exact{r: file, left: length, all: length}), io.Reader(file)
	switch p.Codec {
	case "":
	case "bzip2":
		own, after = codec.Blocks(file, p.Offset, length)
	default:
		return fmt.Errorf("%w: records of %s cannot be cut", ErrPart, p.Codec)
	}
	cut := record.Cut(own, after, p.Offset == 0, p.Delimiter)
	s.out = cut
	if p.Lead {
		return s.lead(cut)
	}
	return nil
}

// lead puts the position of the first record before the records.
func (s *stream) lead(cut *record.Cutter) error {
	records := bufio.NewReader(cut)
	_, err := records.Peek(1)
	at := s.part.Offset
	switch {
	case err == io.EOF:
		at += s.part.Length
	case err != nil:
		return err
	case s.part.Codec == "":
		at += cut.Skipped()
	}
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(at))
	s.out = io.MultiReader(bytes.NewReader(head[:]), records)
	return nil
}

// Read gives the stream's next bytes. At their end the file is looked at again: it
// must not have changed meanwhile.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.out.Read(p)
	if err == io.EOF {
		if changed := s.check(); changed != nil {
			err = changed
		}
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("input %s: %w", s.part.File, s.why(err))
	}
	return n, err
}

// Close ends the stream.
func (s *stream) Close() error { return s.file.Close() }

// exact reads so many bytes; a file that ends before is another one than planned.
type exact struct {
	r         io.Reader
	left, all int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		return n, fmt.Errorf("%w: it ends after %d of %d bytes", ErrChanged, e.all-e.left, e.all)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}
