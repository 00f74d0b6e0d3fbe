package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/jobrunner/schedule"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// acquirer keeps a run supplied with slots: as many as the schedule wants, one
// request to the market at a time.
type acquirer struct {
	run    *run
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	nudge  chan struct{} // of size 1

	mu      sync.Mutex
	wanted  int
	have    int // slots that live
	ever    bool
	deny    []types.Address
	refused string // the market's last words
	current context.CancelFunc
}

const (
	offerWait     = 20 * time.Second // for one request
	leaseSeconds  = 3600             // that a lease is expected to last, where nobody knows better
	firstRetry    = time.Second
	mostRetry     = time.Minute
	triesWithout  = 3  // requests that may fail while no slot is left
	triesInternal = 10 // of them, where the market itself is in trouble
)

func (a *acquirer) start(r *run) {
	a.run, a.done, a.nudge = r, make(chan struct{}), make(chan struct{}, 1)
	a.ctx, a.cancel = context.WithCancel(r.ctx)
	a.have = len(r.held)
	a.ever = a.have > 0
	go a.main()
}

// stop ends all asking and waits for it.
func (a *acquirer) stop() {
	a.cancel()
	<-a.done
}

func (a *acquirer) poke() {
	select {
	case a.nudge <- struct{}{}:
	default:
	}
}

// want tells how many slots the job can use now.
func (a *acquirer) want(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = n
	if n <= a.have && a.current != nil {
		a.current() // what is being asked for is no longer needed
	}
	a.poke()
}

// left tells that a slot is gone.
func (a *acquirer) left() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.have--
	a.poke()
}

// found counts a slot that the market brought back unasked.
func (a *acquirer) found() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.have++
	a.ever = true
}

// refuseFrom takes nothing more from a provider, for this run.
func (a *acquirer) refuseFrom(p types.Address) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deny = append(a.deny, p)
}

// words is why the market gave nothing, last.
func (a *acquirer) words() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

func (a *acquirer) main() {
	defer close(a.done)
	failures := 0
	for {
		a.mu.Lock()
		need, have := a.wanted-a.have, a.have
		a.mu.Unlock()
		if need <= 0 {
			select {
			case <-a.nudge:
				continue
			case <-a.ctx.Done():
				return
			}
		}
		err := a.ask(need)
		if a.ctx.Err() != nil {
			return
		}
		a.mu.Lock()
		got := a.have > have
		a.mu.Unlock()
		if err == nil || got {
			failures = 0
		}
		if err == nil {
			continue
		}
		failures++
		a.refuse(err, failures)
		select {
		case <-time.After(min(mostRetry, firstRetry<<min(failures-1, 10))):
		case <-a.ctx.Done():
			return
		}
	}
}

// ask puts one request to the market.
func (a *acquirer) ask(need int) error {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	a.mu.Lock()
	a.current = cancel
	deny := append(append([]types.Address(nil), a.run.spec.Providers.Deny...), a.deny...)
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.current = nil
		a.mu.Unlock()
	}()
	r := a.run
	r.mu.Lock()
	budget, since := r.job.Budget, r.job.Since
	r.mu.Unlock()
	res := r.spec.Resources
	request := Request{Job: r.id, Count: need, MaxRate: r.spec.Providers.MaxRate, Deny: deny, MinProviders: r.spec.Providers.Min, Near: r.nearness(),
		Budget: budget, Since: since, Info: r.spec.Name, Seconds: leaseSeconds, Deadline: r.e.now().Add(offerWait),
		Spec: protocol.Spec{MilliCPU: res.MilliCPU, Memory: res.Memory, Disk: res.Disk, Pids: maxPids, Image: r.spec.Image, Programs: r.graph.Programs}}
	err := r.e.market.Acquire(ctx, request, a.take)
	if ctx.Err() != nil && a.ctx.Err() == nil {
		return nil // no longer wanted
	}
	return err
}

// refuse tells the schedule that the market gives nothing, where the job cannot
// go on with what it has.
func (a *acquirer) refuse(err error, failures int) {
	cause, tries := schedule.CauseInternal, triesInternal
	switch {
	case errors.Is(err, ErrNotAffordable):
		cause, tries = schedule.CauseUnaffordable, triesWithout
	case errors.Is(err, ErrNoOffers):
		cause, tries = schedule.CauseNoOffers, triesWithout
	}
	a.mu.Lock()
	a.refused = err.Error()
	if !a.ever && cause != schedule.CauseInternal {
		tries = 1
	}
	alone := a.have == 0
	a.mu.Unlock()
	a.run.log.Info("no slots", "err", err, "failures", failures)
	if alone && failures >= tries {
		a.run.tell(note{event: schedule.NoSlots{Now: a.run.now(), Cause: cause}})
	}
}

// take makes a slot of a lease, unless its programs are not those that the
// job's other leases have.
func (a *acquirer) take(l Lease) {
	if err := a.run.agree(l); err != nil {
		a.refuseFrom(l.Provider())
		a.run.settle(l, err.Error(), false)
		return
	}
	a.mu.Lock()
	a.have++
	a.ever = true
	a.mu.Unlock()
	a.run.addSlot(l, 0)
}

// agree checks the versions of the programs that the job names: a checkpoint
// never moves between versions. The first lease fixes them.
func (r *run) agree(l Lease) error {
	if len(r.graph.Programs) == 0 {
		return nil
	}
	has := map[string]string{}
	for _, p := range r.graph.Programs {
		if v, ok := l.Programs()[p]; ok {
			has[p] = v
		}
	}
	r.mu.Lock()
	want := r.job.Programs
	r.mu.Unlock()
	if len(want) == 0 {
		r.record(func(b *journal.Job) { b.Programs = has })
		return nil
	}
	if !maps.Equal(want, has) {
		return fmt.Errorf("its programs %v are not the job's %v", has, want)
	}
	return nil
}
