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

func TestKeyFileIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"open to others": {"11" + zeros, 0o644},
		"not hex":        {"zz" + zeros, 0o600},
		"too short":      {"11", 0o600},
		"zero":           {"00" + zeros, 0o600},
	} {
		path := filepath.Join(t.TempDir(), "k.key")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := home.KeyFile(path); !errors.Is(err, home.ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const zeros = "00000000000000000000000000000000000000000000000000000000000000"

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
