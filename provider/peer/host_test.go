package peer

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const loopback = "/ip4/127.0.0.1/tcp/0"

func start(t testing.TB, seed byte, listen ...string) host.Host {
	t.Helper()
	h, err := New(key(t, seed), listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
	})
	return h
}

// echo answers every stream of the lease protocol with what it reads.
func echo(h host.Host) {
	h.SetStreamHandler(LeaseProtocol, func(s network.Stream) {
		io.Copy(s, s)
		s.Close()
	})
}

func TestDialAndOpen(t *testing.T) {
	ctx := context.Background()
	listener, dialer := start(t, 1, loopback), start(t, 2)
	echo(listener)
	if err := Dial(ctx, dialer, key(t, 1).Address(), Addrs(listener)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, dialer, key(t, 1).Address(), LeaseProtocol)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := Remote(s); err != nil || who != key(t, 1).Address() {
		t.Fatalf("the other end is %s (%v)", who, err)
	}
	if _, err := s.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if back, err := io.ReadAll(Idle(s, time.Minute)); err != nil || string(back) != "hello" {
		t.Fatalf("got %q (%v)", back, err)
	}
}

// Only the holder of the key answers: a dial to the right place with the wrong
// name, and one to nobody, fail.
func TestDialReachesNobodyElse(t *testing.T) {
	ctx := context.Background()
	listener, dialer := start(t, 1, loopback), start(t, 2)
	if err := Dial(ctx, dialer, key(t, 3).Address(), Addrs(listener)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("another's address: got %v, want ErrUnreachable", err)
	}
	for _, bad := range []string{"nonsense", "/ip4/127.0.0.1/udp/1/quic-v1"} {
		if err := Dial(ctx, dialer, key(t, 1).Address(), []string{bad}); !errors.Is(err, ErrAddrs) {
			t.Errorf("%s: got %v, want ErrAddrs", bad, err)
		}
	}
	if _, err := Open(ctx, dialer, key(t, 1).Address(), LeaseProtocol); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no connection: got %v, want ErrUnreachable", err)
	}
}

// A redial after the other host went away and came back is not held up.
func TestRedial(t *testing.T) {
	ctx := context.Background()
	dialer, port := start(t, 2), ""
	for range 3 {
		listen := loopback
		if port != "" {
			listen = port
		}
		h, err := New(key(t, 1), []string{listen})
		if err != nil {
			t.Fatal(err)
		}
		port = Addrs(h)[0]
		if err := Dial(ctx, dialer, key(t, 1).Address(), []string{port}); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		id, err := ID(key(t, 1).Address())
		if err != nil {
			t.Fatal(err)
		}
		for dialer.Network().Connectedness(id) == network.Connected {
			time.Sleep(time.Millisecond)
		}
		if err := Dial(ctx, dialer, key(t, 1).Address(), []string{port}); !errors.Is(err, ErrUnreachable) {
			t.Fatalf("nobody listens: got %v, want ErrUnreachable", err)
		}
	}
}

// Hosts whose key is no account of ours get no connection, whoever dials.
func TestForeignHostsAreRefused(t *testing.T) {
	ours := start(t, 1, loopback)
	odd, err := crypto.UnmarshalSecp256k1PrivateKey(negate(key(t, 9).Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, priv := range map[string]crypto.PrivKey{"odd Y": odd, "ed25519": edwards} {
		h, err := libp2p.New(libp2p.Identity(priv), libp2p.ListenAddrStrings(loopback), libp2p.DisableRelay(), libp2p.DisableMetrics())
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Connect(ctx, peer.AddrInfo{ID: ours.ID(), Addrs: ours.Addrs()}); err == nil {
			if _, err := h.NewStream(ctx, ours.ID(), LeaseProtocol); err == nil {
				t.Errorf("%s: a stream was admitted", name)
			}
		}
		if err := ours.Connect(ctx, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}); err == nil {
			t.Errorf("%s: was dialled", name)
		}
	}
}

func TestAlive(t *testing.T) {
	ctx := context.Background()
	listener, dialer := start(t, 1, loopback), start(t, 2)
	addr := key(t, 1).Address()
	if err := Alive(ctx, dialer, addr); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no connection: got %v, want ErrUnreachable", err)
	}
	if err := Dial(ctx, dialer, addr, Addrs(listener)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := Alive(ctx, dialer, addr); err != nil {
			t.Error(err)
		}
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Alive(ctx, dialer, addr); !errors.Is(err, ErrUnreachable) {
		t.Errorf("gone: got %v, want ErrUnreachable", err)
	}
}

func TestIdleEndsAWait(t *testing.T) {
	ctx := context.Background()
	listener, dialer := start(t, 1, loopback), start(t, 2)
	listener.SetStreamHandler(LeaseProtocol, func(s network.Stream) {})
	if err := Dial(ctx, dialer, key(t, 1).Address(), Addrs(listener)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, dialer, key(t, 1).Address(), LeaseProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	quiet := Idle(s, 10*time.Millisecond)
	_, err = quiet.Read(make([]byte, 1))
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("got %v, want a passed deadline", err)
	}
}

// Nothing but TCP with TLS is spoken.
func TestOnlyTCP(t *testing.T) {
	h := start(t, 1, loopback)
	for _, a := range h.Network().ListenAddresses() {
		if _, err := a.ValueForProtocol(ma.P_TCP); err != nil {
			t.Errorf("listens on %s", a)
		}
	}
	if _, err := New(key(t, 2), []string{"/ip4/127.0.0.1/udp/0/quic-v1"}); err == nil {
		t.Error("listens on QUIC")
	}
}

// negate is the scalar whose point is the negation: odd Y where it was even.
func negate(scalar []byte) []byte {
	var s btcec.ModNScalar
	s.SetByteSlice(scalar)
	s.Negate()
	b := s.Bytes()
	return b[:]
}
