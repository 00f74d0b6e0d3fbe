package hdfs

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/zennet/zennet/jobrunner/files"
)

const connectWait = 10 * time.Second

// link is one client of the library, used by one call or one open file at a
// time, with all connections that it opened.
type link struct {
	s      *System
	nn     nameNode
	client *hdfs.Client
	ctx    context.Context // of its dials
	cancel context.CancelFunc
	idle   *time.Timer

	mu     sync.Mutex
	conns  map[*conn]bool // that are open; true: to a DataNode
	closed bool
	never  error // why its NameNode can never answer
	broken int   // DataNode connections that failed since clean
	gone   bool  // the connection to the NameNode failed
}

func (s *System) options(l *link) hdfs.ClientOptions {
	o := hdfs.ClientOptionsFromConf(s.plain)
	o.Addresses = []string{l.nn.rpc}
	o.User = s.user
	o.KerberosClient = s.kerberos
	o.KerberosServicePrincipleName = l.nn.principal
	o.NamenodeDialFunc = func(_ context.Context, network, address string) (net.Conn, error) {
		c, err := l.dial(network, address, false)
		if err != nil {
			if unreachable(err) {
				l.refuse(fmt.Errorf("%w: %w", files.ErrConfig, err))
			}
			return nil, err
		}
		return newCallConn(c, l.refuse), nil
	}
	o.DatanodeDialFunc = func(_ context.Context, network, address string) (net.Conn, error) {
		c, err := l.dial(network, address, true)
		if err != nil {
			l.suspect(address)
			return nil, fmt.Errorf("DataNode %s: %w", address, err)
		}
		return newDataConn(c), nil
	}
	return o
}

func (l *link) dial(network, address string, data bool) (*conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, min(connectWait, l.s.timeout))
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, timeout: l.s.timeout}
	c.closed = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
	}
	c.failed = l.lose
	if data {
		c.failed = func() { l.suspect(address) }
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		raw.Close()
		return nil, net.ErrClosed
	}
	l.conns[c] = data
	return c, nil
}

// suspect remembers that a DataNode failed, unless the link itself was ended.
func (l *link) suspect(address string) {
	l.mu.Lock()
	ours := l.closed
	l.broken++
	l.mu.Unlock()
	if !ours {
		l.s.suspect(address)
	}
}

// clean ends the connections to DataNodes, which the library leaves open where
// it went over to another, and forgets their failures.
func (l *link) clean() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c, data := range l.conns {
		if data {
			c.Conn.Close()
			delete(l.conns, c)
		}
	}
	l.broken = 0
}

// lose remembers that the NameNode's connection failed.
func (l *link) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

func (l *link) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

func (l *link) failures() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

func (l *link) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.never = err
}

// explain replaces what the library says by the reason where that is known.
func (l *link) explain(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.never != nil && err != nil {
		return l.never
	}
	return err
}

func (l *link) refused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.never != nil
}

func (l *link) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// abort ends every connection of the link, so that whoever waits on one returns.
func (l *link) abort() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.conns {
		c.Conn.Close()
	}
	clear(l.conns)
}

func (l *link) close() {
	l.abort()
	if l.client != nil {
		l.client.Close()
	}
}
