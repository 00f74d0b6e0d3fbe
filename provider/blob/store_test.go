package blob

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

func put(t testing.TB, s *Store, data []byte) types.Hash {
	t.Helper()
	h, err := s.Put(data)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPutGet(t *testing.T) {
	s := open(t, 0)
	for _, n := range []int{0, 1, protocol.ChunkSize, protocol.MaxManifest} {
		data := noise(1, n)
		h := put(t, s, data)
		if got, err := s.Get(h); err != nil || !bytes.Equal(got, data) || !s.Has(h) {
			t.Errorf("%d bytes came back as %d (%v)", n, len(got), err)
		}
		name := h.String()
		info, err := os.Stat(filepath.Join(s.Dir(), name[:2], name))
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("the worker cannot read it: %v, %v", info.Mode(), err)
		}
	}
	if _, err := s.Put(make([]byte, protocol.MaxManifest+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if _, err := s.Get(HashOf([]byte("no"))); !errors.Is(err, ErrMissing) || s.Has(HashOf([]byte("no"))) {
		t.Errorf("got %v, want ErrMissing", err)
	}
}

// A blob whose file was cut, grown or altered counts as missing and can be put
// again; before a reopen, and after one.
func TestDamageIsFound(t *testing.T) {
	data := noise(1, 10_000)
	for name, damage := range map[string]func(path string) error{
		"cut":   func(p string) error { return os.Truncate(p, 5000) },
		"empty": func(p string) error { return os.Truncate(p, 0) },
		"grown": func(p string) error { return os.WriteFile(p, append(noise(1, 10_000), 0), 0o644) },
		"bit": func(p string) error {
			d := noise(1, 10_000)
			d[77] ^= 1
			return os.WriteFile(p, d, 0o644)
		},
		"gone": os.Remove,
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s restart=%t", name, restart), func(t *testing.T) {
				s := open(t, 0)
				h := put(t, s, data)
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Millisecond) // so that the file's time differs
				if err := damage(s.path(h)); err != nil {
					t.Fatal(err)
				}
				if restart {
					s = reopen(t, s.Dir(), 0)
				}
				if s.Has(h) {
					t.Error("Has says it is there")
				}
				if _, err := s.Get(h); !errors.Is(err, ErrMissing) {
					t.Errorf("got %v, want ErrMissing", err)
				}
				if again := put(t, s, data); again != h || !s.Has(h) {
					t.Error("it cannot be put again")
				}
			})
		}
	}
}

// What a killed process left half-written is swept, what it finished is there.
func TestReopenAfterKill(t *testing.T) {
	s := open(t, 0)
	h := put(t, s, []byte("whole"))
	half := filepath.Join(s.Dir(), "tmp", "1f")
	if err := os.WriteFile(half, []byte("ha"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir(), h.String()[:2], "stranger"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s.Dir(), 0)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half blob is still there (%v)", err)
	}
	if _, n := s.Usage(); n != 1 || !s.Has(h) {
		t.Errorf("%d blobs are there", n)
	}
}

// The least recently used goes first, and what a lease pinned stays.
func TestEviction(t *testing.T) {
	s := open(t, 4*blockSize)
	var h []types.Hash
	for i := range uint64(4) {
		h = append(h, put(t, s, noise(i, blockSize)))
	}
	s.Pin("lease", h[1])
	if !s.Has(h[0]) { // now h[1], pinned, and h[2] are the oldest
		t.Fatal("h[0] is gone")
	}
	h = append(h, put(t, s, noise(4, 2*blockSize)))
	if got, want := held(s, h), []bool{true, true, false, false, true}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%v are there, want %v", got, want)
	}
	s.Pin("lease", h[0], h[4])
	s.Pin("other", h[4])
	if _, err := s.Put(noise(5, 1)); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	s.Unpin("lease")
	put(t, s, noise(6, 2*blockSize))
	if got, want := held(s, h), []bool{false, false, false, false, true}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%v are there, want %v", got, want)
	}
	s = reopen(t, s.Dir(), 2*blockSize)
	if n, _ := s.Usage(); n > 2*blockSize {
		t.Errorf("a smaller bound is not kept: %d bytes", n)
	}
}

func held(s *Store, hashes []types.Hash) []bool {
	out := make([]bool, len(hashes))
	for i, h := range hashes {
		_, out[i] = s.entries[h]
	}
	return out
}

// The order of use outlives the process.
func TestOrderSurvives(t *testing.T) {
	s := open(t, 0)
	old, young := put(t, s, []byte("old")), put(t, s, []byte("young"))
	past := time.Now().Add(-3 * time.Hour)
	for _, h := range []types.Hash{old, young} {
		if err := os.Chtimes(s.path(h), past, past); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s.Dir(), 0)
	if !s.Has(old) { // used now
		t.Fatal("gone")
	}
	s = reopen(t, s.Dir(), blockSize)
	if got := held(s, []types.Hash{old, young}); !got[0] || got[1] {
		t.Errorf("old, young are there: %v", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := open(t, 40*blockSize)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 100 {
				data := noise(uint64((w*37+i)%60), 2000)
				h, err := s.Put(data)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := s.Get(h); err == nil && !bytes.Equal(got, data) || err != nil && !errors.Is(err, ErrMissing) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
				if i%10 == 0 {
					s.Pin(fmt.Sprint(w), h)
				}
				if i%30 == 0 {
					s.Unpin(fmt.Sprint(w))
				}
			}
			s.Unpin(fmt.Sprint(w))
		})
	}
	wg.Wait()
}

// Against a model: what is pinned is there, and books agree, whatever is done.
func TestStoreModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "blob")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s, err := Open(dir, 10*blockSize)
		if err != nil {
			t.Fatal(err)
		}
		pinned := map[string]map[types.Hash]bool{}
		blob := rapid.Custom(func(t *rapid.T) []byte {
			return noise(rapid.Uint64Range(0, 15).Draw(t, "seed"), 3000)
		})
		owner := rapid.SampledFrom([]string{"a", "b"})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				if _, err := s.Put(blob.Draw(t, "blob")); err != nil && !errors.Is(err, ErrFull) {
					t.Fatal(err)
				}
			},
			"pin": func(t *rapid.T) {
				who, h := owner.Draw(t, "owner"), HashOf(blob.Draw(t, "blob"))
				if s.Pin(who, h); s.Has(h) {
					if pinned[who] == nil {
						pinned[who] = map[types.Hash]bool{}
					}
					pinned[who][h] = true
				}
			},
			"unpin": func(t *rapid.T) {
				who := owner.Draw(t, "owner")
				s.Unpin(who)
				delete(pinned, who)
			},
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(dir, 10*blockSize); err != nil {
					t.Fatal(err)
				}
				clear(pinned)
			},
			"": func(t *rapid.T) {
				if err := Check(s); err != nil {
					t.Fatal(err)
				}
				for _, hashes := range pinned {
					for h := range hashes {
						if !s.Has(h) {
							t.Fatalf("pinned %s is gone", h)
						}
					}
				}
			},
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestClosedStoreTakesNothing(t *testing.T) {
	s := open(t, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put([]byte("late")); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v", err)
	}
}
