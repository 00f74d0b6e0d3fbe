package hdfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/zennet/zennet/jobrunner/files"
)

// Put makes a new file: it writes a hidden one beside it, which it renames when
// every byte is acknowledged by all of its DataNodes.
//
// The library cannot go on when a DataNode of its pipeline dies, nor name one to
// avoid, and the NameNode gives out a dead one for ten more minutes. So a write
// that fails begins again under another name (the dead writer's lease makes the
// old one useless): with one replica fewer, which may miss the dead node, then
// through WebHDFS, where a DataNode writes that knows how to recover.
func (s *System) Put(ctx context.Context, p string, source files.Source) (files.Info, error) {
	fail := func(err error) (files.Info, error) {
		return files.Info{}, fmt.Errorf("put %s: %w", s.url(p), err)
	}
	switch _, err := s.Stat(ctx, p); {
	case err == nil:
		return fail(fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return files.Info{}, err
	}
	folder, err := s.Stat(ctx, path.Dir(p))
	switch {
	case err != nil:
		return fail(err)
	case !folder.Folder:
		return fail(fmt.Errorf("%s is no folder: %w", s.url(folder.Path), fs.ErrInvalid))
	case folder.Encrypted:
		return fail(fmt.Errorf("lies in an encryption zone, for which only ciphertext could be written from here: %w", files.ErrUnsupported))
	}
	hidden, size, err := s.write(ctx, folder, source)
	if err != nil {
		return fail(err)
	}
	info, err := s.Stat(ctx, hidden)
	if err == nil && info.Size != size {
		err = fmt.Errorf("wrote %d bytes, but %s has %d", size, s.url(hidden), info.Size)
	}
	if err == nil {
		err = s.Rename(ctx, hidden, p)
	}
	if err != nil {
		s.discard(hidden)
		return fail(err)
	}
	info.Path = p
	return info, nil
}

// layout is how a file is to be stored.
type layout struct {
	replication int
	block       int64
	striped     bool // erasure-coded: the library knows no stripes
}

// write writes a hidden file into a folder and returns its path and size.
func (s *System) write(ctx context.Context, folder files.Info, source files.Source) (string, int64, error) {
	r := retry{s: s, ctx: ctx}
	wanted := layout{striped: folder.ErasureCoded}
	for way := 0; ; {
		hidden := path.Join(folder.Path, ".zennet-"+rand.Text())
		n, fault, err := s.writeBy(ctx, way, hidden, &wanted, source)
		if err == nil {
			return hidden, n, nil
		}
		s.discard(hidden)
		var own *sourceError
		if errors.As(err, &own) {
			return "", 0, own.err
		}
		if fault {
			way++
		}
		mapped, passes := explainWrite(err)
		if passes && fault && way < ways && ctx.Err() == nil {
			r.patient()
			continue // at once: the next way avoids what failed
		}
		if passes {
			mapped = &passingError{mapped}
		}
		if err := r.again(mapped); err != nil {
			return "", 0, err
		}
	}
}

// ways are tried however long each takes: as wanted, with one replica fewer,
// and twice through WebHDFS.
const ways = 4

// writeBy writes once; fault says that a DataNode failed, so that another way
// may do better.
func (s *System) writeBy(ctx context.Context, way int, hidden string, wanted *layout, source files.Source) (n int64, fault bool, err error) {
	if err := s.layout(ctx, wanted); err != nil {
		return 0, false, err
	}
	if wanted.striped || way >= 2 && !s.web.down() {
		n, err := s.web.create(ctx, hidden, *wanted, source)
		return n, true, err
	}
	l := *wanted
	l.replication = max(1, l.replication-way)
	n, fault, err = s.writeOnce(ctx, hidden, l, source)
	if err == nil && l.replication < wanted.replication {
		s.web.replicate(ctx, hidden, wanted.replication)
	}
	return n, fault, err
}

// explainWrite is explain for a write, in which a plain IOException of the
// NameNode is about DataNodes that it has not got at the moment.
func explainWrite(err error) (error, bool) {
	err, passes := explain(err)
	var r *remote
	if errors.As(err, &r) && r.class == "java.io.IOException" {
		return err, true
	}
	return err, passes
}

// passingError hides from explain what it would take for final.
type passingError struct{ err error }

func (p *passingError) Error() string { return p.err.Error() }

// sourceError is the caller's own: no other attempt will help.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }

// layout asks the configuration, then the NameNode, how files are stored.
func (s *System) layout(ctx context.Context, l *layout) error {
	if l.replication != 0 {
		return nil
	}
	l.replication, _ = strconv.Atoi(s.settings.Get("dfs.replication"))
	l.block = bytesOf(s.settings.Get("dfs.blocksize"))
	if l.replication > 0 && l.block > 0 {
		return nil
	}
	return s.once(ctx, func(k *link) error {
		d, err := k.client.ServerDefaults()
		if err != nil {
			l.replication = 0
			return err
		}
		if l.replication <= 0 {
			l.replication = max(1, d.Replication)
		}
		if l.block <= 0 {
			l.block = d.BlockSize
		}
		return nil
	})
}

// bytesOf reads a size as Hadoop writes it: 134217728 or 128m; 0 where it is none.
func bytesOf(v string) int64 {
	shift := 0
	if n := len(v); n > 0 {
		switch v[n-1] {
		case 'k', 'K':
			shift = 10
		case 'm', 'M':
			shift = 20
		case 'g', 'G':
			shift = 30
		}
		if shift > 0 {
			v = v[:n-1]
		}
	}
	size, err := strconv.ParseInt(v, 10, 64)
	if err != nil || size < 0 || size > 1<<(62-shift) {
		return 0
	}
	return size << shift
}

// writeOnce writes a file through the library, or fails.
func (s *System) writeOnce(ctx context.Context, hidden string, l layout, source files.Source) (n int64, fault bool, err error) {
	err = s.once(ctx, func(k *link) error {
		w, err := k.client.CreateFile(hidden, l.replication, l.block, 0o644)
		if err != nil {
			return err
		}
		if n, err = copySource(ctx, w, source); err == nil {
			err = s.complete(ctx, w)
		}
		if err != nil {
			var r *remote
			mapped, _ := explain(err)
			fault = !errors.As(mapped, &r) && !k.lost()
			// Ends the writer's goroutines without completing the file.
			k.abort()
			safely(w.Close)
		}
		return err
	})
	return n, fault, err
}

// complete closes the file. The NameNode may not have heard of the last replica
// yet: then it is asked again.
func (s *System) complete(ctx context.Context, w *hdfs.FileWriter) error {
	pause, until := 10*time.Millisecond, time.Now().Add(s.patience)
	for {
		err := w.Close()
		if !hdfs.IsErrReplicating(err) || time.Now().After(until) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, time.Second)
	}
}

const copyBuffer = 256 << 10

// copySource copies the source's bytes; what the source itself does wrong is a
// sourceError.
func copySource(ctx context.Context, w io.Writer, source files.Source) (n int64, err error) {
	in, err := source()
	if err != nil {
		return 0, &sourceError{err}
	}
	defer in.Close()
	buf := make([]byte, copyBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k, err := io.ReadFull(in, buf)
		if k > 0 {
			if _, werr := w.Write(buf[:k]); werr != nil {
				return n, werr
			}
			n += int64(k)
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return n, nil
		default:
			return n, &sourceError{err}
		}
	}
}

// discard removes a hidden file, as far as that works at the moment: its writer
// is gone, and what fails here the NameNode's lease recovery leaves.
func (s *System) discard(hidden string) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	s.once(ctx, func(l *link) error { return l.client.RemoveAll(hidden) })
}
