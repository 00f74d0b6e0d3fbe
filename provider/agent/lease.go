package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// lease drives the machine of one lease. Its goroutine (run) owns all fields but
// those that say otherwise; others reach it by post.
type lease struct {
	a         *Agent
	publisher types.Address
	addrs     []string // where the publisher listens
	spec      protocol.Spec
	match     *match // nil after a restart

	ctx    context.Context // done when the agent closes
	inbox  chan func()
	header chan struct{}  // of size 1: there is a newer final header
	done   chan struct{}  // closed when run has returned
	aside  sync.WaitGroup // what run has begun and waits for
	state  contract.ProviderState
	queued []contract.Event // results of effects, for the machine before anything else

	link    *link
	links   uint64 // how many there were; what an older one says is too late
	dialing bool
	pause   time.Duration // before the next dial
	linked  time.Time     // when the link came up

	saved     bool // the record is in the store
	met       bool // a link stood
	declined  bool // the publisher said no, or the operator did: nobody's fault
	funded    bool
	verifying bool
	service   *service // nil before Provision; read by streams through the agent
	removing  bool     // the container is being removed
	returned  bool     // capacity was given back
	broken    error    // why the machine may not be stepped any more
}

// inboxSize bounds what waits for a lease; who posts more waits.
const inboxSize = 64

func (a *Agent) newLease(publisher types.Address, addrs []string, spec protocol.Spec, m *match) *lease {
	a.pool.take(spec)
	return &lease{a: a, publisher: publisher, addrs: addrs, spec: spec, match: m, ctx: a.ctx,
		inbox: make(chan func(), inboxSize), header: make(chan struct{}, 1), done: make(chan struct{}), state: contract.NewProvider()}
}

// post runs f in the lease's goroutine, unless the lease has ended.
func (l *lease) post(f func()) {
	select {
	case l.inbox <- f:
	case <-l.done:
	}
}

// at is the present as the machine counts it.
func (l *lease) at() contract.At { return contract.At(l.a.now()) }

// run drives the lease from its first event until it ends or the agent closes.
func (l *lease) run(begin func()) {
	defer l.finish()
	begin()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for l.broken == nil && !l.state.Phase.Ended() {
		if at := l.a.machine.Deadline(l.state); at != 0 {
			timer.Reset(max(time.Millisecond, time.Duration(at-l.a.now())))
		} else {
			timer.Stop()
		}
		select {
		case f := <-l.inbox:
			f()
		case <-l.header:
			l.step(contract.HeaderSeen{At: l.at(), Header: l.a.header.Load()})
		case <-timer.C:
			l.step(contract.Tick{At: l.at()})
		case <-l.ctx.Done():
			return
		}
	}
}

// finish lets go of what the lease holds. A lease that has not ended is only
// left: its container and its record stay for the next start.
func (l *lease) finish() {
	ended := l.state.Phase.Ended()
	if s := l.service; s != nil {
		if !l.a.killed.Load() {
			l.leaveFrozen(s)
		}
		l.aside.Go(s.leave)
	}
	close(l.done)
	if l.service == nil && !l.removing {
		l.giveBack()
	}
	if l.link != nil && ended {
		l.link.hangup()
		defer l.link.wg.Wait() // when all else is done: the publisher may take its time
		defer context.AfterFunc(l.ctx, l.link.drop)()
	} else if l.link != nil {
		l.link.drop()
		defer l.link.wg.Wait()
	}
	l.aside.Wait()
	l.giveBack()
	l.a.forget(l)
}

// leaveFrozen freezes what nobody will meter until the next start, and stores
// where its counters stand.
func (l *lease) leaveFrozen(s *service) {
	if err := s.freeze(); err != nil {
		l.a.log.Warn("container left running", "lease", l.name(), "err", err)
	}
	if l.saved && l.broken == nil { // with what was counted since the last report
		if err := l.a.store.save(l.state.Record, l.addrs, false); err != nil {
			l.a.log.Warn("last counters not stored", "lease", l.name(), "err", err)
		}
	}
}

// giveBack returns the room that the lease took, once.
func (l *lease) giveBack() {
	if !l.returned {
		l.returned = true
		l.a.pool.give(l.spec)
	}
}

// name is the lease in the log.
func (l *lease) name() string {
	if l.saved {
		return l.state.Record.Contract.ID().Short()
	}
	return "with " + l.publisher.Short()
}

// step gives the machine an event, and then what its effects brought, and
// carries out what follows from them. Where a link is wanted, it is dialled.
func (l *lease) step(e contract.Event) {
	l.queued = append(l.queued, e)
	l.drain()
}

func (l *lease) drain() {
	for len(l.queued) > 0 && l.broken == nil {
		e := l.queued[0]
		l.queued = l.queued[1:]
		state, effects, err := l.a.machine.Step(l.state, e)
		if err != nil {
			l.refused(e, err)
			continue
		}
		before := l.state.Phase
		l.state = state
		l.carry(effects)
		l.moved(before)
	}
	l.a.show(l)
	l.connect()
}

// refused handles an event that the machine did not take. A publisher that broke
// the protocol loses its link.
func (l *lease) refused(e contract.Event, err error) {
	if !errors.Is(err, contract.ErrPeer) {
		l.a.log.Warn("event refused", "lease", l.name(), "event", fmt.Sprintf("%T", e), "err", err)
		return
	}
	l.a.log.Info("publisher broke the protocol", "publisher", l.publisher.Short(), "lease", l.name(), "err", err)
	if !l.funded {
		l.a.wary.blame(l.publisher, time.Now())
	}
	l.cut(words(err))
}

// moved follows a change of phase.
func (l *lease) moved(before contract.Phase) {
	phase := l.state.Phase
	if l.link != nil {
		l.link.quiet.Store(int64(l.silence()))
	}
	if phase == before {
		return
	}
	l.a.log.Debug("lease", "lease", l.name(), "from", before, "to", phase, "reason", l.state.Reason)
	if phase == contract.Confirmed || phase == contract.Provisioning || phase == contract.Active {
		l.funded = true
		l.a.wary.praise(l.publisher)
	}
}

// silence is how long the publisher may say nothing before it is asked for a sign
// of life: early enough to redial within grace. 0 is patience.
func (l *lease) silence() time.Duration {
	if l.state.Phase != contract.Active && l.state.Phase != contract.Suspended {
		return 0
	}
	t := l.state.Record.Contract.Terms
	return max(time.Duration(contract.Interval(t)+contract.Grace(t)/4), time.Second)
}

// carry carries out effects in their order.
func (l *lease) carry(effects []contract.Effect) {
	for _, e := range effects {
		if l.broken != nil {
			return
		}
		l.do(e)
	}
}

// do carries out one effect. It is long because it is the table of what each
// effect means here.
func (l *lease) do(e contract.Effect) {
	switch e := e.(type) {
	case contract.SaveProvider:
		l.save(e.Record)
	case contract.Send:
		if l.link != nil {
			l.link.send(e.Message)
		}
	case contract.Hangup:
		if l.link != nil {
			l.link.hangup()
		}
	case contract.Fail:
		l.failed(e.Reason)
	case contract.VerifyChannel:
		l.verify(e.ID)
	case contract.Provision:
		l.provision(e.Contract)
	case contract.Measure:
		var timeNS int64
		var usage pricing.Usage
		if l.service != nil {
			timeNS, usage = l.service.read()
		}
		l.queued = append(l.queued, contract.Metered{At: l.at(), TimeNS: timeNS, Usage: usage, Rebase: e.Rebase})
	case contract.Freeze:
		l.a.log.Info("lease frozen", "lease", l.name(), "reason", e.Reason)
		if l.service != nil {
			l.must(l.service.freeze())
		}
	case contract.Thaw:
		if l.service != nil {
			l.must(l.service.thaw())
		}
	case contract.Destroy:
		l.destroy()
	case contract.SubmitClose:
		l.submit(e)
	default:
		l.broken = fmt.Errorf("%w: effect %T", contract.ErrEvent, e)
	}
}

// save stores the record. The first time, its contract must be new: two leases
// cannot share a name.
func (l *lease) save(rec contract.ProviderRecord) {
	first := !l.saved
	if first && !l.a.claim(rec.Contract.ID(), l) {
		l.broken = fmt.Errorf("%w: %s", ErrDuplicate, rec.Contract.ID().Short())
	} else if err := l.a.store.save(rec, l.addrs, first); err != nil {
		l.broken = err
	}
	switch {
	case l.broken == nil:
		l.saved = true
	case errors.Is(l.broken, ErrDuplicate):
		l.a.wary.blame(l.publisher, time.Now())
		l.state = contract.ProviderState{Phase: contract.Failed} // nothing was promised
	default:
		l.a.fail(l.broken)
	}
}

// failed notes why a lease came to nothing.
func (l *lease) failed(reason string) {
	l.a.log.Info("no lease", "publisher", l.publisher.Short(), "reason", reason)
}

// must ends the lease where its container does not obey: what cannot be frozen
// may not run.
func (l *lease) must(err error) {
	if err != nil {
		l.a.log.Warn("container does not obey", "lease", l.name(), "err", err)
		l.queued = append(l.queued, contract.Exited{At: l.at(), Reason: words(err)})
	}
}

// provision starts the container.
func (l *lease) provision(k protocol.Contract) {
	s := l.a.newService(k)
	l.service = s
	l.a.serve(l, s)
	s.begun.Go(func() {
		stop := l.tellProgress()
		err := s.start()
		stop()
		if err != nil {
			l.post(func() { l.step(contract.ProvisionFailed{At: l.at(), Reason: words(err)}) })
			return
		}
		l.post(func() { l.step(contract.Provisioned{At: l.at()}) })
		l.watch(s)
	})
}

// progressPause is how often a start that takes long is looked at.
const progressPause = 2 * time.Second

// tellProgress tells the publisher, until stop, that a start gets on. Images are
// unpacked one after another, so what counts is what all starts have read.
func (l *lease) tellProgress() (stop func()) {
	over := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(progressPause)
		defer tick.Stop()
		for last := l.a.cfg.Runtime.Unpacked(); ; {
			select {
			case <-tick.C:
			case <-over:
				return
			}
			if n := l.a.cfg.Runtime.Unpacked(); n > last {
				last = n
				l.post(func() { l.step(contract.Progressed{At: l.at(), Done: n}) })
			}
		}
	})
	return func() { close(over); work.Wait() }
}

func (l *lease) watch(s *service) {
	s.watch(func(reason string) {
		l.post(func() { l.step(contract.Exited{At: l.at(), Reason: reason}) })
	})
}

// destroy removes the container, aside, and then gives its room back.
func (l *lease) destroy() {
	s := l.service
	l.service = nil
	if s == nil { // after a restart, what is left of one
		s = l.a.newService(l.state.Record.Contract)
	}
	l.removing = true
	l.a.serve(l, nil)
	s.cancel()
	l.aside.Go(func() {
		s.destroy()
		l.post(func() { l.giveBack(); l.a.freed() })
	})
}

// verify reads the channel with its proof, one question at a time.
func (l *lease) verify(id types.Hash) {
	if l.verifying {
		return
	}
	l.verifying = true
	l.aside.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, ledgerTime)
		defer cancel()
		seen, err := l.a.channel(ctx, id)
		l.post(func() {
			l.verifying = false
			if err != nil {
				l.a.log.Warn("channel not verified, trying again", "lease", l.name(), "err", err)
				return
			}
			seen.At = l.at()
			l.step(seen)
		})
	})
}

// submit settles the channel.
func (l *lease) submit(e contract.SubmitClose) {
	l.aside.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, ledgerTime)
		defer cancel()
		settled, err := l.a.close(ctx, e)
		l.post(func() {
			if err != nil {
				l.a.log.Warn("channel not settled, trying again", "lease", l.name(), "err", err)
				l.step(contract.SettleFailed{At: l.at(), Reason: words(err)})
				return
			}
			settled.At = l.at()
			l.a.log.Info("lease settled", "lease", l.name(), "claim", settled.Claim, "reason", l.state.Record.Reason)
			l.step(settled)
		})
	})
}

// wantsLink reports whether the lease has something to say to its publisher.
func (l *lease) wantsLink() bool {
	switch l.state.Phase {
	case contract.Matched:
		return true
	case contract.Negotiating, contract.Channel, contract.Confirmed, contract.Provisioning, contract.Active, contract.Suspended:
		return l.saved
	}
	return false
}

// Pauses between dials.
const (
	firstDial = 100 * time.Millisecond
	lastDial  = 3 * time.Second
	steady    = 10 * time.Second // a link that held so long was no failure
	maxDials  = 3                // before a lease exists
)

// connect dials until a link stands or none is wanted any more.
func (l *lease) connect() {
	if l.dialing || l.link != nil || !l.wantsLink() {
		return
	}
	l.dialing = true
	tries := 0
	var once func()
	again := func(err error) {
		l.dialing = false
		if tries++; l.state.Phase == contract.Matched && tries >= maxDials {
			l.step(contract.LinkDown{At: l.at(), Reason: words(err)})
			return
		}
		l.pause = min(max(2*l.pause, firstDial), lastDial)
		if l.wantsLink() && l.link == nil {
			l.dialing = true
			once()
		}
	}
	once = func() {
		wait := l.pause
		l.aside.Go(func() {
			select {
			case <-time.After(wait):
			case <-l.ctx.Done():
				return
			case <-l.done:
				return
			}
			s, err := l.a.dial(l.ctx, l.publisher, l.addrs)
			accepted := make(chan struct{})
			l.post(func() {
				close(accepted)
				if err != nil {
					again(err)
					return
				}
				l.dialing = false
				l.up(s)
			})
			select {
			case <-accepted:
			case <-l.done:
				select {
				case <-accepted:
				default:
					if s != nil {
						s.Reset()
					}
				}
			}
		})
	}
	once()
}

// up takes a stream as the lease's link.
func (l *lease) up(s network.Stream) {
	if l.link != nil || !l.wantsLink() {
		s.Reset()
		return
	}
	l.links++
	l.met = true
	mine := l.links
	l.linked = time.Now()
	peer.Keep(l.a.cfg.Host, l.publisher, "lease", true)
	l.link = newLink(s, func() error { return l.a.alive(l.publisher, s) }, func(m protocol.Message) {
		l.post(func() {
			if l.links == mine && l.link != nil {
				l.receive(m)
			}
		})
	}, func(err error) {
		l.post(func() {
			if l.links == mine {
				l.unlink(words(err))
			}
		})
	})
	l.step(contract.LinkUp{At: l.at()})
}

// receive hands a message of the publisher to the machine.
func (l *lease) receive(m protocol.Message) {
	switch m.(type) {
	case *protocol.Reject, *protocol.Bye, *protocol.Drop:
		l.declined = true
	}
	l.step(contract.Received{At: l.at(), Message: m})
}

// unlink drops the link, tells the machine, and dials anew where that helps.
func (l *lease) unlink(reason string) {
	if l.cut(reason) {
		l.drain()
	}
}

// cut drops the link and queues what the machine has to know of it.
func (l *lease) cut(reason string) bool {
	if l.link == nil {
		return false
	}
	gone := l.link
	l.link = nil
	gone.drop()
	l.aside.Go(gone.wg.Wait)
	if time.Since(l.linked) > steady {
		l.pause = 0
	}
	l.queued = append(l.queued, contract.LinkDown{At: l.at(), Reason: reason})
	return true
}

// words is an error as it may stand in a message: a sentence of bounded length.
func words(err error) string {
	const most = 300
	s := strings.ToValidUTF8(strings.Join(strings.Fields(err.Error()), " "), "?")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + " …"
	}
	return s
}
