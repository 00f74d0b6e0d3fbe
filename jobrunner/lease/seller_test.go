package lease

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// seller is a provider: a real host, the real machine, real chain rules; only its
// containers are imagined. It can be told to misbehave.
type seller struct {
	t       testing.TB
	key     types.PrivateKey
	host    host.Host
	ledger  *testClient
	machine contract.Provider
	caps    protocol.Capabilities
	stop    context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup
	blobs   *blob.Store

	lie        uint64 // percent of the truth that its meter shows
	talkative  bool   // logs its machine
	busy       bool   // its containers use more of their core
	closeTwice bool   // sends a second, higher CLOSE
	mute       bool   // does not answer OFFER
	muted      atomic.Int32
	stuck      bool // takes the channel; neither a container nor a settlement follows

	mu     sync.Mutex
	leases []*soldLease
	seen   map[types.Hash]bool
	gone   bool // answers nothing and nobody
}

// soldLease is one lease on the provider's side.
type soldLease struct {
	p     *seller
	inbox chan func()
	addrs []string

	// Owned by run.
	state   contract.ProviderState
	stream  network.Stream
	exists  bool
	frozen  bool
	since   time.Time
	used    uint64 // ns of CPU
	dialing bool

	mu     sync.Mutex
	latest contract.ProviderState
}

// perSecond is what a core costs in these tests, nXEN a second.
const perSecond = 10_000

func (l *testLedger) machineParams() contract.Params {
	return contract.Params{MarginSeconds: uint32(l.state.Params().MarginSeconds), SamplesPerInterval: 4, Strikes: 3, RetrySeconds: 1}
}

func newSeller(t testing.TB, l *testLedger, seed byte) *seller {
	t.Helper()
	p := &seller{t: t, key: newKey(t, seed), ledger: l.client(), seen: map[types.Hash]bool{}, lie: 100,
		caps: protocol.Capabilities{Cores: 2, Memory: 1 << 30, Disk: 1 << 30, Slots: 2, MaxRate: 3600 * perSecond,
			Rates:    pricing.Rates{pricing.CPUUser: {NXEN: 3600 * perSecond, Per: 3600e9}},
			Programs: map[string]string{"gmx": "2022.5"}}}
	p.machine = contract.Provider{Key: p.key, Ledger: l.state.Ledger(), Params: l.machineParams(), Policy: contract.ProviderPolicy{
		MinIntervalSeconds: 1, MaxIntervalSeconds: 60, MinGraceSeconds: 1, MaxGraceSeconds: 60, MaxLeaseSeconds: 7200}}
	var err error
	if p.host, err = peer.New(p.key, nil); err != nil {
		t.Fatal(err)
	}
	if p.blobs, err = blob.Open(t.TempDir(), 1<<30); err != nil {
		t.Fatal(err)
	}
	p.host.SetStreamHandler(peer.WorkerProtocol, p.worker)
	p.host.SetStreamHandler(peer.BlobProtocol, p.stage)
	p.ctx, p.stop = context.WithCancel(context.Background())
	t.Cleanup(func() {
		p.stop()
		p.host.Close()
		p.wg.Wait()
		p.blobs.Close()
	})
	p.wg.Go(p.follow)
	return p
}

// follow answers every announcement, with a stream for each container it offers.
func (p *seller) follow() {
	for {
		var anns []chain.Announcement
		if p.ledger.wait(p.ctx, func() bool {
			anns = p.ledger.state.Announcements()
			return slices.ContainsFunc(anns, func(a chain.Announcement) bool { return !p.seen[a.ID] })
		}) != nil {
			return
		}
		for _, a := range anns {
			if p.seen[a.ID] {
				continue
			}
			p.seen[a.ID] = true
			ann, err := protocol.DecodeAnn(a.Body)
			if err != nil {
				p.t.Errorf("announcement: %v", err)
				continue
			}
			for range min(uint16(p.caps.Slots), ann.Count) {
				p.offer(a.From, ann, a.ID)
			}
		}
	}
}

func (p *seller) offer(publisher types.Address, ann protocol.Ann, id types.Hash) {
	l := &soldLease{p: p, inbox: make(chan func(), 256), addrs: ann.Addrs, state: contract.NewProvider()}
	p.mu.Lock()
	p.leases = append(p.leases, l)
	p.mu.Unlock()
	caps := p.caps
	caps.Announcement = id
	p.wg.Go(l.run)
	l.post(func() {
		l.step(contract.Match{At: now(), Publisher: publisher, Announcement: id, Spec: ann.Spec, Capabilities: caps})
		l.dial(publisher)
	})
}

func now() contract.At { return contract.At(time.Now().UnixNano()) }

func (l *soldLease) post(f func()) {
	select {
	case l.inbox <- f:
	case <-l.p.ctx.Done():
	}
}

func (l *soldLease) run() {
	headers := time.NewTicker(300 * time.Millisecond)
	defer headers.Stop()
	for {
		wait := time.Hour
		if due := l.p.machine.Deadline(l.state); due != 0 {
			wait = max(time.Until(time.Unix(0, due)), time.Millisecond)
		}
		select {
		case <-l.p.ctx.Done():
			return
		case f := <-l.inbox:
			f()
		case <-headers.C:
			if h, err := l.p.ledger.Header(l.p.ctx); err == nil && !l.p.isGone() {
				l.step(contract.HeaderSeen{At: now(), Header: h.Time})
			}
		case <-time.After(wait):
			if !l.p.isGone() {
				l.step(contract.Tick{At: now()})
			}
		}
	}
}

func (p *seller) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// vanish cuts everything; the machine goes no further.
func (p *seller) vanish() {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	for _, c := range p.host.Network().Conns() {
		c.Close()
	}
}

// dial opens the lease stream, again and again.
func (l *soldLease) dial(publisher types.Address) {
	if l.dialing || l.stream != nil || l.p.isGone() {
		return
	}
	l.dialing = true
	l.p.wg.Go(func() {
		ctx, cancel := context.WithTimeout(l.p.ctx, 5*time.Second)
		defer cancel()
		err := peer.Dial(ctx, l.p.host, publisher, l.addrs)
		var s network.Stream
		if err == nil {
			s, err = peer.Open(ctx, l.p.host, publisher, peer.LeaseProtocol)
		}
		if err != nil {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-l.p.ctx.Done():
			}
		}
		l.post(func() {
			l.dialing = false
			if err != nil {
				l.redial()
				return
			}
			l.stream = s
			l.p.wg.Go(func() { l.read(s) })
			l.step(contract.LinkUp{At: now()})
		})
	})
}

func (l *soldLease) redial() {
	if l.wants() {
		l.dial(l.publisher())
	}
}

// wants reports whether the lease has something to say.
func (l *soldLease) wants() bool {
	p := l.state.Phase
	return p == contract.Matched || l.state.Record.Phase != "" && !p.Ended()
}

func (l *soldLease) publisher() types.Address { return l.state.Record.Contract.Publisher }

func (l *soldLease) read(s network.Stream) {
	in := bufio.NewReader(s)
	for {
		m, err := protocol.ReadMessage(in)
		l.post(func() {
			if l.stream != s {
				return
			}
			if err != nil {
				l.stream = nil
				s.Reset()
				l.step(contract.LinkDown{At: now(), Reason: err.Error()})
				l.redial()
				return
			}
			if _, ok := m.(*protocol.Offer); ok && l.p.mute {
				l.p.muted.Add(1)
				return
			}
			l.step(contract.Received{At: now(), Message: m})
		})
		if err != nil {
			return
		}
	}
}

func (l *soldLease) step(e contract.Event) {
	next, effects, err := l.p.machine.Step(l.state, e)
	if err != nil {
		l.p.t.Logf("provider: %T: %v", e, err)
		if errors.Is(err, contract.ErrPeer) && l.stream != nil {
			l.stream.Reset()
		}
		return
	}
	if l.p.talkative {
		l.p.t.Logf("%s provider %T: %s -> %s frozen %v %s", time.Now().Format("05.000"), e, l.state.Phase, next.Phase, next.Frozen, next.Reason)
		for _, x := range effects {
			l.p.t.Logf("   %T %+v", x, x)
		}
	}
	l.state = next
	if err := l.p.machine.Check(next); err != nil {
		l.p.t.Errorf("provider: %v", err)
	}
	l.mu.Lock()
	l.latest = next
	l.mu.Unlock()
	var answers []contract.Event
	for _, e := range effects {
		if a := l.do(e); a != nil {
			answers = append(answers, a)
		}
	}
	for _, a := range answers {
		l.step(a)
	}
}

// snapshot is the state for the test's goroutine.
func (l *soldLease) snapshot() contract.ProviderState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest
}

func (l *soldLease) do(e contract.Effect) contract.Event {
	p := l.p
	switch e := e.(type) {
	case contract.Send:
		if l.stream != nil {
			l.stream.SetWriteDeadline(time.Now().Add(5 * time.Second))
			protocol.WriteMessage(l.stream, e.Message)
		}
	case contract.Hangup:
		if l.stream != nil {
			l.stream.CloseWrite()
		}
	case contract.VerifyChannel:
		p.wg.Go(func() {
			c, h, err := p.ledger.Channel(p.ctx, e.ID)
			seen := contract.ChannelSeen{At: now(), Header: h.Time}
			if err == nil {
				proven := c.Proven(p.ledger.LedgerID())
				seen.Channel = &proven
			}
			l.post(func() { l.step(seen) })
		})
	case contract.Provision:
		if p.stuck {
			return nil
		}
		l.set(true, false)
		l.post(func() { l.step(contract.Provisioned{At: now()}) })
	case contract.Freeze:
		l.set(l.exists, true)
	case contract.Thaw:
		l.set(l.exists, false)
	case contract.Destroy:
		l.set(false, false)
	case contract.Measure:
		u := l.usage()
		u[pricing.CPUUser] = u[pricing.CPUUser] * p.lie / 100
		return contract.Metered{At: now(), TimeNS: time.Now().UnixNano(), Usage: u, Rebase: e.Rebase}
	case contract.SubmitClose:
		if p.stuck {
			return nil
		}
		p.wg.Go(func() { l.close(e) })
	}
	return nil
}

// close settles; a cheat tries once more with a claim of its own making.
func (l *soldLease) close(e contract.SubmitClose) {
	p := l.p
	if p.closeTwice && e.Voucher != nil {
		forged := *e.Voucher
		forged.Amount *= 2
		_, err := p.ledger.Submit(p.ctx, p.key, chain.Body{Close: &chain.Close{Channel: e.Channel, Claim: forged.Amount, Voucher: &forged}})
		if err == nil {
			p.t.Error("a forged voucher was accepted")
		}
	}
	body := chain.Body{Close: &chain.Close{Channel: e.Channel, Claim: e.Claim, Voucher: e.Voucher}}
	r, err := p.ledger.Submit(p.ctx, p.key, body)
	if p.closeTwice && err == nil && e.Voucher != nil {
		again := chain.Body{Close: &chain.Close{Channel: e.Channel, Claim: e.Claim - 1, Voucher: e.Voucher}}
		if _, err := p.ledger.Submit(p.ctx, p.key, again); !errors.Is(err, client.ErrRejected) {
			p.t.Errorf("a channel was closed twice: %v", err)
		}
	}
	l.post(func() {
		if err != nil {
			l.step(contract.SettleFailed{At: now(), Reason: err.Error()})
			return
		}
		l.step(contract.Settled{At: now(), Tx: r.Tx, Height: r.Height, Claim: e.Claim})
	})
}

// set changes the container, whose one core is half used while it runs.
func (l *soldLease) set(exists, frozen bool) {
	l.usage()
	l.exists, l.frozen = exists, frozen
}

func (l *soldLease) usage() pricing.Usage {
	if l.exists && !l.frozen {
		l.used += uint64(time.Since(l.since)) / 2
		if l.p.busy {
			l.used += uint64(time.Since(l.since)) / 3
		}
	}
	l.since = time.Now()
	return pricing.Usage{pricing.CPUUser: l.used}
}

// byContract finds a lease.
func (p *seller) byContract(id types.Hash) *soldLease {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.leases {
		if l.snapshot().Record.Contract.ID() == id {
			return l
		}
	}
	return nil
}

// worker serves worker streams: readings, and an echo on control connections.
func (p *seller) worker(s network.Stream) {
	defer s.Close()
	in := bufio.NewReader(s)
	head, err := protocol.Read[protocol.StreamHeader](in)
	if err != nil {
		return
	}
	l := p.byContract(head.Contract)
	hello, err := protocol.Read[protocol.WorkerHello](in)
	if err != nil || l == nil {
		s.Reset()
		return
	}
	if hello.Purpose != protocol.PurposeMeasure {
		protocol.WriteMessage(s, &protocol.Greeting{Version: protocol.WorkerVersion})
		protocol.Read[protocol.Measure](in) // until it ends
		return
	}
	for {
		m, err := protocol.Read[protocol.Measure](in)
		if err != nil {
			return
		}
		answer := make(chan *protocol.Reading, 1)
		l.post(func() {
			if l.exists && !l.frozen {
				answer <- &protocol.Reading{Seq: m.Seq, TimeNS: time.Now().UnixNano(), Usage: l.usage()}
			} else {
				close(answer)
			}
		})
		select {
		case r := <-answer:
			if r == nil || protocol.WriteMessage(s, r) != nil {
				s.Reset()
				return
			}
		case <-p.ctx.Done():
			return
		}
	}
}

// cacheShare is how many bytes a seller takes for a cache.
const cacheShare = 1000

// stage takes blobs.
func (p *seller) stage(s network.Stream) {
	defer s.Close()
	if _, err := protocol.Read[protocol.StreamHeader](s); err != nil {
		s.Reset()
		return
	}
	if _, err := blob.Receive(p.ctx, s, p.blobs, blob.Intake{Limit: 1 << 30, Share: cacheShare}); err != nil {
		s.Reset()
	}
}

// leaseWith is the only lease of a provider that got a channel.
func (p *seller) funded() []*soldLease {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*soldLease
	for _, l := range p.leases {
		if !l.snapshot().Record.Channel.IsZero() {
			out = append(out, l)
		}
	}
	return out
}
