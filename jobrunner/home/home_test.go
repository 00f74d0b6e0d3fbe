package home_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zennet/zennet/jobrunner/home"
	"github.com/zennet/zennet/ledger/types"
)

func TestKeyIsMadeOnceAndKept(t *testing.T) {
	h := home.Home{Dir: t.TempDir()}
	if err := h.Make(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[types.Address]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			key, err := h.Key("publisher")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[key.Address()] = true
			mu.Unlock()
		}()
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("eight openings gave %d keys", len(seen))
	}
	info, err := os.Stat(filepath.Join(h.Dir, "keys", "publisher.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	h := home.Home{Dir: t.TempDir()}
	release, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Lock(); !errors.Is(err, home.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	release()
	release, err = h.Lock()
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	release()
}
