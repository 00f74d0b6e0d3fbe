package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/provider/protocol"
)

// Logs opens a task's output, of its latest attempt; where follow is set, it
// goes on over further attempts until the task has ended. ErrNotFound.
func (e *Engine) Logs(ctx context.Context, id, task string, stderr, follow bool) (io.ReadCloser, error) {
	e.mu.Lock()
	r := e.runs[id]
	e.mu.Unlock()
	if r == nil {
		b, err := e.journal.Job(id)
		if errors.Is(err, journal.ErrNotFound) {
			return nil, fmt.Errorf("%w: job %s", ErrNotFound, id)
		}
		if err != nil {
			return nil, err
		}
		return openLog(b.Outputs, task, stderr)
	}
	number, ok := r.number[task]
	if !ok {
		return nil, fmt.Errorf("%w: task %s of job %s", ErrNotFound, task, id)
	}
	if !follow {
		if live, err := r.live(ctx, number, stderr, false, 0); live != nil || err != nil {
			return live, err
		}
		return openLog(r.outputs, task, stderr)
	}
	ctx, cancel := context.WithCancel(ctx)
	out, in := io.Pipe()
	e.background.Go(func() { in.CloseWithError(r.follow(ctx, in, number, stderr)) })
	return &following{out, cancel}, nil
}

// following is a log that goes on; closing it ends its writer.
type following struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (f *following) Close() error {
	f.cancel()
	return f.PipeReader.Close()
}

func openLog(outputs, task string, stderr bool) (*os.File, error) {
	root, err := openExisting(outputs)
	if err != nil {
		return nil, fmt.Errorf("%w: results in %s: %v", ErrNotFound, outputs, err)
	}
	defer root.Close()
	f, err := root.Open(logPath(task, stderr))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: task %s has no output yet", ErrNotFound, task)
	}
	return f, err
}

func openExisting(dir string) (*os.Root, error) { return os.OpenRoot(filepath.Clean(dir)) }

func logPath(task string, stderr bool) string {
	if stderr {
		return "logs/" + task + ".stderr"
	}
	return "logs/" + task + ".stdout"
}

// first is the attempt whose output people see: the first that runs, else the
// last there was.
func (t *taskInfo) first() (at place, running bool) {
	if len(t.runs) > 0 {
		return t.runs[0], true
	}
	return place{try: t.try}, false
}

// live opens the output of a task's running attempt from an offset on; nil where
// none runs.
func (r *run) live(ctx context.Context, task int, stderr, follow bool, offset uint64) (io.ReadCloser, error) {
	r.mu.Lock()
	at, running := r.tasks[task].first()
	r.mu.Unlock()
	if !running {
		return nil, nil
	}
	c := at.slot.client.Load()
	if c == nil {
		return nil, nil
	}
	id := taskID(schedule.Attempt{Task: task, Number: at.try})
	in, err := c.Logs(ctx, protocol.Logs{ID: id, Stderr: stderr, Offset: offset, Follow: follow})
	if err != nil {
		return nil, fmt.Errorf("output of task %s: %w", r.graph.Tasks[task].Name, err)
	}
	return in, nil
}

// followPause is how long a follower waits where a stream ended and nothing else
// tells it why: the attempt has not begun yet, or the connection broke.
const followPause = 50 * time.Millisecond

// follow copies a task's output as it comes, attempt after attempt.
func (r *run) follow(ctx context.Context, w io.Writer, task int, stderr bool) error {
	try, offset, whole := 0, uint64(0), false // what was copied
	for {
		r.mu.Lock()
		t, changed := r.tasks[task], r.changed
		r.mu.Unlock()
		at, running := t.first()
		if at.try != try {
			try, offset, whole = at.try, 0, false
		}
		switch {
		case running:
			if in, err := r.live(ctx, task, stderr, true, offset); err == nil && in != nil {
				n, err := io.Copy(w, in)
				in.Close()
				offset += uint64(n)
				if errors.Is(err, io.ErrClosedPipe) || ctx.Err() != nil {
					return ctx.Err()
				}
			}
		case !whole && (try > 0 || t.state != journal.TaskWaiting):
			if err := r.copyLog(w, task, stderr, offset); err != nil {
				return err
			}
			whole = true
		}
		if !running && t.state != journal.TaskWaiting {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(followPause):
		case <-r.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// copyLog copies what is in the results' folder of a task's output.
func (r *run) copyLog(w io.Writer, task int, stderr bool, offset uint64) error {
	in, err := openLog(r.outputs, r.graph.Tasks[task].Name, stderr)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := in.Seek(int64(offset), io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}
