package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/runtime"
)

// service is the container of one lease, its meter, and the streams into it.
type service struct {
	agent     *Agent
	id        string // of the container: the contract's hash in hex
	publisher types.Address
	spec      protocol.Spec

	ctx    context.Context // done when the service ends
	cancel context.CancelFunc
	begun  sync.WaitGroup // the start, and the wait for the container's end
	gate   *gate
	in     atomic.Uint64 // bytes staged in, since this process serves the lease
	out    atomic.Uint64
	kept   atomic.Uint64 // bytes of blobs taken
	worker chan struct{} // a token for each worker stream
	intake chan struct{} // a token for each blob stream

	mu      sync.Mutex // held to begin a stream; none begins after the end
	ended   bool
	streams sync.WaitGroup
	store   *blob.Store // nil until acquired
	meter   Meter       // nil until the container runs
	last    pricing.Usage
}

func (a *Agent) newService(contract protocol.Contract) *service {
	s := &service{agent: a, id: contract.ID().String(), publisher: contract.Publisher, spec: contract.Spec,
		gate: newGate(), worker: make(chan struct{}, maxWorkerStreams), intake: make(chan struct{}, maxBlobStreams)}
	s.ctx, s.cancel = context.WithCancel(a.ctx)
	return s
}

// start makes the container, and begins to meter it.
func (s *service) start() error {
	image, ok := s.agent.cfg.Image(s.spec.Image)
	if !ok {
		return fmt.Errorf("%w: image %q", ErrUnfit, s.spec.Image)
	}
	if err := s.acquire(); err != nil {
		return err
	}
	err := s.agent.cfg.Runtime.Start(s.ctx, runtime.Spec{ID: s.id, Image: image, MilliCPU: s.spec.MilliCPU,
		Memory: s.spec.Memory, Disk: s.spec.Disk, Pids: s.spec.Pids, Blobs: s.store.Dir()})
	if err != nil {
		return err
	}
	return s.attach()
}

// adopt takes over the container that an earlier process left.
func (s *service) adopt() error {
	if err := s.acquire(); err != nil {
		return err
	}
	s.store.PinAll(s.id) // what of it the lease needs is not known any more
	return s.attach()
}

func (s *service) acquire() error {
	store, err := s.agent.blobs.acquire(s.publisher)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = store
	return nil
}

// attach meters the container, which runs.
func (s *service) attach() error {
	status, err := s.agent.cfg.Runtime.Status(s.ctx, s.id)
	if err != nil {
		return err
	}
	if status.State == runtime.Stopped {
		return fmt.Errorf("%w: exit code %d", runtime.ErrNotRunning, status.ExitCode)
	}
	m, err := s.agent.cfg.OpenMeter(s.id, status.PID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meter = m
	return nil
}

// read is the lease's cumulative counters since this process serves it. Where
// the meter fails it counts nothing more.
func (s *service) read() (timeNS int64, usage pricing.Usage) {
	s.mu.Lock()
	m := s.meter
	s.mu.Unlock()
	now := time.Now()
	if m != nil {
		reading, err := m.Read()
		if err != nil {
			s.agent.log.Warn("container not metered", "lease", s.id[:12], "err", err)
		} else {
			s.last, now = reading.Usage, reading.Time
		}
	}
	usage = s.last.Clone()
	usage[pricing.StagedIn] = s.in.Load()
	usage[pricing.StagedOut] = s.out.Load()
	return now.UnixNano(), usage
}

// freeze stops the container and its streams; thaw lets them go on.
func (s *service) freeze() error {
	s.gate.set(false)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), freezeTime)
	defer cancel()
	return s.agent.cfg.Runtime.Freeze(ctx, s.id)
}

func (s *service) thaw() error {
	ctx, cancel := context.WithTimeout(s.ctx, freezeTime)
	defer cancel()
	if err := s.agent.cfg.Runtime.Thaw(ctx, s.id); err != nil {
		return err
	}
	s.gate.set(true)
	return nil
}

// begin counts one stream more; done must be called. ErrEnded after the end.
func (s *service) begin() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.store == nil {
		return nil, ErrEnded
	}
	s.streams.Add(1)
	return s.streams.Done, nil
}

// leave ends the streams and the meter, and leaves the container as it is.
func (s *service) leave() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.cancel()
	s.begun.Wait()
	s.streams.Wait()
	if s.meter != nil {
		s.meter.Close()
	}
	if s.store != nil {
		if err := s.agent.blobs.release(s.publisher, s.id); err != nil {
			s.agent.log.Warn("blobs not closed", "publisher", s.publisher.Short(), "err", err)
		}
	}
}

// destroy is leave, and removes the container.
func (s *service) destroy() {
	s.leave()
	s.agent.remove(s.id)
}

// watch calls ended once the container has ended by itself.
func (s *service) watch(ended func(reason string)) {
	s.begun.Go(func() {
		for {
			status, err := s.agent.cfg.Runtime.Wait(s.ctx, s.id)
			switch {
			case s.ctx.Err() != nil:
				return
			case errors.Is(err, runtime.ErrNotFound):
				ended("it is gone")
				return
			case err == nil && status.State == runtime.Stopped:
				ended(fmt.Sprintf("exit code %d", status.ExitCode))
				return
			}
			select {
			case <-time.After(removePause):
			case <-s.ctx.Done():
				return
			}
		}
	})
}
