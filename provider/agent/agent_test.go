package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/meter"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

func testParams() contract.Params {
	return contract.Params{MarginSeconds: 12, SamplesPerInterval: 8, Strikes: 3, RetrySeconds: 1,
		TimeoutSeconds: map[contract.Phase]uint32{contract.Capabilities: 5, contract.Negotiating: 5, contract.Channel: 5}}
}

// testRates prices a core at 3.6 XEN an hour: 1,000,000 nXEN a second.
var testRates = pricing.Rates{pricing.CPUUser: {NXEN: 3_600_000_000, Per: 3600e9}}

// testMaxRate is what a core costs, and a quarter more.
const testMaxRate = types.Amount(4_500_000_000)

// world is a ledger, a runtime, and an agent on a folder, which can be killed and
// started again.
type world struct {
	t      *testing.T
	ledger *testLedger
	rt     *testRuntime
	dir    string
	key    types.PrivateKey
	change func(*Config)
	listen []string // where the agent's host listens

	agent *Agent
	host  host.Host
	done  chan error
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), key: newKey(t, 1), rt: newTestRuntime(t),
		ledger: newTestLedger(t, newKey(t, 1).Address(), newKey(t, 2).Address(), newKey(t, 3).Address())}
	w.begin(change)
	return w
}

// begin starts the world's first agent.
func (w *world) begin(change []func(*Config)) {
	w.t.Helper()
	w.change = func(c *Config) {
		for _, f := range change {
			f(c)
		}
	}
	w.start()
	w.t.Cleanup(func() { w.stop(false) })
}

// start starts an agent on the folder.
func (w *world) start() {
	w.t.Helper()
	var err error
	if w.host, err = peer.New(w.key, w.listen); err != nil {
		w.t.Fatal(err)
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	cfg := Config{Dir: w.dir, Key: w.key, Host: w.host, Ledger: w.ledger, Runtime: w.rt, OpenMeter: w.rt.openMeter,
		Capacity: Capacity{MilliCPU: 4 * testMilliCPU, Memory: 1 << 30, Disk: 1 << 30}, Hardware: meter.Hardware{CPU: "test", Cores: 4},
		Rates: testRates, MaxRate: func(protocol.Spec) types.Amount { return testMaxRate }, Params: testParams(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))}
	w.change(&cfg)
	if w.agent, err = New(cfg); err != nil {
		w.t.Fatal(err)
	}
	w.done = make(chan error, 1)
	go func() { w.done <- w.agent.Run(context.Background()) }()
}

// stop ends the agent: in order, or as kill -9 would.
func (w *world) stop(kill bool) {
	w.t.Helper()
	if w.agent == nil {
		return
	}
	w.agent.killed.Store(kill)
	if err := w.agent.Close(); err != nil {
		w.t.Error(err)
	}
	if err := <-w.done; err != nil && !errors.Is(err, ErrStore) {
		w.t.Error(err)
	}
	w.host.Close()
	w.agent = nil
}

// until waits for a condition.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func (w *world) status() Status {
	w.t.Helper()
	s, err := w.agent.Status()
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// lease is the status of the provider's only lease, or zero.
func (w *world) lease() LeaseStatus {
	if s := w.status(); len(s.Leases) > 0 {
		return s.Leases[0]
	}
	return LeaseStatus{}
}

func (p *testPublisher) next(t testing.TB) *testLease {
	t.Helper()
	select {
	case l := <-p.usable:
		return l
	case <-time.After(20 * time.Second):
		t.Fatal("no container came")
		return nil
	}
}

// paid waits until the provider holds a higher voucher than it does now.
func (w *world) paid(l *testLease) types.Amount {
	w.t.Helper()
	id := l.snapshot().Record.Contract.ID()
	there := false
	held := func() (paid types.Amount) {
		for _, s := range w.status().Leases {
			if s.Contract == id {
				there, paid = true, s.Paid
			}
		}
		return paid
	}
	var before types.Amount
	until(w.t, "the lease", func() bool { before = held(); return there })
	until(w.t, "a payment", func() bool { return held() > before })
	return held()
}

// checkSettled checks that the channel was closed once, for what the best voucher
// of both sides says, and that nothing of the lease is left.
func (w *world) checkSettled(l *testLease) LeaseStatus {
	w.t.Helper()
	id := l.snapshot().Record.Channel
	until(w.t, "settlement", func() bool { return len(w.ledger.settled(id)) > 0 })
	until(w.t, "the end of the lease", func() bool { return len(w.status().Leases) == 0 })
	if used := w.status().Used; used != (Capacity{}) {
		w.t.Errorf("still taken: %+v", used)
	}
	name := l.snapshot().Record.Contract.ID().String()
	if slices.Contains(w.rt.list(), name) {
		w.t.Error("the container is still there")
	}
	closes := w.ledger.settled(id)
	if len(closes) != 1 {
		w.t.Fatalf("closed %d times", len(closes))
	}
	past, err := w.agent.Past(100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range past {
		if s.Contract.String() == name {
			if s.Claim != closes[0].Claim || s.Claim != s.Paid || s.Phase != contract.Closed {
				w.t.Errorf("claimed %d, stored claim %d, voucher %d, phase %s", closes[0].Claim, s.Claim, s.Paid, s.Phase)
			}
			if s.Claim > l.snapshot().Paid() {
				w.t.Errorf("claimed %d, the publisher signed %d", s.Claim, l.snapshot().Paid())
			}
			return s
		}
	}
	w.t.Fatal("the lease is not among those of the past")
	return LeaseStatus{}
}

// From the announcement to the settled channel (PROTOCOL.md 1.1–1.8, 1.11).
func TestLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.spec.Programs = []string{"gmx"}
	before := w.ledger.balance(w.key.Address())
	p.announce(2)
	one, two := p.next(t), p.next(t)
	w.paid(one)
	w.paid(two)
	if v := one.snapshot().Capabilities.Programs["gmx"]; v != "gmx 1.0" {
		t.Errorf("version %q", v)
	}
	if s := w.status(); len(s.Leases) != 2 || s.Used.MilliCPU != 2*testMilliCPU || s.Leases[0].Paid == 0 || !s.Leases[0].Linked {
		t.Errorf("status %+v", s)
	}
	one.leave("done")
	first := w.checkOne(one)
	if first.Bill != first.Paid || first.Bill == 0 {
		t.Errorf("bill %d, paid %d", first.Bill, first.Paid)
	}
	if bill, err := testRates.Bill(first.Usage); err != nil || bill != first.Bill {
		t.Errorf("the rates make %d of the usage, the bill is %d (%v)", bill, first.Bill, err)
	}
	two.leave("done")
	second := w.checkSettled(two)
	until(t, "the publisher's end", func() bool { return one.snapshot().Phase == contract.Closing })
	s := w.status()
	if s.Settled != 2 || s.Earned != first.Claim+second.Claim {
		t.Errorf("settled %d for %d, want 2 for %d", s.Settled, s.Earned, first.Claim+second.Claim)
	}
	if got := w.ledger.balance(w.key.Address()) - before; got != s.Earned {
		t.Errorf("the account grew by %d, earned were %d", got, s.Earned)
	}
}

// checkOne is checkSettled where other leases live on.
func (w *world) checkOne(l *testLease) LeaseStatus {
	w.t.Helper()
	id := l.snapshot().Record.Channel
	name := l.snapshot().Record.Contract.ID()
	until(w.t, "settlement", func() bool { return len(w.ledger.settled(id)) == 1 })
	var out LeaseStatus
	until(w.t, "the record", func() bool {
		past, err := w.agent.Past(100)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range past {
			if s.Contract == name {
				out = s
				return true
			}
		}
		return false
	})
	return out
}

// A publisher that stops paying is frozen, then settled, within 1.10.
func TestPublisherStopsPaying(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(1)
	l := p.next(t)
	w.paid(l)
	p.setFilter(noVouchers)
	stopped := time.Now()
	until(t, "freezing", func() bool { return w.lease().Frozen })
	name := l.snapshot().Record.Contract.ID().String()
	burnt := w.rt.burnt(name)
	time.Sleep(20 * time.Millisecond)
	if now := w.rt.burnt(name); now != burnt && now != 0 {
		t.Error("the container runs on")
	}
	s := w.checkSettled(l)
	took := time.Since(stopped)
	terms := l.snapshot().Record.Contract.Terms
	if loss := s.Bill - min(s.Bill, s.Paid); loss > contract.Exposure(terms) {
		t.Errorf("lost %d, at most %d", loss, contract.Exposure(terms))
	}
	if most := time.Duration(contract.Interval(terms)+3*contract.Grace(terms)) + 3*time.Second; took > most {
		t.Errorf("took %s, at most %s", took, most)
	}
}

// The link breaks: the container runs on, the provider redials, the lease goes on
// (1.11).
func TestLinkCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(1)
	l := p.next(t)
	for range 3 {
		w.paid(l)
		l.cut()
		w.paid(l)
		if phase := l.snapshot().Phase; phase != contract.Active {
			t.Errorf("the publisher is %s", phase)
		}
	}
	if w.rt.started != 1 {
		t.Errorf("%d containers were started", w.rt.started)
	}
	l.leave("done")
	if s := w.checkSettled(l); s.Bill != s.Paid {
		t.Errorf("bill %d, paid %d", s.Bill, s.Paid)
	}
}

// A publisher that is gone for good: frozen, settled with the best voucher.
func TestPublisherVanishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(1)
	l := p.next(t)
	w.paid(l)
	p.host.Close()
	s := w.checkSettled(l)
	if loss := s.Bill - min(s.Bill, s.Paid); loss > contract.Exposure(l.snapshot().Record.Contract.Terms) {
		t.Errorf("lost %d", loss)
	}
}

// A killed agent finds its container again, and the lease goes on; so does one
// that was closed in order.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]bool{"killed": true, "closed": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := newTestPublisher(t, 2, w.ledger)
			p.announce(1)
			l := p.next(t)
			paid := w.paid(l)
			usage := w.lease().Usage[pricing.CPUUser]
			w.stop(kill)
			if len(w.rt.list()) != 1 {
				t.Fatal("the container is gone")
			}
			w.start()
			if more := w.paid(l); more < paid {
				t.Errorf("paid falls from %d to %d", paid, more)
			}
			if now := w.lease().Usage[pricing.CPUUser]; !kill && now < usage {
				t.Errorf("the counter falls from %d to %d", usage, now)
			}
			if w.rt.started != 1 {
				t.Errorf("%d containers were started", w.rt.started)
			}
			l.leave("done")
			if s := w.checkSettled(l); s.Bill != s.Paid {
				t.Errorf("bill %d, paid %d", s.Bill, s.Paid)
			}
		})
	}
}

// A killed agent whose container, or whose publisher, is gone settles the lease
// once, with its best voucher; containers of no lease go.
func TestRestartAndSettle(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*world, *testPublisher, *testLease){
		"container removed": func(w *world, _ *testPublisher, l *testLease) {
			w.rt.Remove(context.Background(), l.snapshot().Record.Contract.ID().String())
		},
		"container ended": func(w *world, _ *testPublisher, l *testLease) {
			w.rt.kill(l.snapshot().Record.Contract.ID().String())
		},
		"publisher gone": func(_ *world, p *testPublisher, _ *testLease) { p.host.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := newTestPublisher(t, 2, w.ledger)
			p.announce(1)
			l := p.next(t)
			paid := w.paid(l)
			w.stop(true)
			harm(w, p, l)
			if err := w.rt.Start(context.Background(), stray()); err != nil {
				t.Fatal(err)
			}
			w.start()
			s := w.checkSettled(l)
			if s.Claim < paid {
				t.Errorf("claimed %d of %d", s.Claim, paid)
			}
			until(t, "the stray's end", func() bool { return len(w.rt.list()) == 0 })
			w.stop(true)
			w.start()
			if s := w.status(); s.Settled != 1 || len(w.ledger.settled(l.snapshot().Record.Channel)) != 1 {
				t.Errorf("settled %d leases, closed %d times", s.Settled, len(w.ledger.settled(l.snapshot().Record.Channel)))
			}
		})
	}
}

// A start that takes long, and gets on, is waited for.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rt.slow = make(chan struct{})
	p := newTestPublisher(t, 2, w.ledger)
	p.machine.Params.StartSeconds = 4
	p.announce(1)
	until(t, "a start of twice as long as silence may last", func() bool { return w.rt.unpacked.Load() >= 5 })
	close(w.rt.slow)
	l := p.next(t)
	l.leave("done")
	w.checkSettled(l)
}

// The ledger is away while a lease has to be settled: it is settled later, once.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(1)
	l := p.next(t)
	w.paid(l)
	w.ledger.setDown(errors.New("away"))
	l.leave("done")
	until(t, "closing", func() bool { return w.lease().Phase == contract.Closing })
	w.stop(true)
	w.start()
	until(t, "closing again", func() bool { return w.lease().Phase == contract.Closing })
	w.ledger.setDown(nil)
	w.checkSettled(l)
}

// A container that cannot be started, ends by itself, or cannot be frozen ends
// its lease.
func TestContainerFails(t *testing.T) {
	t.Parallel()
	t.Run("start", func(t *testing.T) {
		w := newWorld(t)
		w.rt.failing = errors.New("no room on the disk")
		p := newTestPublisher(t, 2, w.ledger)
		p.announce(1)
		until(t, "settlement for nothing", func() bool { s, _ := w.agent.Past(1); return len(s) == 1 && s[0].Phase == contract.Closed })
		if s, _ := w.agent.Past(1); s[0].Claim != 0 || s[0].Reason != "no container: no room on the disk" {
			t.Errorf("claim %d, reason %q", s[0].Claim, s[0].Reason)
		}
	})
	t.Run("end", func(t *testing.T) {
		w := newWorld(t)
		p := newTestPublisher(t, 2, w.ledger)
		p.announce(1)
		l := p.next(t)
		w.paid(l)
		w.rt.kill(l.snapshot().Record.Contract.ID().String())
		if s := w.checkSettled(l); s.Bill != s.Paid {
			t.Errorf("bill %d, paid %d", s.Bill, s.Paid)
		}
	})
	t.Run("freeze", func(t *testing.T) {
		w := newWorld(t)
		p := newTestPublisher(t, 2, w.ledger)
		p.announce(1)
		l := p.next(t)
		w.paid(l)
		w.rt.mu.Lock()
		w.rt.stuck = true
		w.rt.mu.Unlock()
		p.setFilter(noVouchers)
		s := w.checkSettled(l)
		if loss := s.Bill - min(s.Bill, s.Paid); loss > contract.Exposure(l.snapshot().Record.Contract.Terms) {
			t.Errorf("lost %d", loss)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(2)
	one, two := p.next(t), p.next(t)
	w.paid(one)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.agent.Drain(ctx, "maintenance"); err != nil {
		t.Fatal(err)
	}
	w.checkSettled(one)
	w.checkSettled(two)
	p.announce(1)
	select {
	case <-p.usable:
		t.Error("a lease was begun")
	case <-time.After(300 * time.Millisecond):
	}
}

// TestContainerThatWillNotGo: a container whose removal hangs, and does not heed its
// context, keeps its room and holds up nothing else: its lease settles, others are
// served, the agent closes in time, and the next one serves too and removes it.
func TestContainerThatWillNotGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hang := make(chan struct{})
	w.rt.mu.Lock()
	w.rt.hang = hang
	w.rt.mu.Unlock()
	letGo := sync.OnceFunc(func() { close(hang) })
	t.Cleanup(letGo)
	p := newTestPublisher(t, 2, w.ledger)
	serve := func() *testLease {
		p.announce(1)
		l := p.next(t)
		w.paid(l)
		l.leave("done")
		w.checkOne(l)
		return l
	}
	serve()
	until(t, "the hanging removal", func() bool { w.rt.mu.Lock(); defer w.rt.mu.Unlock(); return w.rt.hanging == 1 })
	serve()
	if used := w.status().Used; used.Leases != 2 {
		t.Errorf("room taken: %+v", used)
	}
	closed := make(chan struct{})
	go func() { w.stop(false); close(closed) }()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		letGo()
		<-closed
		t.Fatal("the agent does not close")
	}
	w.start()
	serve()
	letGo()
	until(t, "the end of all containers", func() bool { return len(w.rt.list()) == 0 })
	until(t, "the room", func() bool { return w.status().Used == (Capacity{}) })
}
