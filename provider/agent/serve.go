package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/peer"
	"github.com/zennet/zennet/provider/protocol"
)

// handler takes a stream that someone opened, reads for which lease it is, and
// lets serve have it if that is a lease of theirs.
func (a *Agent) handler(serve func(*service, network.Stream, io.Reader) error) network.StreamHandler {
	return func(s network.Stream) {
		if !a.spawn(func() { a.take(s, serve) }) {
			s.Reset()
		}
	}
}

func (a *Agent) take(s network.Stream, serve func(*service, network.Stream, io.Reader) error) {
	err := func() error {
		who, err := peer.Remote(s)
		if err != nil {
			return err
		}
		tokens := a.tokens(who)
		r := bufio.NewReaderSize(s, 4<<10)
		header, err := a.introduction(s, r, tokens)
		if err != nil {
			return err
		}
		in := io.Reader(r)
		var sv *service
		if header.Ticket == nil {
			sv, err = a.service(header.Contract, who)
		} else if sv, err = a.guest(header, who); err == nil {
			if s.Protocol() != peer.WorkerProtocol {
				err = fmt.Errorf("%w: a ticket on a stream of %s", ErrRefused, s.Protocol())
			} else {
				in, err = fetchOnly(s, r)
			}
		}
		if err != nil {
			return err
		}
		done, err := sv.begin()
		if err != nil {
			return err
		}
		defer done()
		return serve(sv, s, in)
	}()
	if err != nil && !errors.Is(err, context.Canceled) {
		a.log.Debug("stream ended", "protocol", s.Protocol(), "err", err)
	}
	if err != nil {
		s.Reset()
	}
}

// introduction reads for which lease a stream is.
func (a *Agent) introduction(s network.Stream, r *bufio.Reader, tokens chan struct{}) (*protocol.StreamHeader, error) {
	select {
	case tokens <- struct{}{}:
		defer func() { <-tokens }()
	case <-time.After(headerTime):
		return nil, fmt.Errorf("%w: %d others have not said what they are", ErrRefused, maxUnknown)
	case <-a.ctx.Done():
		return nil, a.ctx.Err()
	}
	if err := s.SetReadDeadline(time.Now().Add(headerTime)); err != nil {
		return nil, err
	}
	m, err := readBounded(r, maxLeaseFrame)
	if err != nil {
		return nil, err
	}
	header, ok := m.(*protocol.StreamHeader)
	if !ok {
		return nil, fmt.Errorf("%w: it begins with %T", ErrRefused, m)
	}
	return header, s.SetReadDeadline(time.Time{})
}

// copySize is how many bytes of a stream are read at once.
const copySize = 64 << 10

// worker pipes a stream to the lease's worker, unread. Both directions stand
// still while the container is frozen.
func (a *Agent) worker(sv *service, s network.Stream, r io.Reader) error {
	select {
	case sv.worker <- struct{}{}:
		defer func() { <-sv.worker }()
	default:
		return fmt.Errorf("%w: %d worker streams are open", ErrRefused, maxWorkerStreams)
	}
	ctx, cancel := context.WithTimeout(sv.ctx, headerTime)
	conn, err := a.cfg.Runtime.Dial(ctx, sv.id)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(sv.ctx, func() { s.Reset(); conn.Close() })
	defer stop()

	up := make(chan error, 1)
	go func() {
		err := sv.copy(conn, r, &sv.in)
		if err == nil {
			err = closeWrite(conn)
		}
		if err != nil { // the other direction has nothing to wait for
			s.Reset()
			conn.Close()
		}
		up <- err
	}()
	err = sv.copy(s, conn, &sv.out)
	if err == nil {
		err = s.CloseWrite()
	}
	if err != nil {
		s.Reset()
		conn.Close()
	}
	return errors.Join(err, <-up)
}

// closeWrite tells the worker that no more will come.
func closeWrite(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// copy moves bytes while the gate is open, and counts them.
func (s *service) copy(w io.Writer, r io.Reader, count *atomic.Uint64) error {
	buf := make([]byte, copySize)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := s.gate.pass(s.ctx); err != nil {
				return err
			}
			count.Add(uint64(n))
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// intake takes blobs into the publisher's store.
func (a *Agent) intake(sv *service, s network.Stream, r io.Reader) error {
	select {
	case sv.intake <- struct{}{}:
		defer func() { <-sv.intake }()
	default:
		return fmt.Errorf("%w: %d blob streams are open", ErrRefused, maxBlobStreams)
	}
	for _, turns := range []chan struct{}{a.blobs.turns(sv.publisher), a.took} {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-sv.ctx.Done():
			return sv.ctx.Err()
		}
	}
	kept := sv.kept.Load()
	if kept >= a.cfg.BlobBytes {
		return fmt.Errorf("%w: %d bytes of blobs", blob.ErrLimit, a.cfg.BlobBytes)
	}
	stop := context.AfterFunc(sv.ctx, func() { s.Reset() })
	defer stop()
	rw := &staging{service: sv, stream: peer.Idle(s, intakeIdle), r: r}
	share := max(a.cfg.BlobBytes/cacheShare, kept) - kept
	n, err := blob.Receive(sv.ctx, rw, sv.store, blob.Intake{Owner: sv.id, Limit: a.cfg.BlobBytes - kept, Share: share})
	sv.kept.Add(n)
	if err == nil {
		err = s.CloseWrite()
	}
	return err
}

// staging is a blob stream whose bytes are counted, and stand still while the
// container is frozen.
type staging struct {
	service *service
	stream  network.Stream
	r       io.Reader
}

func (s *staging) Read(p []byte) (int, error) {
	if err := s.service.gate.pass(s.service.ctx); err != nil {
		return 0, err
	}
	if err := s.stream.SetReadDeadline(time.Now().Add(intakeIdle)); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	s.service.in.Add(uint64(n))
	return n, err
}

func (s *staging) Write(p []byte) (int, error) {
	if err := s.service.gate.pass(s.service.ctx); err != nil {
		return 0, err
	}
	n, err := s.stream.Write(p)
	s.service.out.Add(uint64(n))
	return n, err
}

func (s *staging) SetDeadline(t time.Time) error     { return s.stream.SetDeadline(t) }
func (s *staging) SetReadDeadline(t time.Time) error { return s.stream.SetReadDeadline(t) }
