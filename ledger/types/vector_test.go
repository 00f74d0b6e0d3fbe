package types_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
)

// vectors are made by testdata/vectors.py, which shares no code with this module.
type vectors struct {
	Keys []struct {
		Name, Secret, Even, X, Address string
	}
	NotBech32m  string `json:"not_bech32m"`
	OtherPrefix string `json:"other_prefix"`
	Short       string
	NoPoint     string `json:"no_point"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// PROTOCOL.md 1.3, 4.2: addresses are bech32m, keys have even Y.
func TestKeyVectors(t *testing.T) {
	for _, v := range readVectors(t).Keys {
		secret, _ := hex.DecodeString(v.Secret)
		key, err := types.KeyFromBytes(secret)
		if err != nil {
			t.Fatal(err)
		}
		if got := key.Address().String(); got != v.Address {
			t.Errorf("%s: address %s, want %s", v.Name, got, v.Address)
		}
		if got := hex.EncodeToString(key.Bytes()); got != v.Even {
			t.Errorf("%s: key %s, want %s, whose point has even Y", v.Name, got, v.Even)
		}
		back, err := types.ParseAddress(v.Address)
		if err != nil || hex.EncodeToString(back[:]) != v.X {
			t.Errorf("%s: parsed as %x (%v), want %s", v.Name, back, err, v.X)
		}
		if upper, err := types.ParseAddress(strings.ToUpper(v.Address)); err != nil || upper != back {
			t.Errorf("%s: upper case is refused: %v", v.Name, err)
		}
	}
}

func TestAddressRefused(t *testing.T) {
	v := readVectors(t)
	good := v.Keys[0].Address
	flip := map[byte]string{'q': "p"}[good[len(good)-1]]
	if flip == "" {
		flip = "q"
	}
	for name, text := range map[string]string{
		"empty":         "",
		"bech32":        v.NotBech32m,
		"other prefix":  v.OtherPrefix,
		"31 bytes":      v.Short,
		"no point":      v.NoPoint,
		"checksum":      good[:len(good)-1] + flip,
		"cut":           good[:len(good)-1],
		"mixed case":    strings.ToUpper(good[:10]) + good[10:],
		"space in it":   good[:10] + " " + good[10:],
		"space around":  " " + good,
		"no separator":  strings.Replace(good, "1", "", 1),
		"bad character": good[:10] + "b" + good[11:],
	} {
		if a, err := types.ParseAddress(text); !errors.Is(err, types.ErrAddress) || !a.IsZero() {
			t.Errorf("%s: %q gives %v, %v", name, text, a, err)
		}
	}
}
