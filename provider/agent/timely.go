package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/zennet/zennet/provider/runtime"
)

// timely is a runtime whose calls end soon after their context does, though what
// they wait for may hang: a process that the kernel does not let go, a volume that
// answers nothing. A call that hangs goes on in a goroutine of its own, one a
// container; a later one for that container waits for it within its own time. So
// a container that will not go holds up nobody but itself.
type timely struct {
	Runtime

	mu   sync.Mutex
	busy map[string]chan struct{} // by container; closed when the call has returned
}

// late is how long after its context's end a call may still say how it went.
const late = time.Second

func newTimely(r Runtime) *timely { return &timely{Runtime: r, busy: map[string]chan struct{}{}} }

// within calls f for a container when no other call for it is under way.
func (t *timely) within(ctx context.Context, id string, f func(context.Context) error) error {
	mine := make(chan struct{})
	for {
		t.mu.Lock()
		other, taken := t.busy[id]
		if !taken {
			t.busy[id] = mine
			t.mu.Unlock()
			break
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return fmt.Errorf("%w: an earlier call hangs: %w", ErrStuck, ctx.Err())
		}
	}
	said := make(chan error, 1)
	go func() {
		err := f(ctx)
		t.mu.Lock()
		delete(t.busy, id)
		t.mu.Unlock()
		close(mine)
		said <- err
	}()
	select {
	case err := <-said:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-said:
		return err
	case <-time.After(late):
		return fmt.Errorf("%w: %w", ErrStuck, ctx.Err())
	}
}

func (t *timely) Start(ctx context.Context, s runtime.Spec) error {
	return t.within(ctx, s.ID, func(ctx context.Context) error { return t.Runtime.Start(ctx, s) })
}

func (t *timely) Freeze(ctx context.Context, id string) error {
	return t.within(ctx, id, func(ctx context.Context) error { return t.Runtime.Freeze(ctx, id) })
}

func (t *timely) Thaw(ctx context.Context, id string) error {
	return t.within(ctx, id, func(ctx context.Context) error { return t.Runtime.Thaw(ctx, id) })
}

func (t *timely) Remove(ctx context.Context, id string) error {
	return t.within(ctx, id, func(ctx context.Context) error { return t.Runtime.Remove(ctx, id) })
}

// Times of a removal: a try's, and the wait before the next.
const (
	removeTime  = 60 * time.Second
	removePause = time.Second
)

// remove removes a container. It tries until that works or the agent closes; then
// the next start does it.
func (a *Agent) remove(id string) {
	for {
		ctx, cancel := context.WithTimeout(a.ctx, removeTime)
		err := a.cfg.Runtime.Remove(ctx, id)
		cancel()
		if err == nil || a.ctx.Err() != nil {
			return
		}
		a.log.Warn("container not removed, trying again", "container", id[:min(12, len(id))], "err", err)
		select {
		case <-time.After(removePause):
		case <-a.ctx.Done():
			return
		}
	}
}
