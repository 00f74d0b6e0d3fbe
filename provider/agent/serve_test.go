package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// leased is a world with one lease in service.
func leased(t *testing.T, change ...func(*Config)) (*world, *testPublisher, *testLease) {
	t.Helper()
	w := newWorld(t, change...)
	p := newTestPublisher(t, 2, w.ledger)
	p.announce(1)
	return w, p, p.next(t)
}

// noise is n bytes that differ by seed.
func noise(seed byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = seed + byte(i*i>>3)
	}
	return out
}

// stage sends blobs to the lease; cache does, for as long as there is room for them.
func (l *testLease) stage(data ...[]byte) (uint64, error) { return l.push(blob.Send, data) }

func (l *testLease) cache(data ...[]byte) (uint64, error) { return l.push(blob.SendCache, data) }

type sendFunc = func(context.Context, io.ReadWriter, []types.Hash, func(types.Hash) ([]byte, error)) (uint64, error)

func (l *testLease) push(send sendFunc, data [][]byte) (uint64, error) {
	s, err := l.open(peer.BlobProtocol)
	if err != nil {
		return 0, err
	}
	defer s.Reset()
	byHash := map[types.Hash][]byte{}
	var hashes []types.Hash
	for _, d := range data {
		hashes = append(hashes, blob.HashOf(d))
		byHash[blob.HashOf(d)] = d
	}
	n, err := send(context.Background(), s, hashes, func(h types.Hash) ([]byte, error) { return byHash[h], nil })
	if err != nil {
		return n, err
	}
	if err := s.CloseWrite(); err != nil {
		return n, err
	}
	_, err = io.ReadAll(s)
	return n, err
}

// Bytes go to the worker and to the blobs, come back, and are counted.
func TestStreamsAreCounted(t *testing.T) {
	t.Parallel()
	w, _, l := leased(t)
	s, err := l.open(peer.WorkerProtocol)
	if err != nil {
		t.Fatal(err)
	}
	sent := noise(1, 300_000)
	go func() {
		s.Write(sent)
		s.CloseWrite()
	}()
	if back, err := io.ReadAll(s); err != nil || !bytes.Equal(back, sent) {
		t.Fatalf("%d bytes came back (%v)", len(back), err)
	}
	if n, err := l.stage(noise(2, 1<<20), noise(3, 1000)); err != nil || n != 1<<20+1000 {
		t.Fatalf("%d bytes went (%v)", n, err)
	}
	if n, err := l.stage(noise(2, 1<<20), noise(3, 1000)); err != nil || n != 0 {
		t.Errorf("the second time %d bytes went (%v)", n, err)
	}
	box := w.rt.box(l.snapshot().Record.Contract.ID().String())
	store, err := blob.Open(box.spec.Blobs, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !store.Has(blob.HashOf(noise(2, 1<<20))) {
		t.Error("the container does not see the blob")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	const in, out = 300_000 + 1<<20 + 1000, 300_000
	until(t, "the count", func() bool {
		u := w.lease().Usage
		return u[pricing.StagedIn] >= in && u[pricing.StagedOut] >= out
	})
	if u := w.lease().Usage; u[pricing.StagedIn] > in+2000 || u[pricing.StagedOut] > out+2000 {
		t.Errorf("counted %v", u)
	}
}

// A cache takes a quarter of what a lease may send, and never keeps inputs out.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	w, _, l := leased(t, func(c *Config) { c.BlobBytes = 12 << 20 })
	if n, err := l.cache(noise(1, 1<<20), noise(2, 1<<20)); err != nil || n != 2<<20 {
		t.Fatalf("%d bytes went (%v)", n, err)
	}
	if _, err := l.cache(noise(3, 1<<20), noise(9, 1<<20)); !errors.Is(err, blob.ErrRefused) {
		t.Errorf("more than a quarter: %v", err)
	}
	if n, err := l.cache(noise(1, 1<<20), noise(2, 1<<20)); err != nil || n != 0 {
		t.Errorf("what is there: %d bytes went (%v)", n, err)
	}
	until(t, "room for the inputs", func() bool { // what was refused is counted once its stream has ended
		_, err := l.stage(noise(4, 1<<20), noise(5, 1<<20), noise(6, 1<<20), noise(7, 1<<20), noise(8, 1<<20))
		return err == nil
	})
	if n, err := l.stage(noise(4, 1<<20), noise(8, 1<<20)); err != nil || n != 0 {
		t.Errorf("of the inputs %d bytes went again (%v)", n, err)
	}
	if u := w.lease().Usage; u[pricing.StagedIn] > 10<<20 {
		t.Errorf("counted %v", u)
	}
}

// While the container is frozen, staging and tunnels stand still too (1.9); after
// a payment they go on.
func TestFrozenStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newTestPublisher(t, 2, w.ledger)
	p.grace = 5
	p.announce(1)
	l := p.next(t)
	w.paid(l)
	s, err := l.open(peer.WorkerProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	echo := func(b byte) error {
		if _, err := s.Write([]byte{b}); err != nil {
			return err
		}
		got := make([]byte, 1)
		s.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, err := io.ReadFull(s, got)
		return err
	}
	if err := echo(1); err != nil {
		t.Fatal(err)
	}
	p.setFilter(noVouchers)
	until(t, "freezing", func() bool { return w.lease().Frozen })
	if err := echo(2); err == nil {
		t.Error("a frozen container answers")
	}
	p.setFilter(nil)
	until(t, "thawing", func() bool { s := w.lease(); return !s.Frozen || s.Contract.IsZero() })
	s.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, 1)
	if _, err := io.ReadFull(s, got); err != nil || got[0] != 2 {
		t.Errorf("after the payment: %v, %v", got, err)
	}
}

// Streams that nobody may open, or that do not keep to the rules, are reset, and
// the lease goes on.
func TestHostileStreams(t *testing.T) {
	t.Parallel()
	w, p, l := leased(t, func(c *Config) { c.BlobBytes = 4 << 20 })
	contract := l.snapshot().Record.Contract.ID()
	ended := func(s network.Stream, err error) bool {
		if err != nil {
			return true
		}
		s.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = io.Copy(io.Discard, s)
		s.Reset()
		return err != nil && !isTimeout(err)
	}
	raw := func(data []byte) (network.Stream, error) {
		s, err := peer.Open(context.Background(), p.host, w.key.Address(), peer.WorkerProtocol)
		if err == nil {
			_, err = s.Write(data)
		}
		return s, err
	}
	frame := func(m protocol.Message) []byte {
		b, err := protocol.AppendFrame(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, data := range map[string][]byte{
		"unknown lease":  frame(&protocol.StreamHeader{Contract: types.Hash{9}}),
		"wrong message":  frame(&protocol.Bye{Reason: "x"}),
		"noise":          noise(7, 100),
		"endless header": {0xff, 0xff, 0xff, 0xff, 16},
	} {
		if s, err := raw(data); !ended(s, err) {
			t.Errorf("%s: not refused", name)
		}
	}

	// Another publisher, who has a lease too, cannot reach this one's.
	q := newTestPublisher(t, 3, w.ledger)
	q.announce(1)
	other := q.next(t)
	for _, proto := range []libp2p.ID{peer.WorkerProtocol, peer.BlobProtocol} {
		s, err := q.host.NewStream(context.Background(), w.host.ID(), proto)
		if err == nil {
			err = protocol.WriteMessage(s, &protocol.StreamHeader{Contract: contract})
		}
		if !ended(s, err) {
			t.Errorf("%s of another's lease is served", proto)
		}
	}
	if other.snapshot().Record.Contract.ID() == contract {
		t.Fatal("one contract")
	}

	// Someone who has no lease gets nothing.
	stranger, err := peer.New(newKey(t, 9), []string{"/ip4/127.0.0.1/tcp/0"})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := peer.Dial(context.Background(), w.host, newKey(t, 9).Address(), peer.Addrs(stranger)); err != nil {
		t.Fatal(err)
	}
	until(t, "the connection", func() bool { return len(stranger.Network().ConnsToPeer(w.host.ID())) > 0 })
	s, err := peer.Open(context.Background(), stranger, w.key.Address(), peer.WorkerProtocol)
	if err == nil {
		err = protocol.WriteMessage(s, &protocol.StreamHeader{Contract: contract})
	}
	if !ended(s, err) {
		t.Error("a stranger is served")
	}

	// More blobs than the bound, and more streams than the bound.
	var all [][]byte
	for i := range byte(6) {
		all = append(all, noise(i, 1<<20))
	}
	if _, err := l.stage(all...); !errors.Is(err, blob.ErrRefused) {
		t.Errorf("too many blobs: got %v, want ErrRefused", err)
	}
	var open []network.Stream
	for range maxWorkerStreams + 20 {
		s, err := l.open(peer.WorkerProtocol)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, s)
	}
	refused := 0
	for _, s := range open {
		if _, err := s.Write([]byte{1}); err != nil {
			refused++
			continue
		}
		s.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			refused++
		}
	}
	for _, s := range open {
		s.Reset()
	}
	if refused < 20 {
		t.Errorf("%d streams of %d were refused", refused, len(open))
	}
	w.paid(l) // and all the while the lease goes on
	until(t, "streams end", func() bool {
		sv, err := w.agent.service(contract, p.key.Address())
		return err == nil && len(sv.worker) == 0
	})
	l.leave("done")
	w.checkOne(l)
}
