package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker"
	"github.com/zennet/zennet/provider/worker/client"
)

// TestMain is also the container: with this variable the test program serves as a
// worker on descriptor 3, without walls around it.
const workerVar = "ZENNET_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(sayVar) != "" {
		sayAndWait()
	}
	if dir := os.Getenv(workerVar); dir != "" {
		os.Unsetenv(workerVar)
		listener, err := net.FileListener(os.NewFile(3, "listener"))
		if err == nil {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
			err = worker.Serve(ctx, listener, worker.Config{Dir: dir, Blobs: filepath.Join(filepath.Dir(dir), "blobs")})
			stop()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeMarket leases worker processes on this machine, from a few providers in
// turn. It outlives engines, as providers do.
type fakeMarket struct {
	t       testing.TB
	dir     string
	journal *journal.Journal

	mu        sync.Mutex
	leases    map[types.Hash]*fakeLease
	number    int
	providers int
	refuse    error // of every Acquire
	most      int   // leases at once; 0 = no bound
	programs  func(n int) map[string]string
	spoil     func(n int) func(net.Conn) net.Conn // by lease
	closed    []string                            // reasons, in order
	acquired  int
	deaf      atomic.Bool                                                    // Close is not heard by providers
	pull      func(files []PullFile) error                                   // may providers pull these from each other? nil: never
	back      func(hand func())                                              // brings a lease back after a restart; nil: at once
	here      bool                                                           // bytes to providers leave no machine
	lasting   map[types.Address]*blob.Store                                  // stores that outlive leases, by provider; nil: each lease has its own
	cache     func(l *fakeLease, hashes []types.Hash, do func() error) error // around every Cache; nil: it is done
}

func newFakeMarket(t testing.TB) *fakeMarket {
	base := "/dev/shm" // as a container's own scratch volume, it is not the host's disk
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "zennet-engine-") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	m := &fakeMarket{t: t, dir: dir, leases: map[types.Hash]*fakeLease{}, providers: 3}
	t.Cleanup(func() {
		m.mu.Lock()
		all := m.leases
		m.mu.Unlock()
		for _, l := range all {
			l.end(errors.New("the test is over"))
		}
		os.RemoveAll(dir)
	})
	return m
}

func address(n int) types.Address {
	var b [32]byte
	binary.BigEndian.PutUint64(b[24:], uint64(n+1))
	key, err := types.KeyFromBytes(b[:])
	if err != nil {
		panic(err)
	}
	return key.Address()
}

func (m *fakeMarket) Acquire(ctx context.Context, r Request, each func(Lease)) error {
	for range r.Count {
		m.mu.Lock()
		live := 0
		for _, l := range m.leases {
			if !over(l) {
				live++
			}
		}
		refuse := m.refuse
		if m.most > 0 && live >= m.most {
			refuse = ErrNoOffers
		}
		m.mu.Unlock()
		if refuse != nil {
			return refuse
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		l, err := m.lease(r)
		if err != nil {
			return err
		}
		each(l)
	}
	return nil
}

func (m *fakeMarket) lease(r Request) (*fakeLease, error) {
	m.mu.Lock()
	m.number++
	n := m.number
	m.acquired++
	provider := address(n % m.providers)
	for slices.Contains(r.Deny, provider) {
		n++
		provider = address(n % m.providers)
	}
	m.mu.Unlock()
	c := protocol.Contract{Provider: provider, Spec: r.Spec}
	binary.BigEndian.PutUint64(c.Nonce[:], uint64(m.number))
	l := &fakeLease{market: m, job: r.Job, contract: c, dir: filepath.Join(m.dir, fmt.Sprint(m.number)), done: make(chan struct{}), opened: time.Now()}
	if m.spoil != nil {
		l.spoil = m.spoil(m.number)
	}
	if m.programs != nil {
		l.programs = m.programs(n % m.providers)
	}
	if err := l.start(); err != nil {
		return nil, err
	}
	if err := l.save(journal.LeaseActive); err != nil {
		l.end(err)
		return nil, err
	}
	m.mu.Lock()
	m.leases[l.ID()] = l
	m.mu.Unlock()
	return l, nil
}

func (m *fakeMarket) Recover(ctx context.Context, each func(Lease)) error {
	live, err := m.journal.Leases("", true)
	if err != nil {
		return err
	}
	for _, stored := range live {
		m.mu.Lock()
		l := m.leases[stored.ID]
		m.mu.Unlock()
		switch {
		case l == nil || over(l):
		case m.back != nil:
			m.back(func() { each(l) })
		default:
			each(l)
		}
	}
	return nil
}

// live lists the leases whose containers run.
func (m *fakeMarket) live() []*fakeLease {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*fakeLease
	for _, l := range m.leases {
		if !over(l) {
			out = append(out, l)
		}
	}
	return out
}

// fakeLease is one worker process.
type fakeLease struct {
	market   *fakeMarket
	job      string
	contract protocol.Contract
	dir      string
	programs map[string]string
	opened   time.Time
	process  *exec.Cmd
	blobs    *blob.Store
	once     sync.Once
	done     chan struct{}
	err      error
	verdict  chain.Verdict
	broken   bool // refuses connections
	conns    map[net.Conn]bool
	staged   int                       // blobs that travelled
	spoil    func(c net.Conn) net.Conn // what happens to a connection
	mu       sync.Mutex
}

func (l *fakeLease) start() error {
	work := filepath.Join(l.dir, "work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	var err error
	if l.blobs, err = l.open(); err != nil {
		return err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: l.dir + "/s"})
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		return err
	}
	defer file.Close()
	l.process = exec.Command(os.Args[0])
	l.process.Env = append(os.Environ(), workerVar+"="+work)
	l.process.ExtraFiles = []*os.File{file}
	var said bytes.Buffer
	l.process.Stderr = &said
	l.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := l.process.Start(); err != nil {
		return err
	}
	l.conns = map[net.Conn]bool{}
	go func() {
		l.process.Wait()
		if text := strings.TrimSpace(said.String()); text != "" {
			l.market.t.Logf("worker: %s", text)
		}
		l.end(errors.New("provider lost: its container is gone"))
	}()
	return nil
}

// open opens the publisher's blob store at the provider.
func (l *fakeLease) open() (*blob.Store, error) {
	here := filepath.Join(l.dir, "blobs")
	l.market.mu.Lock()
	defer l.market.mu.Unlock()
	if l.market.lasting == nil {
		return blob.Open(here, 0)
	}
	s := l.market.lasting[l.Provider()]
	if s == nil {
		var err error
		if s, err = blob.Open(filepath.Join(l.market.dir, l.Provider().String()), 0); err != nil {
			return nil, err
		}
		l.market.lasting[l.Provider()] = s
	}
	return s, os.Symlink(s.Dir(), here)
}

func (l *fakeLease) end(err error) {
	l.once.Do(func() {
		l.err = err
		l.process.Process.Kill()
		close(l.done)
		if l.market.lasting == nil {
			l.blobs.Close()
		}
	})
}

func (l *fakeLease) save(state journal.LeaseState) error {
	record := journal.Lease{ID: l.ID(), Job: l.job, Provider: l.Provider(), Contract: l.contract, State: state, Opened: l.opened,
		Deposit: 1000, Fees: 10, Programs: l.programs, Verdict: l.verdict}
	record.Channel[0] = 1
	return l.market.journal.SaveLease(record)
}

func (l *fakeLease) ID() types.Hash                   { return l.contract.ID() }
func (l *fakeLease) Job() string                      { return l.job }
func (l *fakeLease) Provider() types.Address          { return l.contract.Provider }
func (l *fakeLease) Programs() map[string]string      { return l.programs }
func (l *fakeLease) Done() <-chan struct{}            { return l.done }
func (l *fakeLease) Err() error                       { return l.err }
func (l *fakeLease) Spent() (bill, paid types.Amount) { return 0, 0 }
func (l *fakeLease) Frozen() bool                     { return false }
func (l *fakeLease) SetVerdict(v chain.Verdict)       { l.verdict = v }

func (l *fakeLease) Stage(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
	for _, h := range hashes {
		if l.blobs.Has(h) {
			continue
		}
		data, err := get(h)
		if err != nil {
			return err
		}
		if got, err := l.blobs.Put(data); err != nil || got != h {
			return fmt.Errorf("staged %s as %s: %w", h, got, err)
		}
		l.mu.Lock()
		l.staged++
		l.mu.Unlock()
	}
	return nil
}

func (l *fakeLease) Far() bool { return !l.market.here }

func (l *fakeLease) Cache(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
	do := func() error { return l.Stage(ctx, hashes, get) }
	if l.market.cache != nil {
		return l.market.cache(l, hashes, do)
	}
	return do()
}

// Pull copies what tasks left from one worker into the other's blob store, as
// agents do.
func (l *fakeLease) Pull(ctx context.Context, _ types.Address, contract types.Hash, files []PullFile) error {
	if l.market.pull == nil {
		return errors.New("no provider reaches another")
	}
	if err := l.market.pull(files); err != nil {
		return err
	}
	var from *fakeLease
	for _, other := range l.market.live() {
		if other.ID() == contract {
			from = other
		}
	}
	if from == nil {
		return errors.New("no such lease")
	}
	return client.FetchFiles(ctx, from.Worker, files, func(h types.Hash, data []byte) error {
		got, err := l.blobs.Put(data)
		if err == nil && got != h {
			err = fmt.Errorf("chunk %s came as %s", h, got)
		}
		return err
	})
}

func (l *fakeLease) Worker(ctx context.Context) (io.ReadWriteCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return nil, errors.New("link is down")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", l.dir+"/s")
	if err != nil {
		return nil, err
	}
	l.conns[conn] = true
	if l.spoil != nil {
		return l.spoil(conn), nil
	}
	return conn, nil
}

// cut breaks all connections, and refuses new ones until mend.
func (l *fakeLease) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

func (l *fakeLease) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
}

func (l *fakeLease) Close(ctx context.Context, reason string) error {
	if l.market.deaf.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	l.end(errors.New("closed: " + reason))
	l.market.mu.Lock()
	l.market.closed = append(l.market.closed, reason)
	l.market.mu.Unlock()
	return l.save(journal.LeaseSettled)
}

// spoiled is a connection on which something happens once at bytes were read.
type spoiled struct {
	net.Conn
	at   int
	then func(p []byte) error
}

func (s *spoiled) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.at -= n; s.at < 0 && s.then != nil && n > 0 {
		if e := s.then(p[:n]); e != nil {
			s.Conn.Close()
			return 0, e
		}
		s.then = nil
	}
	return n, err
}
