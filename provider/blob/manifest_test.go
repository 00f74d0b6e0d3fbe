package blob

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// validManifest is the base that each case mutates.
func validManifest() protocol.Manifest {
	return protocol.Manifest{Files: []protocol.File{
		{Path: "a/b", Mode: 0o644, Size: protocol.ChunkSize + 1, Chunks: make([]types.Hash, 2)},
		{Path: "a/link", Mode: 0o777, Link: "../c"},
		{Path: "c", Mode: 0o755, Size: 1, Chunks: make([]types.Hash, 1)},
		{Path: "d", Mode: protocol.ModeDir | 0o700},
	}}
}

func TestManifestValidation(t *testing.T) {
	if _, err := EncodeManifest(validManifest()); err != nil {
		t.Fatal(err)
	}
	rename := func(p string) func(*protocol.Manifest) {
		return func(m *protocol.Manifest) { m.Files = m.Files[2:3]; m.Files[0].Path = p }
	}
	link := func(from, to string) func(*protocol.Manifest) {
		return func(m *protocol.Manifest) { m.Files = []protocol.File{{Path: from, Mode: 0o777, Link: to}} }
	}
	for name, c := range map[string]struct {
		mutate func(*protocol.Manifest)
		want   error
	}{
		"parent":           {rename("../x"), ErrPath},
		"inner parent":     {rename("a/../x"), ErrPath},
		"absolute":         {rename("/etc/passwd"), ErrPath},
		"empty path":       {rename(""), ErrPath},
		"dot inside":       {rename("a/./b"), ErrPath},
		"double slash":     {rename("a//b"), ErrPath},
		"trailing slash":   {rename("a/"), ErrPath},
		"nul":              {rename("a\x00b"), ErrPath},
		"not utf-8":        {rename("a\xffb"), ErrPath},
		"long name":        {rename(strings.Repeat("n", 256)), ErrPath},
		"long path":        {rename(strings.Repeat("n/", 2000) + "n"), ErrPath},
		"dot among others": {func(m *protocol.Manifest) { m.Files[0].Path = "." }, ErrPath},
		"dot folder":       {func(m *protocol.Manifest) { m.Files = m.Files[3:]; m.Files[0].Path = "." }, ErrPath},
		"unsorted":         {func(m *protocol.Manifest) { m.Files[0].Path = "b" }, ErrManifest},
		"twice":            {func(m *protocol.Manifest) { m.Files[1].Path = "a/b" }, ErrManifest},
		"below a file":     {func(m *protocol.Manifest) { m.Files[3].Path = "c/d" }, ErrManifest},
		"below a link":     {func(m *protocol.Manifest) { m.Files[2].Path = "a/link/c" }, ErrManifest},
		"setuid":           {func(m *protocol.Manifest) { m.Files[0].Mode = 0o4755 }, ErrManifest},
		"device bits":      {func(m *protocol.Manifest) { m.Files[0].Mode = 1<<26 | 0o644 }, ErrManifest},
		"missing chunk":    {func(m *protocol.Manifest) { m.Files[0].Chunks = m.Files[0].Chunks[1:] }, ErrManifest},
		"chunk too many":   {func(m *protocol.Manifest) { m.Files[2].Size = 0 }, ErrManifest},
		"folder with size": {func(m *protocol.Manifest) { m.Files[3].Size = 1 }, ErrManifest},
		"link with size":   {func(m *protocol.Manifest) { m.Files[1].Size = 1 }, ErrManifest},
		"link with mode":   {func(m *protocol.Manifest) { m.Files[1].Mode = 0o755 }, ErrManifest},
		"sizes overflow":   {func(m *protocol.Manifest) { m.Files[0].Size = 1 << 63 }, ErrManifest},
		"absolute link":    {link("a", "/etc/passwd"), ErrLink},
		"link out":         {link("a", ".."), ErrLink},
		"link out below":   {link("a/b", "../../x"), ErrLink},
		"link climbs":      {link("a/b/c", "d/../../../x"), ErrLink},
		"link nul":         {link("a", "b\x00"), ErrPath},
	} {
		m := validManifest()
		c.mutate(&m)
		if _, err := EncodeManifest(m); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if _, err := DecodeManifest(types.Encode(m)); err == nil {
			t.Errorf("%s: is decoded", name)
		}
		if err := Place(folder(t, nil), "", m, nil); err == nil {
			t.Errorf("%s: is placed", name)
		}
	}
	many := protocol.Manifest{Files: make([]protocol.File, MaxFiles+1)}
	if _, err := EncodeManifest(many); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many files: got %v, want ErrTooLarge", err)
	}
	if _, err := DecodeManifest(make([]byte, protocol.MaxManifest+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too long: got %v, want ErrTooLarge", err)
	}
}

// FuzzDecodeManifest: what is accepted encodes to the same bytes, and can be
// placed only inside its folder.
func FuzzDecodeManifest(f *testing.F) {
	good := validManifest()
	f.Add(types.Encode(good))
	f.Add(types.Encode(protocol.Manifest{Files: []protocol.File{{Path: ".", Mode: 0o600}}}))
	f.Add(types.Encode(protocol.Manifest{Files: []protocol.File{{Path: "a", Mode: 0o777, Link: "b"}, {Path: "b", Mode: 0o777, Link: "./a"}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data)
		if err != nil {
			return
		}
		if again, err := EncodeManifest(m); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("encodes otherwise (%v)", err)
		}
		if len(m.Files) > 50 || Size(m) > 1<<20 {
			return
		}
		dir := t.TempDir()
		inside := filepath.Join(dir, "inside")
		if err := os.Mkdir(inside, 0o755); err != nil {
			t.Fatal(err)
		}
		r, err := os.OpenRoot(inside)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		Place(r, "at", m, func(types.Hash) ([]byte, error) { return nil, ErrMissing })
		for _, file := range m.Files {
			if file.Link != "" {
				if _, err := r.Stat("at/" + file.Path); err != nil && !errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "too many levels") && !strings.Contains(err.Error(), "not a directory") && !strings.Contains(err.Error(), "name too long") {
					t.Errorf("link %q to %q: %v", file.Path, file.Link, err)
				}
			}
		}
		names, err := os.ReadDir(dir)
		if err != nil || len(names) != 1 {
			t.Fatalf("beside the folder: %v (%v)", names, err)
		}
	})
}
