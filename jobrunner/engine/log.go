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
		if live, err := r.live(ctx, number, stderr, false); live != nil || err != nil {
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

func openLog(outputs, task string, stderr bool) (io.ReadCloser, error) {
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

// live opens the output of a task's running attempt; nil where none runs.
func (r *run) live(ctx context.Context, task int, stderr, follow bool) (io.ReadCloser, error) {
	r.mu.Lock()
	t := r.tasks[task]
	r.mu.Unlock()
	if t.slot == nil {
		return nil, nil
	}
	c := t.slot.client.Load()
	if c == nil {
		return nil, nil
	}
	id := taskID(schedule.Attempt{Task: task, Number: t.try})
	in, err := c.Logs(ctx, protocol.Logs{ID: id, Stderr: stderr, Follow: follow})
	if err != nil {
		return nil, fmt.Errorf("output of task %s: %w", r.graph.Tasks[task].Name, err)
	}
	return in, nil
}

// follow copies a task's output as it comes, attempt after attempt.
func (r *run) follow(ctx context.Context, w io.Writer, task int, stderr bool) error {
	seen := 0 // the last attempt whose output was copied
	for {
		r.mu.Lock()
		t, changed := r.tasks[task], r.changed
		r.mu.Unlock()
		switch {
		case t.slot != nil && t.try > seen:
			if in, err := r.live(ctx, task, stderr, true); err == nil && in != nil {
				n, err := io.Copy(w, in)
				in.Close()
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err == nil || n > 0 {
					seen = t.try
				}
			}
		case t.slot == nil && t.try > seen && t.try > 0, t.slot == nil && t.state != journal.TaskWaiting:
			if t.try > seen || seen == 0 {
				if err := r.copyLog(w, task, stderr); err != nil {
					return err
				}
				seen = max(t.try, 1)
			}
			if t.state != journal.TaskWaiting {
				return nil
			}
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // the connection broke while the task went on
		case <-r.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *run) copyLog(w io.Writer, task int, stderr bool) error {
	in, err := openLog(r.outputs, r.graph.Tasks[task].Name, stderr)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(w, in)
	return err
}
