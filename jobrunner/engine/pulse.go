package engine

import (
	"context"
	"sync"
	"time"

	"github.com/zennet/zennet/provider/worker/client"
)

// A worker that is stopped, or starved, holds its connection open and says nothing,
// while its provider bills the little that it uses and nobody is in the wrong. So each
// worker is asked for a sign of life; one that gives none loses its connection, and
// its slot if it does not come back.

// pulseTimes say how patiently a worker is asked.
type pulseTimes struct {
	every time.Duration // between questions
	wait  time.Duration // for an answer
	dial  time.Duration // for one connection to a worker
	lost  time.Duration // without any connection, before the slot is given up
}

var pulse = pulseTimes{every: 15 * time.Second, wait: 30 * time.Second, dial: 10 * time.Second, lost: 90 * time.Second}

// feel asks the worker, until stop, and ends a connection over which nothing comes. A
// container that its provider has frozen is not asked: the lease says what becomes
// of that.
func (s *slot) feel(c *client.Client) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(pulse.every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-c.Done():
				return
			case <-ctx.Done():
				return
			}
			if s.lease.Frozen() {
				continue
			}
			ask, done := context.WithTimeout(ctx, pulse.wait)
			_, err := c.Measure(ask)
			done()
			if err != nil && ctx.Err() == nil && !s.lease.Frozen() {
				s.log.Warn("the worker says nothing; its connection is closed", "err", err)
				c.Close()
				return
			}
		}
	})
	return func() { cancel(); work.Wait() }
}
