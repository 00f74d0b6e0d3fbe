package agent

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/pricing"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// meeting is two providers with a container each of one publisher.
type meeting struct {
	t          *testing.T
	from, to   *world
	has, lacks *testLease
	p          *testPublisher
	data       []byte
	spoil      atomic.Bool // the one that has the file gives other bytes
}

func meet(t *testing.T) *meeting {
	t.Helper()
	small := func(c *Config) { c.Capacity.MilliCPU = testMilliCPU } // one container each
	m := &meeting{t: t, data: noise(7, 3<<20+100)}
	m.from = &world{t: t, dir: t.TempDir(), key: newKey(t, 1), rt: newTestRuntime(t), listen: []string{"/ip4/127.0.0.1/tcp/0"},
		ledger: newTestLedger(t, newKey(t, 1).Address(), newKey(t, 2).Address(), newKey(t, 3).Address())}
	m.from.rt.worker = m.worker
	m.from.begin([]func(*Config){small})
	m.p = newTestPublisher(t, 2, m.from.ledger)
	m.p.announce(1)
	m.has = m.p.next(t)
	m.to = &world{t: t, dir: t.TempDir(), key: newKey(t, 3), rt: newTestRuntime(t), ledger: m.from.ledger}
	m.to.begin([]func(*Config){small})
	m.p.announce(1)
	m.lacks = m.p.next(t)
	return m
}

// worker answers fetches of the one file.
func (m *meeting) worker(c net.Conn) {
	in := bufio.NewReader(c)
	if hello, err := protocol.Read[protocol.WorkerHello](in); err != nil || hello.Purpose != protocol.PurposeFetch {
		return
	}
	for {
		f, err := protocol.Read[protocol.Fetch](in)
		if err != nil {
			return
		}
		d := &protocol.Data{Bytes: []byte{}}
		if f.ID != "0.1" || f.Path != "seg/00001" {
			d.Error = "no such file"
		} else {
			d.Bytes = bytes.Clone(m.data[f.Offset : f.Offset+uint64(f.Length)])
			if m.spoil.Load() {
				d.Bytes[0] ^= 1
			}
		}
		if protocol.WriteMessage(c, d) != nil {
			return
		}
	}
}

// message is a Pull that is good.
func (m *meeting) message() protocol.Pull {
	f := protocol.PullFile{Task: "0.1", Path: "seg/00001", Size: uint64(len(m.data))}
	for at := 0; at < len(m.data); at += protocol.ChunkSize {
		f.Chunks = append(f.Chunks, blob.HashOf(m.data[at:min(at+protocol.ChunkSize, len(m.data))]))
	}
	return protocol.Pull{From: m.from.key.Address(), Addrs: peer.Known(m.p.host, m.from.key.Address()), Files: []protocol.PullFile{f},
		Ticket: protocol.NewTicket(m.p.key, m.p.ledger.id, m.contract(m.has), m.to.key.Address(), time.Now().Unix()+60)}
}

func (m *meeting) contract(l *testLease) types.Hash { return l.snapshot().Record.Contract.ID() }

// pull sends a Pull to the provider that lacks the file.
func (m *meeting) pull(p protocol.Pull) protocol.Pulled {
	m.t.Helper()
	s, err := m.lacks.open(peer.PullProtocol)
	if err != nil {
		m.t.Fatal(err)
	}
	defer s.Reset()
	if err := protocol.WriteMessage(s, &p); err != nil {
		m.t.Fatal(err)
	}
	in := bufio.NewReader(s)
	for {
		s.SetReadDeadline(time.Now().Add(time.Minute))
		answer, err := protocol.Read[protocol.Pulled](in)
		if err != nil {
			m.t.Fatal(err)
		}
		if answer.Done || answer.Error != "" {
			return *answer
		}
	}
}

func (m *meeting) stored() bool {
	store, err := blob.Open(m.to.rt.box(m.contract(m.lacks).String()).spec.Blobs, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer store.Close()
	return store.Has(blob.HashOf(m.data[:protocol.ChunkSize])) && store.Has(blob.HashOf(m.data[3<<20:]))
}

// A provider takes files from another's container with the publisher's ticket:
// only what is missing, and both count it.
func TestPull(t *testing.T) {
	t.Parallel()
	m := meet(t)
	if got := m.pull(m.message()); !got.Done || got.Bytes != uint64(len(m.data)) {
		t.Fatalf("pulled %+v", got)
	}
	if !m.stored() {
		t.Error("the blobs are not there")
	}
	if got := m.pull(m.message()); !got.Done || got.Bytes != 0 {
		t.Errorf("the second time: %+v", got)
	}
	n := uint64(len(m.data))
	until(t, "the counts", func() bool {
		return m.from.lease().Usage[pricing.StagedOut] >= n && m.to.lease().Usage[pricing.StagedIn] >= n
	})
}

// TestPullRefused lists what gives nothing.
func TestPullRefused(t *testing.T) {
	t.Parallel()
	m := meet(t)
	other := newKey(t, 9)
	for _, c := range []struct {
		name, want string
		change     func(*protocol.Pull)
	}{
		{"no address", "cannot be reached", func(p *protocol.Pull) { p.Addrs = nil }},
		{"expired", "", func(p *protocol.Pull) {
			p.Ticket = protocol.NewTicket(m.p.key, m.p.ledger.id, m.contract(m.has), m.to.key.Address(), time.Now().Unix()-1)
		}},
		{"for another reader", "", func(p *protocol.Pull) {
			p.Ticket = protocol.NewTicket(m.p.key, m.p.ledger.id, m.contract(m.has), other.Address(), time.Now().Unix()+60)
		}},
		{"of another publisher", "", func(p *protocol.Pull) {
			p.Ticket = protocol.NewTicket(other, m.p.ledger.id, m.contract(m.has), m.to.key.Address(), time.Now().Unix()+60)
		}},
		{"for another lease", "", func(p *protocol.Pull) {
			p.Ticket = protocol.NewTicket(m.p.key, m.p.ledger.id, m.contract(m.lacks), m.to.key.Address(), time.Now().Unix()+60)
		}},
		{"of another ledger", "", func(p *protocol.Pull) {
			p.Ticket = protocol.NewTicket(m.p.key, types.Hash{1}, m.contract(m.has), m.to.key.Address(), time.Now().Unix()+60)
		}},
		{"nobody there", "", func(p *protocol.Pull) { p.From = other.Address() }},
		{"no such file", "no such file", func(p *protocol.Pull) { p.Files[0].Path = "seg/00002" }},
		{"other bytes", "hash", func(*protocol.Pull) { m.spoil.Store(true) }},
	} {
		p := m.message()
		c.change(&p)
		if got := m.pull(p); got.Done || got.Error == "" || !strings.Contains(got.Error, c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
		m.spoil.Store(false)
	}
	if m.stored() {
		t.Error("something came nevertheless")
	}
	if got := m.pull(m.message()); !got.Done {
		t.Errorf("the good one then: %+v", got)
	}
}

// TestGuest lets a ticket's holder fetch, and nothing else.
func TestGuest(t *testing.T) {
	t.Parallel()
	m := meet(t)
	p := m.message()
	if err := peer.Dial(t.Context(), m.to.host, p.From, p.Addrs); err != nil {
		t.Fatal(err)
	}
	for _, purpose := range []string{protocol.PurposeControl, protocol.PurposeLogs, protocol.PurposeMeasure} {
		s, err := peer.Open(t.Context(), m.to.host, p.From, peer.WorkerProtocol)
		if err != nil {
			t.Fatal(err)
		}
		protocol.WriteMessage(s, &protocol.StreamHeader{Contract: p.Ticket.Contract, Ticket: &p.Ticket})
		protocol.WriteMessage(s, &protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: purpose})
		s.SetReadDeadline(time.Now().Add(time.Minute))
		if data, err := io.ReadAll(s); err == nil || len(data) > 0 {
			t.Errorf("%s: %d bytes, %v", purpose, len(data), err)
		}
	}
	s, err := peer.Open(t.Context(), m.to.host, p.From, peer.BlobProtocol)
	if err != nil {
		t.Fatal(err)
	}
	protocol.WriteMessage(s, &protocol.StreamHeader{Contract: p.Ticket.Contract, Ticket: &p.Ticket})
	protocol.WriteMessage(s, &protocol.Have{Chunks: p.Files[0].Chunks})
	s.SetReadDeadline(time.Now().Add(time.Minute))
	if data, err := io.ReadAll(s); err == nil || len(data) > 0 {
		t.Errorf("a blob stream with a ticket: %d bytes, %v", len(data), err)
	}
}
