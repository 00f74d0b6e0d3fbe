package meter

import (
	"errors"
	"io/fs"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/zennet/zennet/pricing"
)

// fake is a source and its clock.
type fake struct {
	at           time.Time
	user, system uint64
	level        uint64
	other        pricing.Usage
	events       Events
	err          error
	sampled      chan struct{} // told of each look at the memory, where not nil
}

func (f *fake) cpu() (uint64, uint64, error) { return f.user, f.system, f.err }

func (f *fake) memory() (uint64, error) {
	if f.sampled != nil {
		f.sampled <- struct{}{}
	}
	return f.level, f.err
}

func (f *fake) rest(into pricing.Usage, beside *aside) error {
	for c, n := range f.other {
		into[c] = n
	}
	beside.Events = f.events
	return f.err
}

func (f *fake) now() time.Time { return f.at }

func (f *fake) open(t interface {
	Fatal(...any)
	Cleanup(func())
}) *Meter {
	m, err := start(f, f.now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

var epoch = time.Unix(1_700_000_000, 0)

func TestReadingStartsAtZero(t *testing.T) {
	f := &fake{at: epoch, user: 5, system: 6, level: 7, other: pricing.Usage{pricing.NetRx: 8}, events: Events{1, 2}}
	m := f.open(t)
	f.user, f.system, f.other, f.events = 105, 206, pricing.Usage{pricing.NetRx: 308}, Events{3, 5}
	r, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	want := Reading{Time: epoch, Events: Events{2, 3},
		Usage: pricing.Usage{pricing.CPUUser: 100, pricing.CPUSystem: 200, pricing.NetRx: 300}}
	if d := cmp.Diff(want, r); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Memory is the trapezium under its levels; what is less than a byte-second is
// carried on.
func TestMemoryIntegral(t *testing.T) {
	f := &fake{at: epoch, level: 1000}
	m := f.open(t)
	for _, step := range []struct {
		after time.Duration
		level uint64
		want  uint64
	}{
		{time.Second, 1000, 1000},
		{2 * time.Second, 3000, 1000 + 4000},
		{0, 1 << 40, 5000}, // no time, no byte-seconds
		{0, 0, 5000},
		{time.Hour, 0, 5000},
		{time.Millisecond, 3, 5000}, // 1.5 bytes, rounded down to 1, for a ms
		{-time.Minute, 500, 5000},   // the clock cannot go back, but if it does
		{time.Minute, 500, 5000},
	} {
		f.at, f.level = f.at.Add(step.after), step.level
		r, err := m.Read()
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Usage[pricing.Memory]; got != step.want {
			t.Fatalf("after %v at %d bytes: %d byte-seconds, want %d", step.after, step.level, got, step.want)
		}
	}
	f.level = 1000
	m.Read()
	before, _ := m.Read()
	for range 1000 { // a thousandth of a second each
		f.at = f.at.Add(time.Millisecond)
		m.Read()
	}
	after, _ := m.Read()
	if got := after.Usage[pricing.Memory] - before.Usage[pricing.Memory]; got != 1000 {
		t.Errorf("1000 bytes for 1000 ms are %d byte-seconds", got)
	}
}

func TestByteSeconds(t *testing.T) {
	// A terabyte for a month, in one step.
	whole, rest := byteSeconds(1<<40, uint64(30*24*time.Hour), 999_999_999)
	if whole != (1<<40)*30*24*3600 || rest != 999_999_999 {
		t.Errorf("%d, %d", whole, rest)
	}
	if whole, rest := byteSeconds(math.MaxUint64, math.MaxUint64, 7); whole != 0 || rest != 7 {
		t.Errorf("beyond all bounds: %d, %d", whole, rest)
	}
}

// The background sampling sees levels that no Read saw.
func TestBackgroundSampling(t *testing.T) {
	f := &fake{at: epoch, level: 1000, sampled: make(chan struct{}, 100)}
	m, err := start(f, f.now, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // two by start, the others by the ticker
		<-f.sampled
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(); !errors.Is(err, ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestGone(t *testing.T) {
	f := &fake{at: epoch, user: 10, level: 1000}
	m := f.open(t)
	f.user, f.at = 50, epoch.Add(time.Second)
	last, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	f.user, f.err = 90, errors.New("a bad day")
	if r, err := m.Read(); err == nil || errors.Is(err, ErrGone) || !cmp.Equal(r, last) {
		t.Errorf("passing error: %v, %v", r, err)
	}
	f.err = &fs.PathError{Op: "open", Path: "cpuacct.usage", Err: fs.ErrNotExist}
	for range 2 {
		if r, err := m.Read(); !errors.Is(err, ErrGone) || !cmp.Equal(r, last) {
			t.Errorf("got %v, %v; want ErrGone with the last reading %v", r, err, last)
		}
	}
	if _, err := start(f, f.now, time.Hour); !errors.Is(err, ErrGone) {
		t.Errorf("open: %v", err)
	}
}

// Whatever the kernel says, no counter of a Meter decreases, and user and system
// time together are exactly the highest sum that it said.
func TestNeverDecreases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Uint64Range(0, 1<<40)
		f := &fake{at: epoch}
		m := f.open(t)
		before, _ := m.Read()
		var most uint64
		for range rapid.IntRange(1, 20).Draw(t, "reads") {
			f.at = f.at.Add(time.Duration(rapid.Int64Range(-1e9, 1e10).Draw(t, "ns")))
			f.user, f.system, f.level = draw.Draw(t, "user"), draw.Draw(t, "system"), draw.Draw(t, "level")
			f.other = pricing.Usage{pricing.NetRx: draw.Draw(t, "rx"), pricing.BlockRead: draw.Draw(t, "read")}
			f.events = Events{draw.Draw(t, "kills"), draw.Draw(t, "forks")}
			if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
				f.err = errors.New("a bad day")
			} else {
				f.err, most = nil, max(most, f.user+f.system)
			}
			r, _ := m.Read()
			for c, n := range before.Usage {
				if r.Usage[c] < n {
					t.Fatalf("%s falls from %d to %d", c, n, r.Usage[c])
				}
			}
			if sum := r.Usage[pricing.CPUUser] + r.Usage[pricing.CPUSystem]; sum != most {
				t.Fatalf("CPU time %d, want %d", sum, most)
			}
			if r.Time.Before(before.Time) || r.Events.OOMKills < before.Events.OOMKills || r.Events.PidsMax < before.Events.PidsMax {
				t.Fatalf("%v after %v", r, before)
			}
			before = r
		}
	})
}
