package chain

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func pairs(kv KV, prefix []byte, most int) []string {
	var all []string
	kv.Iterate(prefix, func(key, value []byte) bool {
		all = append(all, string(key)+"="+string(value))
		return len(all) < most
	})
	return all
}

// A store in memory, and one with an overlay or two on it, do the same.
func TestOverlayIsAStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 0xff}), 0, 3)
		plain, base := NewMemKV(), NewMemKV()
		middle := NewOverlay(base)
		top := NewOverlay(middle)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.SliceOfN(rapid.Byte(), 1, 2).Draw(t, "value")
				plain.Set(k, v)
				top.Set(k, v)
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				plain.Delete(k)
				top.Delete(k)
			},
			"flush the top":    func(*rapid.T) { top.Flush() },
			"flush the middle": func(*rapid.T) { middle.Flush() },
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if want, got := plain.Get(k), top.Get(k); !bytes.Equal(want, got) || (want == nil) != (got == nil) {
					t.Fatalf("%q: %q, want %q", k, got, want)
				}
			},
			"": func(t *rapid.T) {
				prefix, most := key.Draw(t, "prefix"), rapid.IntRange(1, 20).Draw(t, "most")
				if diff := cmp.Diff(pairs(plain, prefix, most), pairs(top, prefix, most)); diff != "" {
					t.Fatal(diff)
				}
			},
		})
	})
}

// What callers do with their slices afterwards does not reach the store.
func TestStoresCopy(t *testing.T) {
	for name, kv := range map[string]KV{"memory": NewMemKV(), "overlay": NewOverlay(NewMemKV())} {
		key, value := []byte("key"), []byte("value")
		kv.Set(key, value)
		key[0], value[0] = 'x', 'x'
		if got := kv.Get([]byte("key")); string(got) != "value" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
