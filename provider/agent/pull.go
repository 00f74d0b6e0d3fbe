package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// pullTell is how often a publisher hears how far a pull is.
const pullTell = 2 * time.Second

// guest lets another provider read what ended tasks left, with a ticket of the
// lease's publisher.
func (a *Agent) guest(header *protocol.StreamHeader, who types.Address) (*service, error) {
	a.mu.Lock()
	l := a.byContract[header.Contract]
	a.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("%w: no lease %s", ErrRefused, header.Contract.Short())
	}
	if err := header.Ticket.Verify(a.machine.Ledger, l.publisher, who, header.Contract, time.Now().Unix()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return a.service(header.Contract, l.publisher)
}

// fetchOnly lets a guest's worker stream pass if all it wants is to fetch.
func fetchOnly(s network.Stream, r *bufio.Reader) (io.Reader, error) {
	if err := s.SetReadDeadline(time.Now().Add(headerTime)); err != nil {
		return nil, err
	}
	m, err := readBounded(r, maxLeaseFrame)
	if err != nil {
		return nil, err
	}
	hello, ok := m.(*protocol.WorkerHello)
	if !ok || hello.Purpose != protocol.PurposeFetch {
		return nil, fmt.Errorf("%w: a ticket is for fetching", ErrRefused)
	}
	frame, err := protocol.AppendFrame(nil, hello)
	if err != nil {
		return nil, err
	}
	return io.MultiReader(bytes.NewReader(frame), r), s.SetReadDeadline(time.Time{})
}

// pull takes files from other providers' containers into the publisher's store,
// as its messages say.
func (a *Agent) pull(sv *service, s network.Stream, r io.Reader) error {
	select {
	case sv.intake <- struct{}{}:
		defer func() { <-sv.intake }()
	default:
		return fmt.Errorf("%w: %d blob streams are open", ErrRefused, maxBlobStreams)
	}
	stop := context.AfterFunc(sv.ctx, func() { s.Reset() })
	defer stop()
	in := bufio.NewReader(r)
	for {
		if err := s.SetReadDeadline(time.Now().Add(intakeIdle)); err != nil {
			return err
		}
		m, err := readBounded(in, protocol.MaxPull)
		if errors.Is(err, io.EOF) {
			return s.CloseWrite()
		}
		if err != nil {
			return err
		}
		p, ok := m.(*protocol.Pull)
		if !ok {
			return fmt.Errorf("%w: %T on a pull stream", ErrRefused, m)
		}
		if err := a.pullOne(sv, s, p); err != nil {
			return err
		}
	}
}

// pullOne carries out one message and tells how it goes.
func (a *Agent) pullOne(sv *service, s network.Stream, p *protocol.Pull) error {
	ctx, cancel := context.WithCancel(sv.ctx)
	defer cancel()
	var came atomic.Uint64
	over := make(chan error, 1)
	go func() { over <- a.fetchAll(ctx, sv, s, p, &came) }()
	tell := time.NewTicker(pullTell)
	defer tell.Stop()
	for {
		answer := &protocol.Pulled{}
		select {
		case err := <-over:
			if answer.Done = err == nil; err != nil {
				answer.Error = protocol.Sentence(err.Error())
			}
		case <-tell.C:
		}
		answer.Bytes = came.Load()
		err := s.SetWriteDeadline(time.Now().Add(writeTime))
		if err = errors.Join(err, protocol.WriteMessage(s, answer)); err != nil {
			cancel()
			if !answer.Done && answer.Error == "" {
				<-over
			}
			return err
		}
		if answer.Done || answer.Error != "" {
			return nil
		}
	}
}

// fetchAll fetches the files of one Pull that the publisher's store lacks.
func (a *Agent) fetchAll(ctx context.Context, sv *service, s network.Stream, p *protocol.Pull, came *atomic.Uint64) error {
	for _, turns := range []chan struct{}{a.blobs.turns(sv.publisher), a.took} {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var files []client.File
	for _, f := range p.Files {
		sv.store.Pin(sv.id, f.Chunks...)
		for _, h := range f.Chunks {
			if !sv.store.Has(h) {
				files = append(files, client.File{Task: f.Task, File: protocol.File{Path: f.Path, Size: f.Size, Chunks: f.Chunks}})
				break
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	dial, err := a.pullFrom(ctx, sv, s, p)
	if err != nil {
		return err
	}
	return client.FetchFiles(ctx, dial, files, func(h types.Hash, data []byte) error {
		if err := sv.gate.pass(ctx); err != nil {
			return err
		}
		n := uint64(len(data))
		sv.in.Add(n)
		if sv.kept.Add(n) > a.cfg.BlobBytes {
			return fmt.Errorf("%w: %d bytes of blobs", blob.ErrLimit, a.cfg.BlobBytes)
		}
		came.Add(n)
		return sv.store.Keep(h, data)
	})
}

// pullFrom is how the worker that has the files is dialled.
func (a *Agent) pullFrom(ctx context.Context, sv *service, s network.Stream, p *protocol.Pull) (client.Dial, error) {
	if p.From == a.cfg.Key.Address() {
		other, err := a.service(p.Ticket.Contract, sv.publisher)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (io.ReadWriteCloser, error) { return a.cfg.Runtime.Dial(ctx, other.id) }, nil
	}
	if err := peer.Dial(ctx, a.cfg.Host, p.From, peer.Within(s, p.Addrs)); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (io.ReadWriteCloser, error) {
		stream, err := peer.Open(ctx, a.cfg.Host, p.From, peer.WorkerProtocol)
		if err != nil {
			return nil, err
		}
		ticket := p.Ticket
		if err := protocol.WriteMessage(stream, &protocol.StreamHeader{Contract: ticket.Contract, Ticket: &ticket}); err != nil {
			stream.Reset()
			return nil, err
		}
		return stream, nil
	}, nil
}
