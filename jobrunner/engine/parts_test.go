package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zennet/zennet/jobs/plan"
)

// shelf is a Source whose parts hold their files' names.
type shelf struct {
	opened, closed atomic.Int64
	fail           map[string]error
}

func (s *shelf) Check(context.Context, plan.Part) error { return nil }
func (s *shelf) Close() error                           { return nil }

func (s *shelf) Open(ctx context.Context, p plan.Part) (io.ReadCloser, error) {
	s.opened.Add(1)
	if err := s.fail[p.File]; err != nil {
		s.closed.Add(1)
		return nil, err
	}
	return &shelved{strings.NewReader(p.File), s}, ctx.Err()
}

type shelved struct {
	*strings.Reader
	of *shelf
}

func (s *shelved) Close() error {
	s.of.closed.Add(1)
	return nil
}

// TestPartsReader: parts come in their order, small ones are opened while others are
// read, large ones are not, and all that was opened is closed.
func TestPartsReader(t *testing.T) {
	gone := errors.New("gone")
	for name, c := range map[string]struct {
		length int64
		fail   string
		first  int64 // opened before the first is read to its end
		read   string
		err    error
	}{
		"small":         {1000, "", 5, "0 1 2 3 4 5 6 7 8 9 ", nil},
		"large":         {bytesAhead + 1, "", 1, "0 1 2 3 4 5 6 7 8 9 ", nil},
		"middling":      {bytesAhead/2 + 1, "", 2, "0 1 2 3 4 5 6 7 8 9 ", nil},
		"one is gone":   {1000, "7 ", 5, "0 1 2 3 4 5 6 ", gone},
		"the first is":  {1000, "0 ", 5, "", gone},
		"large is gone": {bytesAhead + 1, "9 ", 1, "0 1 2 3 4 5 6 7 8 ", gone},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{fail: map[string]error{c.fail: gone}}
			var parts []plan.Part
			for i := range 10 {
				parts = append(parts, plan.Part{File: fmt.Sprint(i, " "), Length: c.length})
			}
			f := &feeding{}
			p := newPartsReader(context.Background(), f, s, parts)
			var first [1]byte
			n, err := p.Read(first[:])
			for end := time.Now().Add(10 * time.Second); s.opened.Load() < c.first && time.Now().Before(end); {
				runtime.Gosched() // they are opened beside it
			}
			if got := s.opened.Load(); got != c.first {
				t.Errorf("%d were opened for the first, want %d", got, c.first)
			}
			all := []byte(nil)
			if err == nil {
				all, err = io.ReadAll(p)
			}
			if got := string(first[:n]) + string(all); got != c.read || !errors.Is(err, c.err) {
				t.Errorf("read %q, %v", got, err)
			}
			if bad := f.bad.Load(); (bad != nil) != (c.err != nil) {
				t.Errorf("noted %v", bad)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if s.opened.Load() != s.closed.Load() {
				t.Errorf("%d opened, %d closed", s.opened.Load(), s.closed.Load())
			}
		})
	}
	s := &shelf{}
	p := newPartsReader(context.Background(), &feeding{}, s, []plan.Part{{File: "a"}, {File: "b"}})
	if _, err := p.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil || s.opened.Load() != s.closed.Load() {
		t.Errorf("%d opened, %d closed, %v", s.opened.Load(), s.closed.Load(), err)
	}
}
