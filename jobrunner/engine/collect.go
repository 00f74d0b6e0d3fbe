package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// maxFetches is how often an attempt's results are fetched over a link that
// breaks, before they are called lost.
const maxFetches = 8

// collect brings an ended attempt's logs and files here, verifies them, and tells
// how it ended: a success once it is journalled, a failure at once.
func (s *slot) collect(c *client.Client, w *work) {
	defer s.giveBack(w)
	x := w.exit
	fresh, err := s.gather(c, w)
	var wrong *mismatch
	var broken *linkError
	switch {
	case errors.As(err, &wrong):
		s.blame(fmt.Errorf("the results of task %s are not what was told: %w", s.run.graph.Tasks[w.at.Task].Name, err))
	case errors.As(err, &broken):
		// The link is gone, the results are not: they are fetched again.
		if w.fetches++; w.fetches > maxFetches {
			s.blame(fmt.Errorf("the results of task %s cannot be fetched: %w", s.run.graph.Tasks[w.at.Task].Name, err))
			return
		}
		select {
		case <-time.After(connectPause << min(w.fetches, 5)):
		case <-c.Done():
		case <-s.ctx.Done():
		}
	case err != nil:
		w.settled = true
		s.run.failed(s, w, protocol.ClassCollect, err.Error(), x)
	case x.Class != protocol.ClassOK:
		w.settled = true
		e := &ended{End: s.end(w, x), sync: fresh}
		if x.Checkpoint {
			e.Checkpoint = x.Tree
		}
		s.run.tell(note{event: s.run.exitEvent(w, x), ended: e})
	default:
		s.succeed(w, fresh)
	}
}

// blame ends the use of a container whose results cannot be had or are false:
// what it runs is lost, and runs elsewhere.
func (s *slot) blame(err error) {
	select {
	case s.guilt <- err:
	default:
	}
}

// succeed journals a success and then tells of it.
func (s *slot) succeed(w *work, fresh bool) {
	e := ended{End: s.end(w, w.exit), sync: fresh && (w.fell || s.run.lasting(w.at.Task))}
	e.State, e.Tree = journal.TaskDone, w.exit.Tree
	told := make(chan struct{})
	s.run.commit.add(e, func(err error) {
		defer close(told)
		switch {
		case err == nil:
			w.settled = true
			s.hold(w)
			s.run.tell(note{event: s.run.exitEvent(w, w.exit), ended: &e})
		case errors.Is(err, journal.ErrOrder) && s.run.over(w.at.Task): // another attempt was first
			w.settled = true
			s.run.failed(s, w, protocol.ClassKilled, "another attempt was first", w.exit)
		case errors.Is(err, journal.ErrOrder): // a former process journalled it
			w.settled = true
			s.run.tell(note{event: s.run.exitEvent(w, w.exit), ended: &e})
		}
	})
	<-told
}

func (r *run) exitEvent(w *work, x *protocol.Exited) schedule.Exited {
	return schedule.Exited{Now: r.now(), Task: w.at.Task, Try: w.at.Number, Class: x.Class, Code: int(x.Code), Wall: durationOf(x.WallNS), Final: w.final}
}

// mismatch says that what came is not what was announced by hash.
type mismatch struct{ error }

// linkError says that nothing came, or not all.
type linkError struct{ error }

// gather stores an attempt's logs and files; fresh says that new blobs came.
func (s *slot) gather(c *client.Client, w *work) (fresh bool, err error) {
	x := w.exit
	if disk := s.run.spec.Resources.Disk; max(x.Bytes, x.Stdout.Size, x.Stderr.Size) > disk {
		return false, fmt.Errorf("%w: it left %d bytes of files and %d and %d of output, on a disk of %d", errKeep, x.Bytes, x.Stdout.Size, x.Stderr.Size, disk)
	}
	name := s.run.graph.Tasks[w.at.Task].Name
	for _, l := range []struct {
		what   uint8
		ending string
		stream protocol.Stream
	}{{protocol.FetchStdout, ".stdout", x.Stdout}, {protocol.FetchStderr, ".stderr", x.Stderr}} {
		if err := s.log1(c, w.id, l.what, name+l.ending, l.stream); err != nil {
			return false, err
		}
	}
	if x.Files == 0 {
		x.Tree = types.Hash{}
		return false, nil
	}
	data := x.Manifest
	if len(data) == 0 {
		var buf bytes.Buffer
		if err := c.Fetch(s.ctx, w.id, protocol.FetchManifest, "", 0, []types.Hash{x.Tree}, &buf); err != nil {
			return false, fetchError("manifest", err)
		}
		data = buf.Bytes()
	}
	if blob.HashOf(data) != x.Tree {
		return false, &mismatch{fmt.Errorf("the manifest of its files does not have the hash that was told")}
	}
	m, err := blob.DecodeManifest(data)
	if err != nil {
		return false, &mismatch{err}
	}
	if len(m.Files) == 0 {
		x.Tree = types.Hash{}
		return false, nil
	}
	if m.Files[0].Path == "." {
		return false, &mismatch{fmt.Errorf("a file without a name is among its files")}
	}
	if blob.Size(m) != x.Bytes {
		return false, &mismatch{fmt.Errorf("its files have %d bytes, not the %d that were told", blob.Size(m), x.Bytes)}
	}
	store := s.run.e.blobs
	store.Pin(s.run.id, x.Tree)
	store.Pin(s.run.id, blob.Hashes(m)...)
	home := m
	if w.kept = s.keeps(w); w.kept {
		home = ownPart(&s.run.graph.Tasks[w.at.Task], m)
	}
	if len(x.Inline) == 0 {
		if home, err = s.straight(c, w, home, m); err != nil {
			return false, err
		}
	}
	if fresh, err = s.files(c, w.id, x.Inline, home); err != nil {
		return fresh, err
	}
	if !store.Has(x.Tree) {
		fresh = true
		if _, err := store.Put(data); err != nil {
			return fresh, fmt.Errorf("%w: %w", errKeep, err)
		}
	}
	return fresh, nil
}

// files stores the chunks of a manifest that are not here yet.
func (s *slot) files(c *client.Client, id string, inline [][]byte, m protocol.Manifest) (fresh bool, err error) {
	carried := len(inline) == len(m.Files)
	for i, f := range m.Files {
		if f.Link != "" || f.Mode&protocol.ModeDir != 0 {
			continue
		}
		if s.run.e.has(f) {
			continue
		}
		fresh = true
		if carried {
			err = keepFile(s.run.e.blobs, inline[i], f)
		} else if err = c.FetchChunks(s.ctx, id, f, keepIn(s.run.e.blobs)); err != nil {
			err = fetchError(f.Path, err)
		}
		if err != nil {
			return fresh, err
		}
	}
	return fresh, nil
}

// has reports whether a file's chunks are here already, as long as it says that
// they are: what cannot be put together again is fetched, and found out.
func (e *Engine) has(f protocol.File) bool {
	left := f.Size
	for _, h := range f.Chunks {
		n := min(left, protocol.ChunkSize)
		if !e.blobs.Holds(h, n) {
			return false
		}
		left -= n
	}
	return true
}

// fetchError sorts the errors of a fetch: the provider's fault, the worker's word,
// this machine's disk, or the link.
func fetchError(what string, err error) error {
	var ours *mismatch
	var disk *fs.PathError
	switch {
	case errors.As(err, &ours):
		return err
	case errors.Is(err, client.ErrHash):
		return &mismatch{fmt.Errorf("%s: %w", what, err)}
	case errors.Is(err, client.ErrWorker), errors.Is(err, errKeep), errors.As(err, &disk):
		return fmt.Errorf("%s: %w", what, err)
	}
	return &linkError{fmt.Errorf("%s: %w", what, err)}
}

// log1 writes one of an attempt's streams to the results' folder.
func (s *slot) log1(c *client.Client, id string, what uint8, name string, st protocol.Stream) error {
	at := "logs/" + name
	switch {
	case st.Size == 0:
		return s.run.paper.empty(at)
	case uint64(len(st.Inline)) == st.Size:
		if types.Hash(sha256.Sum256(st.Inline)) != st.Hash {
			return &mismatch{fmt.Errorf("its output does not have the hash that was told")}
		}
		return s.run.paper.write(at, func(w io.Writer) error {
			_, err := w.Write(st.Inline)
			return err
		})
	}
	return s.run.paper.write(at, func(w io.Writer) error {
		if err := c.Fetch(s.ctx, id, what, "", st.Size, []types.Hash{st.Hash}, w); err != nil {
			return fetchError(name, err)
		}
		return nil
	})
}
