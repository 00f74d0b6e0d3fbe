package hdfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/zennet/zennet/jobrunner/files"
	"github.com/zennet/zennet/jobrunner/files/filestest"
	"github.com/zennet/zennet/jobrunner/files/hdfs/hdfstest"
)

// chmod gives a path other permissions, as the superuser.
func chmod(t *testing.T, s *System, p string, mode os.FileMode) {
	filestest.Must(t, s.once(filestest.Context(t), func(l *link) error { return l.client.Chmod(p, mode) }))
}

// What a user may not read is refused when it is opened, and what he may not
// write when it is made, as a permission.
func TestPermission(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	alice, err := Open(Config{Conf: c.Conf, User: "alice"})
	filestest.Must(t, err)
	defer alice.Close()
	ctx := filestest.Context(t)
	for _, name := range []string{"/secret", "/public"} {
		filestest.Put(t, s, folder+name, []byte("text"))
	}
	chmod(t, s, folder+"/secret", 0o600)
	filestest.Must(t, s.Mkdir(ctx, folder+"/closed"))
	filestest.Put(t, s, folder+"/closed/f", nil)
	chmod(t, s, folder+"/closed", 0o700)

	if got := string(filestest.Read(t, alice, folder+"/public", 0)); got != "text" {
		t.Errorf("public: %q", got)
	}
	_, secret := alice.Open(ctx, folder+"/secret", 0)
	_, inside := alice.Stat(ctx, folder+"/closed/f")
	_, put := alice.Put(ctx, folder+"/new", filestest.Bytes(nil))
	for what, err := range map[string]error{
		"open": secret, "stat": inside, "put": put,
		"list":   alice.List(ctx, folder+"/closed", func([]files.Info) error { return nil }),
		"mkdir":  alice.MkdirAll(ctx, folder+"/a/b"),
		"rename": alice.Rename(ctx, folder+"/public", folder+"/mine"),
		"remove": alice.Remove(ctx, folder+"/public"),
	} {
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), folder) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := filestest.Names(t, s, folder); len(got) != 3 {
		t.Errorf("now there: %q", got)
	}
}

// Of an encryption zone the client would read and write ciphertext.
func TestEncryptionZone(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	ctx := filestest.Context(t)
	zone := folder + "/zone"
	filestest.Must(t, s.Mkdir(ctx, zone))
	filestest.Must(t, c.CreateZone(zone))
	local := t.TempDir() + "/f"
	write(t, local, "plain text")
	if _, err := c.Java(hdfstest.Shell, "-put", local, zone+"/f"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{zone, zone + "/f"} {
		if info, err := s.Stat(ctx, p); err != nil || !info.Encrypted {
			t.Errorf("%+v, %v", info, err)
		}
	}
	filestest.Must(t, s.List(ctx, zone, func(batch []files.Info) error {
		for _, info := range batch { // the file, and a .Trash that Hadoop makes
			if !info.Encrypted {
				t.Errorf("%+v", info)
			}
		}
		return nil
	}))
	if _, err := s.Open(ctx, zone+"/f", 0); !errors.Is(err, files.ErrUnsupported) || !strings.Contains(err.Error(), "encryption zone") {
		t.Errorf("open: %v", err)
	}
	if _, err := s.Put(ctx, zone+"/g", filestest.Bytes([]byte("x"))); !errors.Is(err, files.ErrUnsupported) {
		t.Errorf("put: %v", err)
	}
}

// Erasure-coded files, which the client does not understand, are read and
// written through WebHDFS, or not at all.
func TestErasureCoded(t *testing.T) {
	c := shared(t)
	s, folder := open(t, c, nil)
	ctx := filestest.Context(t)
	coded := folder + "/coded"
	filestest.Must(t, s.Mkdir(ctx, coded))
	filestest.Must(t, c.ErasureCode(coded))
	data := filestest.Random(5<<20+123, 13)
	info := filestest.Put(t, s, coded+"/f", data)
	if !info.ErasureCoded || info.Size != int64(len(data)) {
		t.Errorf("%+v", info)
	}
	for _, at := range []int64{0, 1<<20 - 1, 3 << 20, int64(len(data))} {
		if got := filestest.Read(t, s, coded+"/f", at); !bytes.Equal(got, data[at:]) {
			t.Errorf("from %d: %d bytes, wrong ones", at, len(got))
		}
	}
	// A reader that is not read to its end leaves nothing behind.
	r, err := s.Open(ctx, coded+"/f", 5)
	filestest.Must(t, err)
	_, err = io.ReadFull(r, make([]byte, 100))
	filestest.Must(t, err)
	filestest.Must(t, r.Close())
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, files.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	blind := another(t, c, func(c *Config) { c.Patience = 1 })
	blind.web.fails()
	if _, err := blind.Open(ctx, coded+"/f", 0); !errors.Is(err, files.ErrUnavailable) || !strings.Contains(err.Error(), "WebHDFS") {
		t.Errorf("read an erasure-coded file without WebHDFS: %v", err)
	}
	if _, err := blind.Put(ctx, coded+"/g", filestest.Bytes(data)); !errors.Is(err, files.ErrUnavailable) || !strings.Contains(err.Error(), "WebHDFS") {
		t.Errorf("wrote an erasure-coded file without WebHDFS: %v", err)
	}
}
