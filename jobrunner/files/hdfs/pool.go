package hdfs

import (
	"context"
	"fmt"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/zennet/zennet/jobrunner/files"
)

const (
	idleMax  = 8                // links that wait for the next call
	idleFor  = 10 * time.Second // how long: each calls the NameNode once a second
	linksMax = 512              // at once
)

// acquire takes an idle link or makes one, to the NameNode that answered last.
func (s *System) acquire(ctx context.Context) (*link, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%d files are open already: %w", linksMax, ctx.Err())
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.slots
		return nil, files.ErrClosed
	}
	if n := len(s.idle); n > 0 {
		l := s.idle[n-1]
		s.idle = s.idle[:n-1]
		l.idle.Stop()
		s.busy[l] = true
		s.mu.Unlock()
		return l, nil
	}
	l := &link{s: s, nn: s.nameNodes[s.current], conns: map[*conn]bool{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	s.busy[l] = true
	s.mu.Unlock()

	stop := context.AfterFunc(ctx, l.abort)
	client, err := hdfs.NewClient(s.options(l))
	if err == nil {
		l.client = client
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = l.explain(err)
		s.drop(l)
		s.failOver(l.nn)
		return nil, err
	}
	return l, nil
}

// release puts a link that is in order back, for the next call.
func (s *System) release(l *link) {
	l.clean()
	s.mu.Lock()
	if s.closed || l.isClosed() || len(s.idle) >= idleMax {
		s.mu.Unlock()
		s.drop(l)
		return
	}
	delete(s.busy, l)
	l.idle = time.AfterFunc(idleFor, func() { s.expire(l) })
	s.idle = append(s.idle, l)
	s.mu.Unlock()
	<-s.slots
}

func (s *System) expire(l *link) {
	s.mu.Lock()
	for i, other := range s.idle {
		if other == l {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			s.mu.Unlock()
			l.close()
			return
		}
	}
	s.mu.Unlock()
}

// drop ends a link that is in use.
func (s *System) drop(l *link) {
	s.mu.Lock()
	delete(s.busy, l)
	s.mu.Unlock()
	l.close()
	<-s.slots
}

// Close ends every connection.
func (s *System) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	idle := s.idle
	s.idle = nil
	for l := range s.busy {
		l.abort()
	}
	s.mu.Unlock()
	for _, l := range idle {
		l.idle.Stop()
		l.close()
	}
	s.web.close()
	if s.kerberos != nil {
		s.kerberos.Destroy()
	}
	return nil
}

// failOver makes the NameNode after nn the one that new links use, where nn
// still is. Idle links to nn are ended.
func (s *System) failOver(nn nameNode) {
	s.mu.Lock()
	var stale, keep []*link
	if s.nameNodes[s.current] == nn {
		s.current = (s.current + 1) % len(s.nameNodes)
	}
	for _, l := range s.idle {
		if l.nn == nn {
			l.idle.Stop()
			stale = append(stale, l)
		} else {
			keep = append(keep, l)
		}
	}
	s.idle = keep
	s.mu.Unlock()
	for _, l := range stale {
		l.close()
	}
}
