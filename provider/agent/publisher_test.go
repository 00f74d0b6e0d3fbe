package agent

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// testPublisher is a publisher that drives the real machine, and can be told to
// misbehave.
type testPublisher struct {
	t       testing.TB
	key     types.PrivateKey
	host    host.Host
	ledger  *testLedger
	machine contract.Publisher
	terms   func(protocol.Capabilities) protocol.Terms
	spec    protocol.Spec

	mu     sync.Mutex
	leases []*testLease
	filter func(protocol.Message) protocol.Message // what is sent instead; nil loses it
	nonce  func() [16]byte
	grace  uint32 // seconds
	refuse string // why every offer is declined; "" = none is
	wg     sync.WaitGroup
	usable chan *testLease
}

// testLease is one lease on the publisher's side.
type testLease struct {
	p     *testPublisher
	inbox chan func()
	done  chan struct{}

	mu     sync.Mutex
	state  contract.PublisherState
	stream network.Stream
	frozen []string // reasons heard
	ups    int      // streams of the provider
}

const testMilliCPU = 1000

func testSpec() protocol.Spec {
	return protocol.Spec{MilliCPU: testMilliCPU, Memory: 64 << 20, Disk: 16 << 20, Pids: 64, Image: "host"}
}

func newTestPublisher(t testing.TB, seed byte, l *testLedger) *testPublisher {
	t.Helper()
	key := newKey(t, seed)
	h, err := peer.New(key, []string{"/ip4/127.0.0.1/tcp/0"})
	if err != nil {
		t.Fatal(err)
	}
	p := &testPublisher{t: t, key: key, host: h, ledger: l, spec: testSpec(), grace: 1, usable: make(chan *testLease, 64),
		machine: contract.Publisher{Key: key, Ledger: l.id, Params: testParams(), Policy: contract.PublisherPolicy{
			MaxIntervalSeconds: 60, MaxGraceSeconds: 60, MaxLeaseSeconds: 3600, TopUpSeconds: 600, LeaseSeconds: 600, TrustMeter: true}}}
	p.terms = func(c protocol.Capabilities) protocol.Terms {
		t := protocol.Terms{Rates: c.Rates, MaxRate: c.MaxRate, IntervalSeconds: 1, GraceSeconds: p.grace, TolerancePPM: 50_000,
			Expiry: time.Now().Unix() + 600}
		t.Deposit = contract.MinDeposit(t) * 20
		return t
	}
	h.SetStreamHandler(peer.LeaseProtocol, p.take)
	t.Cleanup(func() {
		h.Close()
		p.mu.Lock()
		leases := p.leases
		p.mu.Unlock()
		for _, l := range leases {
			l.post(func() { close(l.done) })
		}
		p.wg.Wait()
	})
	return p
}

// announce puts an announcement on the ledger.
func (p *testPublisher) announce(count uint16, change ...func(*protocol.Ann)) types.Hash {
	p.t.Helper()
	ann := protocol.Ann{Spec: p.spec, Count: count, Addrs: peer.Addrs(p.host), LeaseSeconds: 600, IntervalSeconds: 1,
		Deadline: time.Now().Unix() + 60}
	for _, c := range change {
		c(&ann)
	}
	tx := p.ledger.prepare(p.key, chain.Body{Announce: &chain.Announce{Body: types.Encode(ann), LifetimeSeconds: 60}})
	if _, err := p.ledger.Broadcast(context.Background(), tx); err != nil {
		p.t.Fatal(err)
	}
	return tx.ID()
}

// take takes a lease stream: a new lease, or one that is resumed.
func (p *testPublisher) take(s network.Stream) {
	who, err := peer.Remote(s)
	if err != nil {
		s.Reset()
		return
	}
	m, err := protocol.ReadMessage(s)
	if err != nil {
		s.Reset()
		return
	}
	p.mu.Lock()
	var l *testLease
	if r, ok := m.(*protocol.Resume); ok {
		for _, other := range p.leases {
			if other.snapshot().Record.Contract.ID() == r.Contract {
				l = other
			}
		}
	} else {
		l = &testLease{p: p, inbox: make(chan func(), 64), done: make(chan struct{}),
			state: contract.NewPublisher(who, p.spec, time.Now().UnixNano())}
		p.leases = append(p.leases, l)
		p.wg.Go(l.run)
	}
	p.mu.Unlock()
	if l == nil {
		s.Reset()
		return
	}
	l.post(func() {
		if old := l.link(s); old != nil {
			old.Reset()
			l.step(contract.LinkDown{At: at(), Reason: "replaced"})
		}
		if l.state.Phase != contract.Announced {
			l.step(contract.LinkUp{At: at()})
		}
		l.step(contract.Received{At: at(), Message: m})
	})
	for {
		m, err := protocol.ReadMessage(s)
		l.post(func() {
			if l.current() != s {
				return
			}
			if err != nil {
				l.link(nil)
				l.step(contract.LinkDown{At: at(), Reason: err.Error()})
				return
			}
			l.step(contract.Received{At: at(), Message: m})
		})
		if err != nil {
			s.Reset()
			return
		}
	}
}

func at() contract.At { return contract.At(time.Now().UnixNano()) }

func (l *testLease) post(f func()) {
	select {
	case l.inbox <- f:
	case <-l.done:
	}
}

func (l *testLease) snapshot() contract.PublisherState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *testLease) current() network.Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream
}

func (l *testLease) link(s network.Stream) (old network.Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, l.stream = l.stream, s
	if s != nil {
		l.ups++
	}
	return old
}

func (l *testLease) run() {
	for {
		wait := time.Hour
		if d := l.p.machine.Deadline(l.state); d != 0 {
			wait = max(time.Millisecond, time.Until(time.Unix(0, d)))
		}
		select {
		case <-l.done:
			return
		case f := <-l.inbox:
			f()
		case <-time.After(wait):
			l.step(contract.Tick{At: at()})
		}
	}
}

func (l *testLease) step(e contract.Event) {
	state, effects, err := l.p.machine.Step(l.snapshot(), e)
	if err != nil {
		l.p.t.Logf("publisher: %T: %v", e, err)
		return
	}
	if r, ok := e.(contract.Received); ok {
		if s, ok := r.Message.(*protocol.State); ok && s.Frozen {
			l.mu.Lock()
			l.frozen = append(l.frozen, s.Reason)
			l.mu.Unlock()
		}
	}
	l.mu.Lock()
	l.state = state
	l.mu.Unlock()
	for _, e := range effects {
		l.do(e)
	}
}

func (l *testLease) do(e contract.Effect) {
	p, ctx := l.p, context.Background()
	switch e := e.(type) {
	case contract.Send:
		p.mu.Lock()
		m := e.Message
		if p.filter != nil {
			m = p.filter(m)
		}
		p.mu.Unlock()
		if s := l.current(); s != nil && m != nil {
			protocol.WriteMessage(s, m)
		}
	case contract.Hangup:
		if s := l.current(); s != nil {
			s.CloseWrite()
		}
	case contract.Offered:
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		if refuse != "" {
			l.step(contract.Decline{At: at(), Reason: refuse})
			return
		}
		choose := contract.Choose{At: at(), Terms: p.terms(e.Capabilities)}
		if rand.Read(choose.Nonce[:]); p.nonce != nil {
			choose.Nonce = p.nonce()
		}
		l.step(choose)
	case contract.OpenChannel:
		// Nonces of one account follow each other: prepared and sent in one go.
		openMu.Lock()
		defer openMu.Unlock()
		tx := p.ledger.prepare(p.key, chain.Body{Open: &chain.Open{Payee: e.Contract.Provider, Contract: e.Contract.ID(), Deposit: e.Deposit, Expiry: e.Expiry}})
		l.step(contract.OpenPrepared{At: at(), Channel: chain.ChannelID(p.ledger.id, p.key.Address(), tx.Body.Nonce), Tx: chain.EncodeTx(tx)})
	case contract.Broadcast:
		tx, err := chain.DecodeTx(e.Tx)
		if err == nil {
			_, err = p.ledger.Broadcast(ctx, tx)
		}
		if err != nil {
			l.step(contract.OpenFailed{At: at(), Reason: err.Error(), Rejected: true})
			return
		}
		l.see(l.snapshot().Record.Channel)
	case contract.PrepareTopUp:
		openMu.Lock()
		defer openMu.Unlock()
		tx := p.ledger.prepare(p.key, chain.Body{TopUp: &chain.TopUp{Channel: e.Channel, Amount: e.Amount, Expiry: e.Expiry}})
		l.step(contract.TopUpPrepared{At: at(), Amount: e.Amount, Expiry: e.Expiry, Tx: chain.EncodeTx(tx)})
	case contract.VerifyChannel:
		l.see(e.ID)
	case contract.Measure:
		l.step(contract.Inside{At: at(), TimeNS: time.Now().UnixNano()})
	case contract.Usable:
		p.usable <- l
	}
}

var openMu sync.Mutex

func (l *testLease) see(id types.Hash) {
	c, h, err := l.p.ledger.Channel(context.Background(), id)
	seen := contract.ChannelSeen{At: at(), Header: h.Time, Height: c.Height}
	if err == nil {
		proven := c.Proven(l.p.ledger.id)
		seen.Channel = &proven
	}
	l.step(seen)
}

// cut closes the connection, and returns when the provider is back.
func (l *testLease) cut() {
	l.p.t.Helper()
	ups := func() int { l.mu.Lock(); defer l.mu.Unlock(); return l.ups }
	before := ups()
	id, err := peer.ID(l.snapshot().Provider)
	if err == nil {
		err = l.p.host.Network().ClosePeer(id)
	}
	if err != nil {
		l.p.t.Fatal(err)
	}
	until(l.p.t, "the provider's return", func() bool { return ups() > before })
}

// leave says BYE.
func (l *testLease) leave(reason string) {
	l.post(func() { l.step(contract.Leave{At: at(), Reason: reason}) })
}

// setFilter decides what is sent from now on.
func (p *testPublisher) setFilter(f func(protocol.Message) protocol.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filter = f
}

// noVouchers is a publisher that takes part in all but paying.
func noVouchers(m protocol.Message) protocol.Message {
	switch m := m.(type) {
	case *protocol.Paid:
		return nil
	case *protocol.Resume:
		cut := *m
		cut.Paid = nil
		return &cut
	}
	return m
}

// open opens a stream for the lease over the connection that stands.
func (l *testLease) open(proto libp2p.ID) (network.Stream, error) {
	s, err := peer.Open(context.Background(), l.p.host, l.snapshot().Provider, proto)
	if err != nil {
		return nil, err
	}
	if err := protocol.WriteMessage(s, &protocol.StreamHeader{Contract: l.snapshot().Record.Contract.ID()}); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return s, nil
}
