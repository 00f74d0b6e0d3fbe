package lease

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// Defaults of Config.
const (
	DefaultInterval = 10 * time.Second
	DefaultGrace    = 20 * time.Second
)

// Bounds of one market.
const (
	firstFrame    = 10 * time.Second // until a provider that dialed says what it wants
	sendTimeout   = 10 * time.Second // of one control message
	ledgerTimeout = 60 * time.Second // of one ledger action; the machines try again
	measureWait   = time.Second      // of a reading from inside

	leastGather = 20 * time.Millisecond

	negotiateSeconds = 8 // all of it: who is slower leaves its place to others while a request waits
)

// Ledger is what a market needs of the ledger (ledger/client).
type Ledger interface {
	LedgerID() types.Hash
	Params() chain.Params
	Header(ctx context.Context) (client.Header, error)
	Account(ctx context.Context, addr types.Address) (chain.Account, client.Header, error)
	Channel(ctx context.Context, id types.Hash) (chain.Channel, client.Header, error)
	Value(ctx context.Context, key []byte) ([]byte, client.Header, error)
	Prepare(ctx context.Context, key types.PrivateKey, body chain.Body) (chain.Tx, error)
	Discard(tx chain.Tx)
	Broadcast(ctx context.Context, tx chain.Tx) (client.Receipt, error)
	Submit(ctx context.Context, key types.PrivateKey, body chain.Body) (client.Receipt, error)
	FollowFrom(ctx context.Context, height int64) (<-chan client.Block, error)
}

// Journal is what a market stores before it sends (jobrunner/journal).
type Journal interface {
	SaveLease(l journal.Lease) error
	SavePayment(lease types.Hash, report *protocol.UsageReport, paid *protocol.Paid) error
	SaveFee(f journal.Fee) error
	Leases(job string, liveOnly bool) ([]journal.Lease, error)
	Fees(job string, since time.Time) (types.Amount, error)
	Unreceipted() ([]journal.Lease, error)
	Job(id string) (journal.Job, error)
}

// Config is one publisher's place on the market.
type Config struct {
	Key     types.PrivateKey
	Host    host.Host // listens where providers dial in; its identity is Key's
	Ledger  Ledger
	Journal Journal
	Log     *slog.Logger
	Now     func() time.Time // nil = time.Now

	Interval     time.Duration // between payments; 0 = DefaultInterval; whole seconds
	Grace        time.Duration // 0 = DefaultGrace
	TolerancePPM uint32        // of 5.4; 0 = 50,000
	// Service is how much of it, at the highest rate, a deposit and a top-up pay
	// for; 0 = one minute or eight intervals, whichever is longer.
	Service time.Duration
	// Lifetime is how far away a channel's expiry is set; top-ups move it. 0 = an hour.
	Lifetime time.Duration
	// Gather is how long offers are collected after the first at most; 0 = 500 ms.
	Gather time.Duration
	Params contract.Params // zero = contract.DefaultParams with the ledger's margin
}

// Market leases containers until Close.
type Market struct {
	cfg  Config
	log  *slog.Logger
	ctx  context.Context
	stop context.CancelFunc
	owns sync.WaitGroup

	blocks *heights

	mu     sync.Mutex
	closed bool
	// recovered says that sessions holds every live lease of the journal.
	recovered bool
	requests  map[types.Hash]*request // by announcement
	sessions  map[types.Hash]*session // by contract, from Accept on
	purses    map[string]*purse       // by job

	groupOf func(network.Conn, types.Address) string // a provider's network
}

// Open begins to answer providers that dial in. Recover, to be called next, goes on
// with the leases of the journal; until then no provider's RESUME is answered.
func Open(cfg Config) (*Market, error) {
	if cfg.Key.IsZero() || cfg.Host == nil || cfg.Ledger == nil || cfg.Journal == nil {
		return nil, fmt.Errorf("market: key, host, ledger and journal are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	orDefault(&cfg.Interval, DefaultInterval)
	orDefault(&cfg.Grace, DefaultGrace)
	orDefault(&cfg.Service, max(time.Minute, 8*cfg.Interval))
	orDefault(&cfg.Lifetime, time.Hour)
	orDefault(&cfg.Gather, 500*time.Millisecond)
	if cfg.TolerancePPM == 0 {
		cfg.TolerancePPM = 50_000
	}
	if cfg.Params.MarginSeconds == 0 {
		cfg.Params = contract.DefaultParams()
		cfg.Params.MarginSeconds = uint32(cfg.Ledger.Params().MarginSeconds)
		cfg.Params.TimeoutSeconds = map[contract.Phase]uint32{contract.Negotiating: negotiateSeconds}
	}
	m := &Market{cfg: cfg, log: cfg.Log, requests: map[types.Hash]*request{}, sessions: map[types.Hash]*session{}, purses: map[string]*purse{}, groupOf: groupOf}
	m.ctx, m.stop = context.WithCancel(context.Background())
	var err error
	if m.blocks, err = followHeights(m.ctx, &m.owns, cfg.Ledger); err != nil {
		m.stop()
		return nil, err
	}
	cfg.Host.SetStreamHandler(peer.LeaseProtocol, m.incoming)
	return m, nil
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Close stops answering. Leases stay as they are in the journal: a later Open
// and Recover go on with them.
func (m *Market) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cfg.Host.RemoveStreamHandler(peer.LeaseProtocol)
	m.stop()
	m.owns.Wait()
	return nil
}

func (m *Market) now() int64 { return m.cfg.Now().UnixNano() }

// begin runs fn as a goroutine that Close waits for, or returns false where the
// market is closed.
func (m *Market) begin(fn func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.owns.Add(1)
	go func() {
		defer m.owns.Done()
		fn()
	}()
	return true
}

// incoming takes a lease stream that a provider opened. Its first frame says
// whether it offers a container (Capabilities) or resumes a lease (Resume).
func (m *Market) incoming(s network.Stream) {
	ok := m.begin(func() {
		provider, err := peer.Remote(s)
		if err != nil {
			s.Reset()
			return
		}
		link := &link{stream: s, in: bufio.NewReader(s)}
		s.SetReadDeadline(time.Now().Add(firstFrame))
		first, err := protocol.ReadMessage(link.in)
		if err != nil {
			m.log.Debug("lease stream without a first frame", "provider", provider, "err", err)
			s.Reset()
			return
		}
		s.SetReadDeadline(time.Time{})
		switch first := first.(type) {
		case *protocol.Capabilities:
			m.offered(provider, link, first)
		case *protocol.Resume:
			m.resumed(provider, link, first)
		default:
			s.Reset()
		}
	})
	if !ok {
		s.Reset()
	}
}

// offered begins a session for a provider's offer.
func (m *Market) offered(provider types.Address, l *link, caps *protocol.Capabilities) {
	m.mu.Lock()
	r := m.requests[caps.Announcement]
	m.mu.Unlock()
	if r == nil {
		l.refuse(&protocol.Reject{Reason: "no such announcement is open"})
		return
	}
	s := newSession(m, provider, r)
	s.group = m.groupOf(l.stream.Conn(), provider)
	s.begin(l, caps)
}

// resumed hands a provider's new stream to its lease.
func (m *Market) resumed(provider types.Address, l *link, resume *protocol.Resume) {
	m.mu.Lock()
	s, recovered := m.sessions[resume.Contract], m.recovered
	m.mu.Unlock()
	switch {
	case s == nil && !recovered:
		l.stream.Reset() // it may be in the journal: let it come again
		return
	case s == nil || s.provider != provider:
		l.refuse(&protocol.Drop{Reason: "no such lease is open here"})
		return
	}
	s.attach(l, resume)
}

// link is one lease stream.
type link struct {
	stream network.Stream
	in     *bufio.Reader
}

func (l *link) send(msg protocol.Message) error {
	if err := l.stream.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	return protocol.WriteMessage(l.stream, msg)
}

// refuse sends a last message and ends the stream.
func (l *link) refuse(msg protocol.Message) {
	if l.send(msg) != nil {
		l.stream.Reset()
		return
	}
	l.stream.Close()
}

// purseOf is the job's purse, opened from the journal at first.
func (m *Market) purseOf(job string, budget types.Amount, since time.Time) (*purse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.purses[job]; p != nil && !since.After(p.since) {
		p.setBudget(budget)
		return p, nil
	}
	p, err := openPurse(m.cfg.Journal, job, budget, since)
	if err != nil {
		return nil, err
	}
	m.purses[job] = p
	return p, nil
}
