package lease

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// TestMain lets many tests wait side by side: they sleep more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// bench is a publisher's place, without a market yet.
type bench struct {
	t       testing.TB
	key     types.PrivateKey
	host    host.Host
	ledger  *testLedger
	journal *testJournal
	market  *Market
	grace   time.Duration
	life    time.Duration
	talk    uint32 // seconds that a negotiation may take; 0: as the machines' default
	start   uint32 // seconds that a start may stand still; 0: as the machines' default
	client  func() Ledger
}

const testBudget = 5 * types.XEN

// newBench has patience with a busy machine: nothing freezes or is lost within
// some seconds.
func newBench(t testing.TB) *bench { return benchWith(t, 4*time.Second, 10, time.Minute) }

func benchWith(t testing.TB, grace time.Duration, marginSeconds int64, life time.Duration) *bench {
	t.Helper()
	b := &bench{t: t, key: newKey(t, 1), journal: newTestJournal(testBudget), grace: grace, life: life}
	b.on(newTestLedger(t, marginSeconds, b.key))
	b.host = b.newHost(loopback)
	return b
}

// on puts the bench on a ledger.
func (b *bench) on(l *testLedger) {
	b.ledger, b.client = l, func() Ledger { return l.client() }
}

const loopback = "/ip4/127.0.0.1/tcp/0"

func (b *bench) newHost(listen string) host.Host {
	b.t.Helper()
	h, err := peer.New(b.key, []string{listen})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { h.Close() })
	return h
}

// open opens the market, as after every start.
func (b *bench) open() *Market {
	b.t.Helper()
	params := b.ledger.machineParams()
	params.TimeoutSeconds, params.StartSeconds = map[contract.Phase]uint32{contract.Negotiating: b.talk}, b.start
	m, err := Open(Config{Key: b.key, Host: b.host, Ledger: b.client(), Journal: b.journal, Params: params,
		Interval: time.Second, Grace: b.grace, Gather: 100 * time.Millisecond, Service: 10 * time.Second, Lifetime: b.life,
		Log: slog.New(slog.NewTextHandler(testWriter{b.t}, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		b.t.Fatal(err)
	}
	b.market = m
	b.t.Cleanup(func() { m.Close() })
	return m
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// restart closes the market as a kill does and opens it again at the same place.
func (b *bench) restart() *Market {
	b.t.Helper()
	listen := peer.Addrs(b.host)[0]
	b.market.Close()
	b.host.Close()
	b.journal.revive()
	b.host = b.newHost(listen)
	return b.open()
}

func (b *bench) request(count int) Request {
	return Request{Job: "job", Count: count, Budget: testBudget, Since: b.journal.job.Since, Seconds: 60, Deadline: time.Now().Add(20 * time.Second),
		Spec: protocol.Spec{MilliCPU: 1000, Memory: 64 << 20, Disk: 64 << 20, Pids: 64, Image: "host", Programs: []string{"gmx"}}}
}

func (b *bench) context(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	b.t.Cleanup(cancel)
	return ctx
}

// acquire leases what must be had.
func (b *bench) acquire(r Request) []*Lease {
	b.t.Helper()
	var got []*Lease
	if err := b.market.Acquire(b.context(30*time.Second), r, func(l *Lease) { got = append(got, l) }); err != nil {
		b.t.Fatal(err)
	}
	if len(got) != r.Count {
		b.t.Fatalf("%d leases, asked for %d", len(got), r.Count)
	}
	return got
}

// until waits for something that the ledger's blocks give time for.
func (b *bench) until(d time.Duration, what string, done func() bool) {
	b.t.Helper()
	ctx := b.context(d)
	for !done() {
		select {
		case <-ctx.Done():
			b.t.Fatalf("%s: not within %v", what, d)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// settled checks a lease that must be settled: once, for its best voucher, and
// for what the agreed counters cost.
func (b *bench) settled(id types.Hash) journal.Lease {
	b.t.Helper()
	l := b.journal.lease(id)
	ends := b.ledger.settlements(l.Channel)
	if l.State != journal.LeaseSettled || len(ends) != 1 {
		b.t.Fatalf("lease %s is %s, %d settlements", id.Short(), l.State, len(ends))
	}
	claim := types.Amount(0)
	if c := ends[0].Tx.Body.Close; c != nil {
		claim = c.Claim
	}
	if l.Claim != claim || l.CloseTx != ends[0].Tx.ID() {
		b.t.Errorf("journal: claim %d by %s, ledger: %d by %s", l.Claim, l.CloseTx.Short(), claim, ends[0].Tx.ID().Short())
	}
	if claim > 0 {
		bill, err := l.Contract.Terms.Rates.Bill(l.LastPaid.Agreed)
		if unsent := b.journal.failed() && claim < l.Paid(); err != nil || bill != l.Paid() || bill != claim && !unsent {
			b.t.Errorf("claim %d, voucher %d, the agreed counters cost %d (%v)", claim, l.Paid(), bill, err)
		}
	}
	return l
}

// One lease from announcement to receipt: staged, paid by the interval, settled
// once, and the sum of the journal's costs is what the publisher paid.
func TestOneLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := newSeller(t, b.ledger, 2)
	b.open()
	l := b.acquire(b.request(1))[0]
	if l.Provider() != p.key.Address() || l.Programs()["gmx"] != "2022.5" || l.Job() != "job" {
		t.Errorf("lease of %s with %v for %s", l.Provider(), l.Programs(), l.Job())
	}
	data := []byte("some input")
	hash := types.Hash(sha256.Sum256(data))
	get := func(types.Hash) ([]byte, error) { return data, nil }
	for range 2 {
		if err := l.Stage(b.context(5*time.Second), []types.Hash{hash}, get); err != nil {
			t.Fatal(err)
		}
	}
	if back, err := p.blobs.Get(hash); err != nil || !bytes.Equal(back, data) {
		t.Errorf("staged %q (%v)", back, err)
	}
	kept := bytes.Repeat([]byte("split"), cacheShare/5)
	name := types.Hash(sha256.Sum256(kept))
	keep := func(types.Hash) ([]byte, error) { return kept, nil }
	if err := l.Cache(b.context(5*time.Second), []types.Hash{name}, keep); err != nil || !p.blobs.Has(name) {
		t.Errorf("cached: %v", err)
	}
	none := func(types.Hash) ([]byte, error) { return nil, blob.ErrMissing }
	if err := l.Cache(b.context(5*time.Second), []types.Hash{name, hash}, none); err != nil {
		t.Errorf("what is there: %v", err)
	}
	if err := l.Cache(b.context(5*time.Second), []types.Hash{name, {1}}, none); !errors.Is(err, blob.ErrMissing) {
		t.Errorf("what is not there: %v", err)
	}
	more := append(kept, kept...)
	if err := l.Cache(b.context(5*time.Second), []types.Hash{sha256.Sum256(more)}, func(types.Hash) ([]byte, error) { return more, nil }); !errors.Is(err, blob.ErrRefused) {
		t.Errorf("more than the provider takes: %v", err)
	}
	w, err := l.Worker(b.context(5 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.WriteMessage(w, &protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeControl}); err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.Read[protocol.Greeting](w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	b.until(20*time.Second, "two payments", func() bool { p := b.journal.lease(l.ID()).LastPaid; return p != nil && p.Voucher.Seq >= 2 })
	if bill, paid := l.Spent(); bill == 0 || bill != paid || l.Frozen() {
		t.Errorf("bill %d, paid %d, frozen %v", bill, paid, l.Frozen())
	}
	if err := l.Close(b.context(20*time.Second), "done"); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(l.Err(), ErrEnded) {
		t.Errorf("lease ended with %v", l.Err())
	}
	record := b.settled(l.ID())
	if record.Verdict != chain.VerdictOK || record.ReceiptTx.IsZero() {
		t.Errorf("verdict %q, receipt %s", record.Verdict, record.ReceiptTx.Short())
	}
	b.balanced()
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	if got := len(b.ledger.state.Announcements()); got != 0 {
		t.Logf("%d announcements left to expire", got)
	}
}

// sum is what the journal says that the job has cost.
func (b *bench) sum() types.Amount {
	b.journal.mu.Lock()
	defer b.journal.mu.Unlock()
	return b.journal.cost()
}

// balanced checks the books once all is settled: the journal's costs are what the
// publisher's account lost.
func (b *bench) balanced() {
	b.t.Helper()
	sum := b.sum()
	if lost := b.ledger.spent(b.key.Address()); lost != sum {
		b.t.Errorf("the account lost %d, the journal says %d", lost, sum)
	}
	if s := b.ledger.supply(); s.Deposits != 0 {
		b.t.Errorf("%s still locked", s.Deposits)
	}
}

// Offers are awaited in proportion to how far away the first one was.
func TestGathering(t *testing.T) {
	for _, c := range []struct{ took, most, want time.Duration }{
		{0, time.Second, leastGather},
		{5 * time.Millisecond, time.Second, leastGather},
		{30 * time.Millisecond, time.Second, 90 * time.Millisecond},
		{400 * time.Millisecond, time.Second, time.Second},
		{time.Hour, 10 * time.Millisecond, 10 * time.Millisecond},
	} {
		if got := gathering(c.took, c.most); got != c.want {
			t.Errorf("after %v, at most %v: %v, want %v", c.took, c.most, got, c.want)
		}
	}
}

// Containers are spread over distinct providers before the cheapest is taken
// twice; denied ones are never taken, avoided ones last.
func TestChoice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var sellers []*seller
	for i := range byte(3) {
		p := newSeller(t, b.ledger, 2+i)
		sellers = append(sellers, p)
	}
	b.open()
	r := b.request(3)
	r.MinProviders = 2
	r.Deny = []types.Address{sellers[0].key.Address()}
	count := map[types.Address]int{}
	leases := b.acquire(r)
	for _, l := range leases {
		count[l.Provider()]++
	}
	if len(count) != 2 || count[r.Deny[0]] > 0 {
		t.Errorf("leases with %v", count)
	}
	var wg sync.WaitGroup
	for _, l := range leases {
		wg.Go(func() {
			if err := l.Close(b.context(20*time.Second), "done"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.balanced()
}

// The order of offers, without a network.
func TestBest(t *testing.T) {
	a, c, d := newKey(t, 2).Address(), newKey(t, 3).Address(), newKey(t, 4).Address()
	offerOf := func(p types.Address, rate types.Amount, wall uint64) offer {
		return offer{&session{provider: p}, protocol.Capabilities{MaxRate: rate, Benchmarks: []protocol.Benchmark{{Name: "float", WallNS: wall}}}}
	}
	for name, x := range map[string]struct {
		q    *request
		held map[types.Address]int
		want int
		best int
	}{
		"cheapest":                {&request{offers: []offer{offerOf(a, 9, 100), offerOf(c, 7, 100), offerOf(d, 8, 100)}}, nil, 1, 1},
		"for the work it does":    {&request{offers: []offer{offerOf(a, 9, 50), offerOf(c, 7, 100)}}, nil, 1, 0},
		"near to its input":       {&request{Request: Request{Near: map[types.Address]float64{a: 0.5}}, offers: []offer{offerOf(a, 9, 100), offerOf(c, 7, 100)}}, nil, 1, 0},
		"too dear for that":       {&request{Request: Request{Near: map[types.Address]float64{a: 0.5}}, offers: []offer{offerOf(a, 11, 100), offerOf(c, 7, 100)}}, nil, 1, 1},
		"spread":                  {&request{offers: []offer{offerOf(a, 1, 100), offerOf(c, 7, 100)}}, map[types.Address]int{a: 1}, 1, 1},
		"avoided last":            {&request{Request: Request{Avoid: []types.Address{a}}, offers: []offer{offerOf(a, 1, 100), offerOf(c, 7, 100)}}, map[types.Address]int{c: 3}, 1, 1},
		"avoided, nobody else":    {&request{Request: Request{Avoid: []types.Address{a}}, offers: []offer{offerOf(a, 1, 100)}}, nil, 1, 0},
		"kept for other ones":     {&request{Request: Request{MinProviders: 2}, offers: []offer{offerOf(a, 1, 100)}}, map[types.Address]int{a: 1}, 1, -1},
		"more than distinct ones": {&request{Request: Request{MinProviders: 2}, offers: []offer{offerOf(a, 1, 100)}}, map[types.Address]int{a: 1}, 2, 0},
	} {
		if got := x.q.best(x.held, x.want); got != x.best {
			t.Errorf("%s: took %d, want %d", name, got, x.best)
		}
	}
}

// What cannot be had is said in a sentence, and nothing but fees is spent.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Request, *seller)
		kind   error
		words  []string
	}{
		"nobody there": {func(r *Request, p *seller) { p.vanish() }, ErrNoOffers, []string{"1 cpu", "gmx", "no provider answered"}},
		"denied":       {func(r *Request, p *seller) { r.Deny = []types.Address{p.key.Address()} }, ErrNoOffers, []string{"1 providers answered", "denied"}},
		"no program":   {func(r *Request, p *seller) { r.Spec.Programs = []string{"lammps"} }, ErrNoOffers, []string{"has no lammps"}},
		"too dear":     {func(r *Request, p *seller) { r.MaxRate = p.caps.MaxRate / 2 }, ErrNoOffers, []string{"at most", "no agreement"}},
		"min":          {func(r *Request, p *seller) { r.MinProviders = 2 }, ErrNoOffers, []string{"fewer than providers.min"}},
		"no budget":    {func(r *Request, p *seller) { r.Budget = 1 }, ErrNotAffordable, []string{"0.000000001 XEN"}},
		"small budget": {func(r *Request, p *seller) { r.Budget = 200_000 }, ErrNotAffordable, []string{"deposit", "budget"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			p := newSeller(t, b.ledger, 2)
			r := b.request(2)
			r.Deadline = time.Now().Add(5 * time.Second) // a busy machine must have answered by then
			if name != "min" {
				r.Count = 1
			}
			c.change(&r, p)
			b.open()
			var got []*Lease
			err := b.market.Acquire(b.context(20*time.Second), r, func(l *Lease) { got = append(got, l) })
			if name != "min" && len(got) > 0 {
				t.Errorf("got a lease with %s", got[0].Provider())
			}
			for _, l := range got {
				if err := l.Close(b.context(20*time.Second), "not wanted"); err != nil {
					t.Error(err)
				}
			}
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			b.until(20*time.Second, "nothing locked", func() bool { return b.ledger.supply().Deposits == 0 })
			if lost := b.ledger.spent(b.key.Address()); lost > 2*types.XEN/1000 {
				t.Errorf("%s spent", lost)
			}
		})
	}
}

// Strangers get nothing: a lease resumed by another peer, an offer for no
// announcement, a first frame that is neither.
func TestStrangers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	newSeller(t, b.ledger, 2)
	m := b.open()
	if err := m.Recover(b.context(5*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	l := b.acquire(b.request(1))[0]
	other, err := peer.New(newKey(t, 9), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := peer.Dial(b.context(5*time.Second), other, b.key.Address(), peer.Addrs(b.host)); err != nil {
		t.Fatal(err)
	}
	ask := func(first protocol.Message) (protocol.Message, error) {
		s, err := peer.Open(b.context(5*time.Second), other, b.key.Address(), peer.LeaseProtocol)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.SetDeadline(time.Now().Add(5 * time.Second))
		if err := protocol.WriteMessage(s, first); err != nil {
			t.Fatal(err)
		}
		return protocol.ReadMessage(s)
	}
	if m, err := ask(&protocol.Resume{Contract: l.ID()}); err != nil {
		t.Error(err)
	} else if _, dropped := m.(*protocol.Drop); !dropped {
		t.Errorf("another's lease was resumed: %T", m)
	}
	if m, err := ask(&protocol.Capabilities{Announcement: types.Hash{1}, Cores: 1, Memory: 1, Slots: 1}); err != nil {
		t.Error(err)
	} else if _, no := m.(*protocol.Reject); !no {
		t.Errorf("an offer for nothing was taken: %T", m)
	}
	if m, err := ask(&protocol.Bye{}); err == nil {
		t.Errorf("a stream that begins with BYE was answered: %T", m)
	}
	if l.Err() != nil {
		t.Errorf("the lease ended: %v", l.Err())
	}
	if err := l.Close(b.context(20*time.Second), "done"); err != nil {
		t.Fatal(err)
	}
}
