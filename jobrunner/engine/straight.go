package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/jobs/plan"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// Large files that a task delivers go straight from its container into the job's staging
// folder, under the name of their attempt, before its success is journalled: storing them
// here first would cost a write and a read of this machine's disk, as large as the
// output. The journal then decides as ever whose files they are; those of the winner get
// their last names, those of others are removed with the commit. What is lost with the
// folder is made again. Where the output's file system fails, they are stored after all,
// and delivered from there with more patience.

// straight reports whether a file of a task's outputs goes straight into the staging
// folder: a large one that is delivered and nobody else needs.
func (p *planned) straight(task int, f protocol.File) bool {
	t := &p.graph.Tasks[task]
	if special(f) || f.Size < keepLeast || t.Publish || t.Report || f.Path == t.Facts {
		return false
	}
	return slices.ContainsFunc(t.Deliver, func(d plan.Delivery) bool { return within(f.Path, d.From) }) &&
		!slices.ContainsFunc(p.users[task], func(u user) bool { return within(f.Path, p.graph.Tasks[u.task].Inputs[u.input].From) })
}

// within reports whether a path is another one, or in that folder; "" is all of them.
func within(name, folder string) bool {
	if folder = path.Clean(folder); folder == "." {
		return true
	}
	return name == folder || strings.HasPrefix(name, folder+"/")
}

// ownName begins the names that no task may give to a file of the output.
const ownName = ".zennet-"

// attemptFile is the name in the staging folder of a file that an attempt delivers, by
// its place among those. The hash of what the attempt left is in it: an attempt that a
// publisher did not live to journal may have left another file under the same number.
func attemptFile(at schedule.Attempt, tree types.Hash, number int) string {
	return fmt.Sprintf("%s%s.%d-%s", ownName, taskID(at), number, tree.String()[:16])
}

// errGone says that a file that was to be delivered is no longer to be had.
var errGone = errors.New("a delivered file is gone")

// straight streams the large files that an attempt delivers into the staging folder. It
// returns those of its files that are still to be stored here.
func (s *slot) straight(c *client.Client, w *work, home, m protocol.Manifest) (protocol.Manifest, error) {
	d := s.run.deliver
	if d == nil || w.exit.Class != protocol.ClassOK {
		return home, nil
	}
	items, err := s.run.items(w.at.Task, m)
	if err != nil {
		return home, nil // the delivery says why
	}
	if w.staged == nil {
		w.staged = map[string]data.Staging{}
	}
	there, lacks := map[string]bool{}, map[string]bool{}
	for i, one := range items {
		if !one.straight || s.run.e.has(one.file) {
			continue
		}
		name := attemptFile(w.at, w.exit.Tree, i)
		at, err := d.stage(s.ctx, name, s.source(c, w.id, one.file), int64(one.file.Size), w.staged[name])
		var link *linkError
		var wrong *mismatch
		switch {
		case err == nil:
			there[one.file.Path], w.staged[name] = true, at
		case errors.As(err, &link), errors.As(err, &wrong), errors.Is(err, client.ErrWorker):
			return home, err
		case s.ctx.Err() != nil:
			return home, &linkError{s.ctx.Err()}
		default:
			s.log.Warn("a file is stored here before it is delivered", "task", w.id, "file", one.name, "err", err)
			if !errors.Is(err, errFails) {
				d.failed.Store(time.Now().UnixNano())
			}
			lacks[one.file.Path], w.fell = true, true
		}
	}
	home.Files = slices.DeleteFunc(slices.Clone(home.Files), func(f protocol.File) bool { return there[f.Path] && !lacks[f.Path] })
	return home, nil
}

// source streams a file of an attempt; what it gives is verified.
func (s *slot) source(c *client.Client, id string, f protocol.File) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		out, in := io.Pipe()
		ctx, cancel := context.WithCancel(s.ctx)
		over := make(chan struct{})
		go func() {
			defer close(over)
			var slowest time.Duration // of the writes
			err := c.FetchChunks(ctx, id, f, func(_ types.Hash, data []byte) error {
				start := time.Now()
				_, err := in.Write(data)
				slowest = max(slowest, time.Since(start))
				return err
			})
			switch {
			case errors.Is(err, client.ErrStalled) && slowest > time.Minute:
				err = fmt.Errorf("the output's file system took nothing for %v", slowest.Round(time.Second))
			case err != nil:
				err = fetchError(f.Path, err)
			}
			in.CloseWithError(err)
		}()
		return &fetched{out, cancel, over}, nil
	}
}

// fetched is a file on its way here.
type fetched struct {
	*io.PipeReader
	cancel context.CancelFunc
	over   chan struct{} // closed when nothing comes any more
}

// Close ends the fetch and waits for that.
func (f *fetched) Close() error {
	err := f.PipeReader.Close()
	f.cancel() // nothing may be coming
	<-f.over
	return err
}

// What streams into the staging folder wait for, before they are stored here instead.
const (
	turnWait = time.Minute      // for a place among them
	failWait = 30 * time.Second // after one did not arrive
)

// errFails says that the output's file system failed a moment ago.
var errFails = errors.New("the output's file system has just failed")

// stage writes a file into the staging folder, under a name that counts for nothing yet.
// It is there already where it was put into the folder had.
func (d *deliverer) stage(ctx context.Context, name string, from func() (io.ReadCloser, error), size int64, had data.Staging) (data.Staging, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	if time.Since(time.Unix(0, d.failed.Load())) < failWait {
		return had, errFails
	}
	turn := time.NewTimer(turnWait)
	defer turn.Stop()
	select {
	case d.streams <- struct{}{}:
		defer func() { <-d.streams }()
	case <-turn.C:
		return had, errors.New("too many are on their way")
	case <-ctx.Done():
		return had, ctx.Err()
	}
	slow := time.AfterFunc(patience.stage, cancel) // nobody asks for its first byte
	defer slow.Stop()
	s, place, err := d.folder(ctx)
	if err != nil || place == data.Committed || s == had {
		return s, err
	}
	err = d.out.Put(ctx, s, name, size, func() (io.ReadCloser, error) {
		slow.Stop()
		return from()
	})
	if err != nil {
		d.doubt()
	}
	return s, err
}
