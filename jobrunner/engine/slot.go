package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// slot is a leased container that a run uses. Its goroutine holds the control
// connection to the worker: it starts and kills attempts, gathers their ends, and
// comes back after a broken connection as long as the lease lives.
type slot struct {
	run    *run
	number int
	lease  Lease
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	gone   chan struct{} // closed when the goroutine has ended

	inbox chan command // from the run's loop
	back  chan *work   // from goroutines that prepare or collect
	guilt chan error   // of size 1: its provider gave something false

	feeder *client.Feeder
	client atomic.Pointer[client.Client] // the latest connection
	lost   atomic.Pointer[error]         // why the slot went down
	full   atomic.Bool                   // its provider keeps no more splits

	words map[int]string // what its tasks last said, by task; guarded by run.mu

	transfer sync.Mutex // one at a time
	staging  sync.Mutex
	staged   map[types.Hash]struct{} // what the lease is known to have; under staging
	ahead    ahead

	// owned by the goroutine
	works   map[string]*work
	busy    sync.WaitGroup
	greeted bool
	known   bool // the schedule counts on it

	released atomic.Bool
}

const (
	connectPause = 200 * time.Millisecond // before the next try
	inboxSize    = 256
)

// addSlot takes a lease into the run. number is that of an awaited slot, or 0.
func (r *run) addSlot(l Lease, number int) *slot {
	s := &slot{run: r, lease: l, gone: make(chan struct{}), inbox: make(chan command, inboxSize), back: make(chan *work, inboxSize), guilt: make(chan error, 1),
		works: map[string]*work{}, words: map[int]string{}, staged: map[types.Hash]struct{}{}}
	s.ctx, s.cancel = context.WithCancel(r.ctx)
	s.feeder = client.NewFeeder(l.Worker)
	r.mu.Lock()
	if s.known = number != 0; !s.known {
		r.nextSlot++
		number = r.nextSlot
	}
	s.number = number
	s.log = r.log.With("slot", number, "provider", l.Provider().Short())
	r.slots[number] = s
	r.mu.Unlock()
	go s.main()
	return s
}

func (s *slot) send(c command) {
	select {
	case s.inbox <- c:
	case <-s.gone:
	}
}

// why is the reason for which the slot went down, or nil.
func (s *slot) why() error {
	if p := s.lost.Load(); p != nil {
		return *p
	}
	return nil
}

// release ends the slot's use; its lease is then closed.
func (s *slot) release() {
	s.released.Store(true)
	s.cancel()
}

// main is the slot's life: connect, serve, connect again; then tell that it is down.
func (s *slot) main() {
	defer close(s.gone)
	err := s.serve()
	s.cancel()
	s.busy.Wait()
	s.feeder.Close()
	if c := s.client.Load(); c != nil {
		c.Close()
	}
	if s.released.Load() {
		s.run.settle(s.lease, "no more work", false)
		s.run.market.left()
		return
	}
	if s.run.ctx.Err() != nil {
		return // the engine closes; the lease lives on
	}
	s.lost.Store(&err)
	s.log.Info("slot lost", "err", err)
	var wrong *mismatch
	if errors.As(err, &wrong) {
		s.lease.SetVerdict(chain.VerdictMismatch)
		s.run.market.refuseFrom(s.lease.Provider())
	}
	s.forsake()
	if s.known {
		s.run.tell(note{event: schedule.SlotDown{Now: s.run.now(), Slot: s.number}})
	}
	s.run.settle(s.lease, err.Error(), over(s.lease))
	s.run.market.left()
}

// serve returns when the lease has ended, the slot was released, or the run stops.
func (s *slot) serve() error {
	since := time.Now()
	for {
		c, err := s.connect()
		switch {
		case s.ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return s.ctx.Err()
		case over(s.lease):
			if err == nil {
				c.Close()
			}
			return cmpErr(s.lease.Err(), errors.New("the lease ended"))
		case err == nil:
			err = s.talk(c)
			c.Close()
			if err != nil {
				return err
			}
			since = time.Now()
			continue
		case time.Since(since) > pulse.lost:
			return fmt.Errorf("the worker does not answer: %w", err)
		}
		s.log.Debug("worker not reached", "err", err)
		select {
		case <-time.After(connectPause):
		case <-s.lease.Done():
		case <-s.ctx.Done():
		}
	}
}

func over(l Lease) bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// connect opens a control connection; it gives up when the lease ends.
func (s *slot) connect() (*client.Client, error) {
	ctx, cancel := context.WithTimeout(s.ctx, pulse.dial)
	defer cancel()
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-s.lease.Done():
			cancel()
		case <-ctx.Done():
		}
	})
	c, err := client.Connect(ctx, s.lease.Worker)
	cancel()
	watch.Wait()
	return c, err
}

// talk uses one connection until it breaks (nil), or the slot is over (an error).
func (s *slot) talk(c *client.Client) error {
	s.client.Store(c)
	defer s.feel(c)()
	s.reconcile(c)
	for {
		select {
		case cmd := <-s.inbox:
			s.command(c, cmd)
		case w := <-s.back:
			s.returned(c, w)
		case ev, ok := <-c.Events():
			if !ok {
				return nil
			}
			switch {
			case ev.Said != nil:
				s.said(ev.Said)
			case ev.Exited != nil:
				s.exited(c, ev.Exited)
			}
		case err := <-s.guilt:
			return err
		case <-c.Done():
			return nil
		case <-s.lease.Done():
			return cmpErr(s.lease.Err(), errors.New("the lease ended"))
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// reconcile compares what the worker holds with what it should.
func (s *slot) reconcile(c *client.Client) {
	held := map[string]*protocol.Exited{}
	var holds []schedule.Attempt
	for _, t := range c.Tasks() {
		at, ok := parseTaskID(t.ID)
		// A new container holds nothing: what it says it ran, nobody gave it. And what is
		// to be done again has its end in the journal.
		if !ok || taskID(at) != t.ID || at.Task >= len(s.run.graph.Tasks) || !s.greeted && (!s.known || s.run.again[at.Task]) {
			c.Kill(t.ID, 0)
			c.Release(t.ID)
			continue
		}
		if s.regain(at, t.Exited) {
			continue
		}
		held[t.ID] = t.Exited
		if s.works[t.ID] == nil {
			if s.greeted { // it was given up meanwhile
				s.drop(c, t.ID, t.Exited != nil)
				continue
			}
			s.works[t.ID] = &work{at: at, id: t.ID, stage: workSent, started: s.run.e.now()}
			holds = append(holds, at)
		}
	}
	if !s.greeted {
		s.greeted, s.known = true, true
		s.run.tell(note{event: schedule.SlotUp{Now: s.run.now(), Slot: s.number, Provider: s.lease.Provider().String(), Holds: holds, Near: s.near()}})
		s.run.place(s, holds)
	}
	for id, w := range s.works {
		exit, known := held[id]
		switch {
		case w.stage != workSent:
		case known && exit != nil:
			s.exited(c, exit)
		case !known && w.request == nil:
			delete(s.works, id)
			s.run.failed(s, w, protocol.ClassProvider, "the container no longer knew of it", nil)
		default:
			if !known {
				c.Run(*w.request)
			}
			switch {
			case w.killed:
				c.Kill(id, uint32(killGrace/time.Second))
			case !known || w.feeding == nil:
				s.feed(w, !known)
			}
		}
	}
}

// drop makes the worker forget an attempt that nobody wants any more.
func (s *slot) drop(c *client.Client, id string, over bool) {
	if over {
		c.Release(id)
		return
	}
	s.works[id] = &work{id: id, stage: workSent, killed: true, settled: true}
	c.Kill(id, 0)
}
