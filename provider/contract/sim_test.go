package contract

import (
	"bytes"
	"container/heap"
	"fmt"
	"strings"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/protocol"
)

// A simulation of one lease: both machines, each with a disk that survives its
// crashes, a network that may lose, double, delay and replay, a container that
// uses what it likes, and a ledger with the real rules. Its clock is virtual.

const (
	startAt  = int64(1_000_000) // Unix seconds
	latency  = 20 * second / 1000
	ledgerMS = 50 * second / 1000 // one read of the ledger
	redial   = second
)

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

type task struct {
	at, seq int64
	run     func()
}

type tasks []task

func (q tasks) Len() int { return len(q) }
func (q tasks) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q tasks) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *tasks) Push(x any)   { *q = append(*q, x.(task)) }
func (q *tasks) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// sim is the world of one lease.
type sim struct {
	t     fataler
	now   int64
	seq   int64
	queue tasks
	trace strings.Builder
	quiet bool // no trace

	a *publisherSide
	b *providerSide
	l *simLedger
	c *container

	// The network.
	linked bool
	epoch  int // of the link: what an old one carries is lost
	cut    bool
	// fault decides what becomes of a message: the delays of its copies.
	fault func(from string, m protocol.Message) []int64
	said  map[string][]protocol.Message // everything that was sent, for replays

	punctual bool // the provider's driver was never down: its loss must stay within E
	honest   bool // the provider's counts are true
}

type simConfig struct {
	interval  int32
	grace     uint32
	holdback  types.Amount
	load      int64 // thousandths of the container's core in use
	lie       int64 // percent that the provider reports; 100 = true
	lease     int64 // seconds to the channel's expiry
	topUp     uint32
	extend    uint32 // LeaseSeconds of the publisher's policy
	limit     types.Amount
	reserve   uint32
	deposit   types.Amount // the first; 0 = three times the least
	margin    uint32
	maxFactor int64 // maxRate in percent of a core's price; 0 = 110
}

// perSecond is what one core costs, nXEN a second.
const perSecond = 1_000_000

func testKey(name string) types.PrivateKey {
	h := types.HashOf("test-key", []byte(name))
	k, err := types.KeyFromBytes(h[:])
	if err != nil {
		panic(err)
	}
	return k
}

func newSim(t fataler, cfg simConfig) *sim {
	s := &sim{t: t, now: startAt * second, said: map[string][]protocol.Message{}, punctual: true}
	if cfg.interval == 0 {
		cfg.interval, cfg.grace = 2, 4
	}
	if cfg.lie == 0 {
		cfg.lie = 100
	}
	if cfg.lease == 0 {
		cfg.lease = 600
	}
	if cfg.margin == 0 {
		cfg.margin = 12
	}
	if cfg.maxFactor == 0 {
		cfg.maxFactor = 110
	}
	s.honest = cfg.lie == 100
	pub, prov := testKey("publisher"), testKey("provider")
	s.l = newSimLedger(s, pub.Address(), cfg.margin)
	params := Params{MarginSeconds: cfg.margin, SamplesPerInterval: 4, Strikes: 3, RetrySeconds: 2}
	spec := protocol.Spec{MilliCPU: uint32(max(1000, cfg.load)), Memory: 1 << 30, Disk: 1 << 30, Pids: 100, Image: "host"}
	caps := protocol.Capabilities{Cores: 2, Memory: 4 << 30, Disk: 4 << 30, Slots: 1, MaxRate: types.Amount(36 * perSecond * cfg.maxFactor),
		Rates: pricing.Rates{pricing.CPUUser: {NXEN: 3600 * perSecond, Per: 3600e9}}}
	s.c = &container{sim: s, load: cfg.load, spec: spec}
	s.a = &publisherSide{sim: s, spec: spec, m: Publisher{Key: pub, Ledger: s.l.chain.Ledger(), Params: params, Policy: PublisherPolicy{
		MaxRate: cfg.limit, MaxIntervalSeconds: 60, MaxGraceSeconds: 60, MaxLeaseSeconds: 10_000, TopUpSeconds: cfg.topUp, LeaseSeconds: cfg.extend}}}
	s.b = &providerSide{sim: s, spec: spec, caps: caps, lie: cfg.lie, m: Provider{Key: prov, Ledger: s.l.chain.Ledger(), Params: params, Policy: ProviderPolicy{
		ReservePPM: cfg.reserve, MinIntervalSeconds: 1, MaxIntervalSeconds: 60, MinGraceSeconds: 1, MaxGraceSeconds: 60,
		MaxHoldback: types.XEN, MaxLeaseSeconds: 10_000}}}
	s.a.terms = func(c protocol.Capabilities) protocol.Terms {
		terms := protocol.Terms{Rates: c.Rates, MaxRate: c.MaxRate, IntervalSeconds: cfg.interval, GraceSeconds: cfg.grace,
			TolerancePPM: 50_000, Holdback: cfg.holdback, Expiry: s.now/second + cfg.lease}
		if cfg.limit > 0 && terms.MaxRate > cfg.limit {
			terms = s.a.m.Policy.acceptable(terms, terms, s.now/second)
		}
		if terms.Deposit = cfg.deposit; terms.Deposit == 0 {
			terms.Deposit = 3 * MinDeposit(terms)
		}
		return terms
	}
	s.l.next()
	return s
}

// in runs fn after some time.
func (s *sim) in(after int64, fn func()) {
	s.seq++
	heap.Push(&s.queue, task{s.now + max(after, 0), s.seq, fn})
}

// logf adds a line to the transcript.
func (s *sim) logf(who, format string, args ...any) {
	if s.quiet {
		return
	}
	ms := (s.now - startAt*second) / (second / 1000)
	fmt.Fprintf(&s.trace, "%4d.%03d %s %s\n", ms/1000, ms%1000, who, fmt.Sprintf(format, args...))
}

// meet lets the provider answer the publisher's announcement.
func (s *sim) meet() {
	s.linked = true
	s.epoch++
	s.a.state, s.a.up = NewPublisher(s.b.m.Key.Address(), s.a.spec, s.now), true
	s.b.state, s.b.up = NewProvider(), true
	s.b.step(Match{At: s.at(), Publisher: s.a.m.Key.Address(), Spec: s.b.spec, Capabilities: s.b.caps})
	s.b.step(LinkUp{At: s.at()})
}

func (s *sim) at() At { return At(s.now) }

// run goes on for some virtual time, or until both sides have ended.
func (s *sim) run(d int64) {
	end := s.now + d
	for last, ticks := s.now, 0; ; ticks++ {
		if s.now != last {
			last, ticks = s.now, 0
		} else if ticks > 10_000 {
			s.t.Fatalf("nothing moves the clock on at %d: A %s until %d, B %s until %d", s.now, s.a.state.Phase, s.a.due(), s.b.state.Phase, s.b.due())
		}
		next := end
		if len(s.queue) > 0 {
			next = min(next, s.queue[0].at)
		}
		if due := s.a.due(); due != 0 {
			next = min(next, max(due, s.now))
		}
		if due := s.b.due(); due != 0 {
			next = min(next, max(due, s.now))
		}
		s.now = max(s.now, next)
		if s.now >= end {
			s.now = end
			return
		}
		switch {
		case len(s.queue) > 0 && s.queue[0].at <= s.now:
			heap.Pop(&s.queue).(task).run()
		case s.b.due() != 0 && s.b.due() <= s.now:
			s.b.step(Tick{s.at()})
		case s.a.due() != 0 && s.a.due() <= s.now:
			s.a.step(Tick{s.at()})
		}
	}
}

// send puts a message on the wire.
func (s *sim) send(from string, m protocol.Message) {
	data, err := protocol.AppendFrame(nil, m)
	if err != nil {
		s.t.Fatalf("%s sends %T: %v", from, m, err)
	}
	copied, err := protocol.ReadMessage(bytes.NewReader(data))
	if err != nil {
		s.t.Fatalf("%s sends a %T that is refused: %v", from, m, err)
	}
	s.said[from] = append(s.said[from], copied)
	delays := []int64{latency}
	if s.fault != nil {
		delays = s.fault(from, copied)
	}
	for _, d := range delays {
		s.deliver(from, copied, d)
	}
}

func (s *sim) deliver(from string, m protocol.Message, delay int64) {
	epoch := s.epoch
	s.in(delay, func() {
		if !s.linked || s.epoch != epoch {
			return
		}
		e := Received{s.at(), m}
		if from == "A" {
			s.b.step(e)
		} else {
			s.a.step(e)
		}
	})
}

// unlink breaks the link; both ends that are up learn of it.
func (s *sim) unlink(reason string) {
	if !s.linked {
		return
	}
	s.linked = false
	if s.a.up {
		s.a.step(LinkDown{s.at(), reason})
	}
	if s.b.up {
		s.b.step(LinkDown{s.at(), reason})
	}
	s.in(redial, s.redial)
}

// redial is the provider's attempt to resume.
func (s *sim) redial() {
	switch {
	case s.linked || s.b.done():
		return
	case s.cut || !s.a.up || !s.b.up:
		s.in(redial, s.redial)
		return
	case !s.b.state.talk.accepted:
		return
	}
	s.linked = true
	s.epoch++
	if s.a.known() {
		s.a.step(LinkUp{s.at()})
		s.b.step(LinkUp{s.at()})
		return
	}
	s.b.step(LinkUp{s.at()}) // nobody there knows the lease
	s.logf("A", "> Drop (lease not known)")
	s.deliver("A", &protocol.Drop{Reason: "no such lease"}, latency)
}

// container uses CPU while it runs; memory all the time.
type container struct {
	sim    *sim
	spec   protocol.Spec
	exists bool
	frozen bool
	load   int64 // thousandths of a core
	since  int64 // when cpu was brought up to date
	cpu    uint64
	billed uint64 // CPU while it was also metered or should have been: no agent was down
}

func (c *container) update() {
	if c.exists && !c.frozen {
		used := uint64((c.sim.now - c.since) * c.load / 1000)
		c.cpu += used
		if c.sim.b.up {
			c.billed += used
		}
	}
	c.since = c.sim.now
}

func (c *container) set(exists, frozen bool) {
	c.update()
	c.exists, c.frozen = exists, frozen
}

func (c *container) read() pricing.Usage {
	c.update()
	return pricing.Usage{pricing.CPUUser: c.cpu}
}

// worth is the price of all that was used while somebody could have metered it.
func (c *container) worth() types.Amount {
	c.update()
	return types.Amount(c.billed / uint64(second/perSecond))
}

// disk is what survives a crash; it fails at a chosen write.
type disk struct {
	crashAt int  // number of the write at which the machine dies; 0 = never
	after   bool // it dies after that write instead of before
	writes  int
}

// write reports whether the write took place and whether the writer lives on.
func (d *disk) write() (stored, alive bool) {
	d.writes++
	if d.writes != d.crashAt {
		return true, true
	}
	return d.after, false
}

var _ channel.Proven

// simLedger is a ledger with the real rules and a block every second.
type simLedger struct {
	sim     *sim
	chain   *chain.State
	kv      chain.KV
	pool    []pooled
	stopped bool
	margin  uint32
	genesis types.Amount
}

type pooled struct {
	tx   chain.Tx
	done func(chain.Result)
}

func newSimLedger(s *sim, rich types.Address, margin uint32) *simLedger {
	p := chain.DevParams()
	p.RefundDepth, p.MarginSeconds = 3, int64(margin)
	d := testKey("delegate")
	g := chain.Genesis{Params: p, Time: startAt, Random: types.Hash{1},
		Accounts:  []chain.GenesisAccount{{Address: rich, Amount: 1000 * types.XEN}, {Address: d.Address(), Amount: types.XEN}},
		Delegates: []chain.GenesisDelegate{{Address: d.Address(), ConsensusKey: testConsensusKey(), Name: "d"}}}
	kv := chain.NewMemKV()
	st, err := chain.Init(kv, g)
	if err != nil {
		s.t.Fatalf("genesis: %v", err)
	}
	return &simLedger{sim: s, chain: st, kv: kv, margin: margin}
}

func (l *simLedger) next() { l.sim.in(second, l.block) }

func (l *simLedger) block() {
	defer l.next()
	if l.stopped {
		return
	}
	s := l.sim
	l.chain.BeginBlock(chain.BlockInfo{Height: l.chain.Height() + 1, Time: s.now / second})
	pool := l.pool
	l.pool = nil
	var done []func()
	for _, p := range pool {
		r := chain.Result{}
		if err := l.chain.Validate(&p.tx); err != nil {
			r = chain.Result{Code: 1, Log: err.Error()}
		} else {
			r = l.chain.Apply(&p.tx)
		}
		done = append(done, func() { p.done(r) })
	}
	l.chain.EndBlock()
	if err := l.chain.Check(); err != nil {
		s.t.Fatalf("ledger: %v", err)
	}
	for _, fn := range done {
		fn()
	}
	for _, who := range []interface{ header(int64) }{s.a, s.b} {
		who.header(l.chain.Time())
	}
}

func (l *simLedger) submit(tx chain.Tx, done func(chain.Result)) {
	l.pool = append(l.pool, pooled{tx, done})
}

// seen is a proven read.
func (l *simLedger) seen(id types.Hash) (*channel.Proven, int64) {
	c, ok := l.chain.Channel(id)
	if !ok {
		return nil, l.chain.Time()
	}
	p := c.Proven(l.chain.Ledger())
	return &p, l.chain.Time()
}

// settled tells how a channel ended, if it did.
func (l *simLedger) settled(id types.Hash, at At) (Settled, bool) {
	k, ok := l.chain.Settlement(id)
	if !ok {
		return Settled{}, false
	}
	return Settled{At: at, Tx: types.Hash{1}, Height: k.Height, Claim: k.Claim, Refund: k.Refund}, true
}
