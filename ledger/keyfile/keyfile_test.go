package keyfile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func place(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

const zeros = "00000000000000000000000000000000000000000000000000000000000000"

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"open to others": {"11" + zeros, 0o644},
		"not hex":        {"zz" + zeros, 0o600},
		"too short":      {"11", 0o600},
		"zero":           {"00" + zeros, 0o600},
		"too long":       {strings.Repeat("1", maxFile+1), 0o600},
	} {
		if _, err := Open(place(t, "k.key", c.text, c.mode)); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPassphrase: with a passphrase, a key that lay open is encrypted at its next
// use and stays the same; without the right one it is refused with what to do.
func TestPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "k.key")
	key, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte(hex.EncodeToString(key.Bytes()))
	wants := func(words string) {
		t.Helper()
		again, err := Open(path)
		if words == "" {
			if err != nil || !bytes.Equal(again.Bytes(), key.Bytes()) {
				t.Errorf("key changed, or %v", err)
			}
		} else if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %q", err, words)
		}
	}
	wants("")
	t.Setenv(Variable, "open sesame")
	wants("")
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(text, plain) || !sealed(text) {
		t.Fatalf("not encrypted: %q (%v)", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	wants("")
	t.Setenv(Variable, "open barley")
	wants("another passphrase")
	t.Setenv(Variable, "")
	wants(Variable)
	t.Setenv(FileVariable, place(t, "pass", "open sesame\nsecond line\n", 0o600))
	wants("")
	if err := os.WriteFile(path, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	wants("damaged")
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("left behind: %v (%v)", all, err)
	}
}

func TestNewKeyIsEncrypted(t *testing.T) {
	t.Setenv(Variable, "x")
	path := filepath.Join(t.TempDir(), "k.key")
	key, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !sealed(text) || bytes.Contains(text, []byte(hex.EncodeToString(key.Bytes()))) {
		t.Errorf("%q (%v)", text, err)
	}
}

func TestPassphraseFile(t *testing.T) {
	for name, c := range map[string]struct {
		path, words string
	}{
		"missing":        {filepath.Join(t.TempDir(), "none"), "does not exist"},
		"open to others": {place(t, "p", "x\n", 0o644), "chmod 600"},
		"empty line":     {place(t, "p", "\nx\n", 0o600), "is empty"},
	} {
		t.Setenv(FileVariable, c.path)
		if _, err := Open(filepath.Join(t.TempDir(), "k.key")); !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
