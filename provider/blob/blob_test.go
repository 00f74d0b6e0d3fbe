package blob

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/zennet/zennet/provider/protocol"
)

// open opens a store in a fresh folder.
func open(t testing.TB, maxBytes uint64) *Store {
	t.Helper()
	return reopen(t, t.TempDir(), maxBytes)
}

func reopen(t testing.TB, dir string, maxBytes uint64) *Store {
	t.Helper()
	s, err := Open(dir, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Check(s); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// folder makes a folder with files by path: contents, "->target" for a link, and
// a path with a slash at its end for a folder.
func folder(t testing.TB, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for p, contents := range files {
		full := filepath.Join(dir, p)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		switch {
		case err != nil:
		case p[len(p)-1] == '/':
			err = os.MkdirAll(full, 0o755)
		case len(contents) > 2 && contents[:2] == "->":
			err = os.Symlink(contents[2:], full)
		default:
			err = os.WriteFile(full, []byte(contents), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root(t, dir)
}

func root(t testing.TB, dir string) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// noise is n bytes that differ by seed.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	out := make([]byte, n)
	rand.NewChaCha8(key).Read(out)
	return out
}

// describe is a manifest in lines, without hashes.
func describe(m protocol.Manifest) string {
	var b bytes.Buffer
	for _, f := range m.Files {
		switch {
		case f.Link != "":
			fmt.Fprintf(&b, "%s -> %s\n", f.Path, f.Link)
		case f.Mode&protocol.ModeDir != 0:
			fmt.Fprintf(&b, "%s/ %o\n", f.Path, f.Mode&0o777)
		default:
			fmt.Fprintf(&b, "%s %o %d\n", f.Path, f.Mode, f.Size)
		}
	}
	return b.String()
}
