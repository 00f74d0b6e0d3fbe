package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/data"
	"github.com/zennet/zennet/jobrunner/journal"
	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
)

// newRereading is a lab for jobs over the same files, at providers that keep what
// they have been given.
func newRereading(t *testing.T, tasks, size, providers int) *reading {
	r := newReading(t, tasks, size)
	r.market.lasting = map[types.Address]*blob.Store{}
	r.market.providers = providers
	return r
}

// named is a job of its own by its name, over the same files as every other.
func (r *reading) named(name string) string {
	return strings.ReplaceAll(fmt.Sprintf(`command: ["sh", "-c", "echo $ZENNET_TASK_INDEX.$ZENNET_ATTEMPT >> %s/ran; sha256sum > sum; : %s"]
		slots: 2
		retry: {attempts: 2}
		outputs: outputs/
		`, r.home, name), "\n\t\t", "\n")
}

// travelled is how many blobs went to providers so far, and how often files were opened.
func (r *reading) travelled() (blobs, opens int) {
	r.market.mu.Lock()
	for _, l := range r.market.leases {
		l.mu.Lock()
		blobs += l.staged
		l.mu.Unlock()
	}
	r.market.mu.Unlock()
	r.library.mu.Lock()
	defer r.library.mu.Unlock()
	return blobs, r.library.opens
}

// TestSplitsAreNear: a second job over the same files opens none of them and sends no
// byte of them; after a restart of the publisher too.
func TestSplitsAreNear(t *testing.T) {
	r := newRereading(t, 4, 3_000_000, 1)
	r.right(r.run(r.named("one")), 1)
	blobs, opens := r.travelled()
	if want := 4 * 3; blobs != want || opens == 0 {
		t.Fatalf("%d chunks went, want %d; %d files opened", blobs, want, opens)
	}
	r.right(r.run(r.named("two")), 2)
	r.restart()
	r.right(r.run(r.named("three")), 3)
	if again, reopened := r.travelled(); again != blobs || reopened != opens {
		t.Errorf("%d chunks went and %d files were opened for nothing", again-blobs, reopened-opens)
	}
}

// TestSplitsReadAgain: where sending costs nothing, a split is kept once it is read
// for the second time.
func TestSplitsReadAgain(t *testing.T) {
	r := newRereading(t, 4, 3_000_000, 1)
	r.market.here = true
	r.right(r.run(r.named("one")), 1)
	if blobs, _ := r.travelled(); blobs != 0 {
		t.Errorf("%d chunks were kept of what may never be read again", blobs)
	}
	r.right(r.run(r.named("two")), 2)
	blobs, opens := r.travelled()
	if want := 4 * 3; blobs != want {
		t.Errorf("%d chunks were kept, want %d", blobs, want)
	}
	r.right(r.run(r.named("three")), 3)
	if again, reopened := r.travelled(); again != blobs || reopened != opens {
		t.Errorf("%d chunks went and %d files were opened for nothing", again-blobs, reopened-opens)
	}
}

// TestSplitsAreSought: a slot begins with a task whose split its provider has.
func TestSplitsAreSought(t *testing.T) {
	r := newRereading(t, 8, 200_000, 2)
	busy := func(name string) (*run, []journal.Slot) {
		id := r.submit(strings.Replace(r.named(name), "sha256sum", "while test ! -e "+r.home+"/go; do sleep 0.02; done; sha256sum", 1)).ID
		r.until(id, func(s journal.Status) bool {
			return len(s.Slots) == 2 && len(s.Slots[0].Tasks) > 0 && len(s.Slots[1].Tasks) > 0
		})
		running, _, err := r.engine.find(id)
		if err != nil {
			t.Fatal(err)
		}
		return running, running.shot.Load().Slots
	}
	end := func(running *run) {
		r.goOn()
		r.want(r.wait(running.id), journal.JobDone, 8, 0)
		if err := os.Remove(filepath.Join(r.home, "go")); err != nil {
			t.Fatal(err)
		}
	}
	one, _ := busy("one")
	end(one)
	two, slots := busy("two")
	sum := 0.0
	for _, part := range two.nearness() {
		sum += part
	}
	if sum != 1 { // each split lies at one of the two
		t.Errorf("providers have %v of the input", two.nearness())
	}
	for _, slot := range slots {
		has, err := r.journal.SplitsAt(slot.Provider)
		if err != nil || len(has) == 0 {
			t.Fatalf("%d splits at %s, %v", len(has), slot.Provider, err)
		}
		for _, task := range slot.Tasks {
			if name, ok := two.split(two.number[task]); !ok || !slices.Contains(has, name) {
				t.Errorf("task %s runs at %s, which has %d other splits", task, slot.Provider, len(has))
			}
		}
	}
	end(two)
}

// TestSplitChanged: a file that is not the planned one any more is opened, which says
// so; its old content is not fed.
func TestSplitChanged(t *testing.T) {
	r := newRereading(t, 1, 1_000_000, 1)
	r.right(r.run(r.named("one")), 1)
	changed := fmt.Errorf("%w: it was written since", data.ErrChanged)
	r.library.check, r.library.fail = changed, func(int, string) error { return changed }
	s := r.run(r.named("two"))
	if s.State != journal.JobFailed || len(s.Failures) == 0 || !strings.Contains(s.Failures[0].Message, "input changed") {
		t.Errorf("%s, failures %+v", s.State, s.Failures)
	}
}

// TestSplitLost: a provider that has lost blobs, and one that lies about them, is
// sent them anew.
func TestSplitLost(t *testing.T) {
	r := newRereading(t, 2, 3_000_000, 1)
	r.right(r.run(r.named("one")), 1)
	_, opens := r.travelled()
	// It says so itself.
	provider := address(0)
	lost := r.market.lasting[provider]
	lost.Close()
	fresh, err := blob.Open(lost.Dir()+".new", 0)
	if err != nil {
		t.Fatal(err)
	}
	r.market.lasting[provider] = fresh
	r.right(r.run(r.named("two")), 2)
	blobs, reopened := r.travelled()
	if reopened != 2*opens {
		t.Errorf("%d files opened, want %d", reopened, 2*opens)
	}
	// It does not say so; the worker finds out.
	if names, err := r.journal.SplitsAt(provider); err != nil || len(names) != 2 {
		t.Fatalf("%d splits are known, %v", len(names), err)
	}
	once := true
	r.market.cache = func(l *fakeLease, hashes []types.Hash, do func() error) error {
		err := do()
		if r.market.mu.Lock(); once && len(hashes) > 1 {
			once = false
			err = errors.Join(err, os.Remove(filepath.Join(fresh.Dir(), hashes[1].String()[:2], hashes[1].String())))
		}
		r.market.mu.Unlock()
		return err
	}
	r.right(r.run(r.named("three")), 3)
	if again, opened := r.travelled(); again != blobs+1 || opened != reopened+3 {
		t.Errorf("%d chunks went for one, %d files were opened", again-blobs, opened-reopened)
	}
}

// TestSplitsRefused: a provider that keeps nothing gets every byte with the feed, and
// is not asked for every chunk again.
func TestSplitsRefused(t *testing.T) {
	r := newRereading(t, 3, 3_000_000, 1)
	asked := 0
	r.market.cache = func(*fakeLease, []types.Hash, func() error) error {
		r.market.mu.Lock()
		defer r.market.mu.Unlock()
		asked++
		return fmt.Errorf("cache: %w: no room", blob.ErrRefused)
	}
	r.right(r.run(r.named("one")), 1)
	if blobs, _ := r.travelled(); blobs != 0 || asked == 0 || asked > 2 {
		t.Errorf("%d chunks went, asked %d times", blobs, asked)
	}
	if names, err := r.journal.SplitsAt(address(0)); err != nil || len(names) != 0 {
		t.Errorf("%d splits are known, %v", len(names), err)
	}
}

// TestSmallSplits are fed as they are.
func TestSmallSplits(t *testing.T) {
	r := newRereading(t, 2, splitLeast-10, 1)
	r.right(r.run(r.named("one")), 1)
	if blobs, _ := r.travelled(); blobs != 0 {
		t.Errorf("%d chunks went", blobs)
	}
}

// TestSplitRestart: a publisher that is killed in the middle of a first feed goes on,
// from what the provider has.
func TestSplitRestart(t *testing.T) {
	r := newRereading(t, 1, 6_000_000, 1)
	reached, goOn := r.library.stopAt("f0", 1_900_000)
	id := r.submit(r.named("one")).ID
	<-reached
	r.until(id, func(journal.Status) bool { blobs, _ := r.travelled(); return blobs >= 1 && r.ran()["0"] == 1 })
	r.restart()
	goOn()
	r.right(r.wait(id), 1)
	if blobs, _ := r.travelled(); blobs != 6 {
		t.Errorf("%d chunks went, want 6", blobs)
	}
}
