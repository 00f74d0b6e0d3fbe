package peer

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// Idle is s with a deadline of d from the start of each Read and each Write, so
// that a peer that stops answering is noticed. A d of 0 sets none.
func Idle(s network.Stream, d time.Duration) network.Stream {
	return &idle{Stream: s, limit: d}
}

type idle struct {
	network.Stream
	limit time.Duration
}

func (s *idle) Read(p []byte) (int, error) {
	if s.limit > 0 {
		if err := s.SetReadDeadline(time.Now().Add(s.limit)); err != nil {
			return 0, err
		}
	}
	return s.Stream.Read(p)
}

func (s *idle) Write(p []byte) (int, error) {
	if s.limit > 0 {
		if err := s.SetWriteDeadline(time.Now().Add(s.limit)); err != nil {
			return 0, err
		}
	}
	return s.Stream.Write(p)
}
