package mapreduce

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// heard collects what is said, with the time since the start.
type heard struct {
	mu    sync.Mutex
	began time.Time
	lines []string
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprintf("%v %s", time.Since(h.began), strings.TrimSuffix(string(p), "\n")))
	return len(p), nil
}

// TestTeller: a status is told at once, then at most one a second, always the newest,
// and the last one is not lost.
func TestTeller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heard{began: time.Now()}
		tell := &teller{to: h, every: sayEvery}
		for i := range 1000 {
			tell.say(fmt.Sprint("record ", i, "\t"))
			time.Sleep(3 * time.Millisecond) // never at the moment when the teller speaks
		}
		time.Sleep(10 * time.Second)
		tell.say("end\x1b")
		want := []string{"0s record 0", "1s record 333", "2s record 666", "3s record 999", "13s end"}
		if diff := cmp.Diff(want, h.lines); diff != "" {
			t.Error(diff)
		}
	})
}

// TestStatusIsSaid: what a mapper reports is told while it runs.
func TestStatusIsSaid(t *testing.T) {
	j := &job{Options: streamed("sh -c 'echo reporter:status:half way >&2; cat'", "cat"), inputs: []string{"a\n"}}
	h := &heard{}
	j.say = h
	if _, err := j.run(t); err != nil {
		t.Fatal(err)
	}
	if len(h.lines) != 1 || !strings.HasSuffix(h.lines[0], " half way") {
		t.Errorf("heard %q", h.lines)
	}
}
