package lease

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/contract"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// Lease is one leased container with a worker in it. Its methods may be called
// from any goroutine.
type Lease struct {
	s *session

	stagedIn, stagedOut atomic.Uint64 // bytes to and from the provider, frames included

	once sync.Once
	done chan struct{}

	mu    sync.Mutex
	err   error
	say   chain.Verdict
	known map[types.Hash]bool // blobs that the provider acknowledged
	stage sync.Mutex          // one staging at a time
	cache chan struct{}       // a token for the one batch of blobs of a cache that is under way
}

// ID is the contract's hash, which names the lease.
func (l *Lease) ID() types.Hash { return l.s.contract().ID() }

// Job is the job that it was leased for.
func (l *Lease) Job() string { return l.s.job }

// Provider is who runs the container.
func (l *Lease) Provider() types.Address { return l.s.provider }

// Contract is what both sides signed.
func (l *Lease) Contract() protocol.Contract { return l.s.contract() }

// Programs are the versions that the provider told of the announced programs.
func (l *Lease) Programs() map[string]string { return l.s.programs() }

// Done is closed when the container can no longer be used: the lease has ended,
// is ending, or its provider was lost. Err then says why.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Err is nil until Done is closed; then ErrLost or ErrEnded with the reason.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Spent is the agreed bill and the best voucher so far, nXEN.
func (l *Lease) Spent() (bill, paid types.Amount) {
	v := l.s.view.Load()
	return v.bill, v.paid
}

// Frozen reports whether the provider says that it froze the container.
func (l *Lease) Frozen() bool { return l.s.view.Load().frozen }

// SetVerdict says what the receipt shall say of the lease; without it, ok, lost
// or dispute as the lease's life was.
func (l *Lease) SetVerdict(v chain.Verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.say = v
}

func (l *Lease) verdict() chain.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.say
}

// observe closes Done as soon as the container is of no use any more.
func (l *Lease) observe() {
	v := l.s.view.Load()
	switch v.phase {
	case contract.Closing, contract.Closed, contract.Failed:
		kind := ErrEnded
		if v.lost {
			kind = ErrLost
		}
		l.end(fmt.Errorf("%w: %s", kind, v.reason))
	}
}

// finish closes Done at the latest when the session has ended.
func (l *Lease) finish() { l.end(fmt.Errorf("%w: %w", ErrEnded, ErrClosed)) }

func (l *Lease) end(err error) {
	l.once.Do(func() {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
		close(l.done)
	})
}

// Close ends the lease in order and returns when its channel is settled and its
// receipt published. After a loss it waits for the provider's CLOSE, or for the
// refund after expiry: as long as ctx lets it; the market goes on waiting.
func (l *Lease) Close(ctx context.Context, reason string) error {
	l.s.tell(contract.Leave{At: l.s.at(), Reason: reason})
	select {
	case <-l.s.ended:
	case <-ctx.Done():
		return fmt.Errorf("lease %s with %s is not settled yet: %w", l.ID().Short(), l.Provider().Short(), ctx.Err())
	}
	if p := l.s.view.Load().phase; p != contract.Closed {
		return fmt.Errorf("lease with %s in %s: %w", l.Provider().Short(), p, ErrClosed)
	}
	return nil
}

// Worker opens a connection to the worker in the container.
func (l *Lease) Worker(ctx context.Context) (io.ReadWriteCloser, error) {
	return l.open(ctx, peer.WorkerProtocol)
}

func (l *Lease) open(ctx context.Context, proto libp2p.ID) (*counted, error) {
	stream, err := peer.Open(ctx, l.s.m.cfg.Host, l.s.provider, proto)
	if err != nil {
		return nil, err
	}
	c := &counted{Stream: stream, lease: l}
	if err := protocol.WriteMessage(c, &protocol.StreamHeader{Contract: l.ID()}); err != nil {
		stream.Reset()
		return nil, err
	}
	return c, nil
}

// Stage pushes the blobs that the provider lacks. What it once acknowledged is
// not asked for again.
func (l *Lease) Stage(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
	l.stage.Lock()
	defer l.stage.Unlock()
	var lacking []types.Hash
	for _, h := range hashes {
		if !l.known[h] {
			lacking = append(lacking, h)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	stream, err := l.open(ctx, peer.BlobProtocol)
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	if _, err := blob.Send(ctx, stream, lacking, get); err != nil {
		stream.Reset()
		return fmt.Errorf("stage: %w", err)
	}
	if l.known == nil {
		l.known = map[types.Hash]bool{}
	}
	for _, h := range lacking {
		l.known[h] = true
	}
	return stream.Close()
}

// Far reports whether what is sent to the provider leaves this machine.
func (l *Lease) Far() bool {
	id, err := peer.ID(l.s.provider)
	if err != nil {
		return true
	}
	for _, c := range l.s.m.cfg.Host.Network().ConnsToPeer(id) {
		if ip, err := manet.ToIP(c.RemoteMultiaddr()); err == nil && ip.IsLoopback() {
			return false
		}
	}
	return true
}

// Cache pushes those blobs that the provider lacks and may drop again when it
// needs their room: Stage makes sure of blobs, this one does not. blob.ErrRefused where the
// provider takes no more of them.
func (l *Lease) Cache(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
	select {
	case l.cache <- struct{}{}:
		defer func() { <-l.cache }()
	case <-ctx.Done():
		return ctx.Err()
	}
	stream, err := l.open(ctx, peer.BlobProtocol)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if _, err := blob.SendCache(ctx, stream, hashes, get); err != nil {
		stream.Reset()
		return fmt.Errorf("cache: %w", err)
	}
	return stream.Close()
}

// counted is a stream whose bytes count as staged.
type counted struct {
	network.Stream
	lease *Lease
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	c.lease.stagedOut.Add(uint64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Stream.Write(p)
	c.lease.stagedIn.Add(uint64(n))
	return n, err
}

// Close ends both directions: nobody reads on.
func (c *counted) Close() error {
	err := c.Stream.CloseWrite()
	c.Stream.CloseRead()
	return err
}
