package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/zennet/zennet/ledger/types"
)

// The protocols of a lease. LeaseProtocol is opened by the provider, who dials,
// and carries the control messages; the others are opened by the publisher
// over that same connection and begin with a protocol.StreamHeader. A provider
// opens WorkerProtocol with another one, where the publisher has it pull files.
const (
	LeaseProtocol  protocol.ID = "/zennet/lease/1"
	WorkerProtocol protocol.ID = "/zennet/worker/1"
	BlobProtocol   protocol.ID = "/zennet/blob/1"
	PullProtocol   protocol.ID = "/zennet/pull/1"
)

// DialTimeout bounds one dial with its handshake, and OpenTimeout the opening of
// one stream on a connection that stands.
const (
	DialTimeout = 10 * time.Second
	OpenTimeout = 10 * time.Second
)

// New starts a host with key's identity that listens on the multiaddrs of
// listen ("/ip4/127.0.0.1/tcp/0"); with none it only dials. Close it.
func New(key types.PrivateKey, listen []string) (host.Host, error) {
	id, err := identity(key)
	if err != nil {
		return nil, err
	}
	manager, err := connmgr.NewConnManager(maxConns/2, maxConns-maxHalfOpen, connmgr.WithGracePeriod(time.Minute))
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	limits, err := resources()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("resource limits: %w", err), manager.Close())
	}
	options := []libp2p.Option{
		libp2p.Identity(id),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport(), tcp.WithConnectionTimeout(DialTimeout)),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ConnectionGater(gater{}),
		libp2p.ConnectionManager(manager),
		libp2p.ResourceManager(limits),
		libp2p.WithDialTimeout(DialTimeout),
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPublic(),
		libp2p.Ping(true),
		libp2p.DisableMetrics(),
		libp2p.UserAgent("zennet/1"),
	}
	if len(listen) == 0 {
		options = append(options, libp2p.NoListenAddrs)
	} else {
		options = append(options, libp2p.ListenAddrStrings(listen...))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a host on %q: %w", listen, err), limits.Close(), manager.Close())
	}
	return h, nil
}

// Addrs is where h listens, as multiaddrs without /p2p, for an announcement.
func Addrs(h host.Host) []string {
	var out []string
	for _, a := range h.Addrs() {
		out = append(out, a.String())
	}
	return out
}

// Dial makes sure that h has a connection with the holder of addr, who is said to
// listen on addrs. It never reaches anyone else: another key's holder at those
// addresses fails the handshake. A failure is ErrUnreachable, bad addresses are
// ErrAddrs. Redialling is the caller's to pace.
func Dial(ctx context.Context, h host.Host, addr types.Address, addrs []string) error {
	id, err := ID(addr)
	if err != nil {
		return err
	}
	info := peer.AddrInfo{ID: id}
	for _, text := range addrs {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return fmt.Errorf("%w: %q: %v", ErrAddrs, text, err)
		}
		if _, err := a.ValueForProtocol(ma.P_TCP); err != nil {
			return fmt.Errorf("%w: %q has no tcp port", ErrAddrs, text)
		}
		info.Addrs = append(info.Addrs, a)
	}
	if s, ok := h.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(id)
	}
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	if err := h.Connect(ctx, info); err != nil {
		return fmt.Errorf("%w: %s: %v", ErrUnreachable, addr.Short(), err)
	}
	return nil
}

// Open opens a stream of one protocol with the holder of addr over the connection
// that stands; it never dials.
func Open(ctx context.Context, h host.Host, addr types.Address, proto protocol.ID) (network.Stream, error) {
	id, err := ID(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "zennet opens streams where a connection stands"), OpenTimeout)
	defer cancel()
	s, err := h.NewStream(ctx, id, proto)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrUnreachable, addr.Short(), err)
	}
	return s, nil
}

// Alive asks the holder of addr for a sign of life over the connection that stands
// and returns nil once it has come. The other host gives it by itself, however
// busy the program behind it is.
func Alive(ctx context.Context, h host.Host, addr types.Address) error {
	id, err := ID(addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "zennet asks where a connection stands"), OpenTimeout)
	defer cancel()
	select {
	case r, open := <-ping.Ping(ctx, h, id):
		if open && r.Error == nil {
			return nil
		}
		if err = r.Error; err == nil {
			err = ctx.Err()
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	return fmt.Errorf("%w: %s gives no sign of life: %v", ErrUnreachable, addr.Short(), err)
}

// Remote is the account at the other end of a stream.
func Remote(s network.Stream) (types.Address, error) {
	return Address(s.Conn().RemotePeer())
}

// Keep protects (or, with keep false, releases) the connections with addr from
// being trimmed when h has too many. why tells one reason from another.
func Keep(h host.Host, addr types.Address, why string, keep bool) {
	id, err := ID(addr)
	if err != nil {
		return
	}
	if keep {
		h.ConnManager().Protect(id, why)
	} else {
		h.ConnManager().Unprotect(id, why)
	}
}
