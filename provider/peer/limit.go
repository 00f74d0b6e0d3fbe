package peer

import (
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
)

// Bounds of one host. A peer that opens more is refused, the others go on.
const (
	maxConns       = 1024    // connections in all
	maxPeerConns   = 4       // with one peer; one is in use, the others are redials
	maxStreams     = 16384   // in all
	maxPeerStreams = 2048    // with one peer: leases, and a few worker and blob streams each
	maxMemory      = 1 << 30 // bytes of stream windows in all
	maxPeerMemory  = 256 << 20
	maxHalfOpen    = 128 // connections whose handshake is not done
	connsPerIPv4   = 256 // from one address; many peers may stand behind one
	connsPerIPv6   = 256 // from one /56
)

// resources is the resource manager of a host.
func resources() (network.ResourceManager, error) {
	bound := func(conns, streams, memory int) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(conns), ConnsInbound: rcmgr.LimitVal(conns), ConnsOutbound: rcmgr.LimitVal(conns),
			Streams: rcmgr.LimitVal(streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams),
			Memory: rcmgr.LimitVal64(memory), FD: rcmgr.LimitVal(conns),
		}
	}
	limits := rcmgr.PartialLimitConfig{
		System:              bound(maxConns, maxStreams, maxMemory),
		Transient:           bound(maxHalfOpen, maxPeerStreams, maxPeerMemory),
		ServiceDefault:      bound(maxConns, maxStreams, maxMemory),
		ServicePeerDefault:  bound(maxPeerConns, maxPeerStreams, maxPeerMemory),
		ProtocolDefault:     bound(maxConns, maxStreams, maxMemory),
		ProtocolPeerDefault: bound(maxPeerConns, maxPeerStreams, maxPeerMemory),
		PeerDefault:         bound(maxPeerConns, maxPeerStreams, maxPeerMemory),
	}.Build(rcmgr.DefaultLimits.AutoScale())
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIPv4}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIPv6}}))
}
