package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/blob"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// stocked is a worker's blob store as a provider keeps it, and a way into it over a
// connection for each batch.
func stocked(t testing.TB, dir string, most uint64) (*blob.Store, client.StoreFunc) {
	s, err := blob.Open(filepath.Join(dir, "blobs"), most)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); s.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				blob.Receive(context.Background(), conn, s, blob.Intake{Owner: "a"})
			}()
		}
	}()
	return s, func(ctx context.Context, hashes []types.Hash, get func(types.Hash) ([]byte, error)) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", l.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = blob.SendCache(ctx, conn, hashes, get)
		return err
	}
}

// hashes says that a task has printed the SHA-256 of data.
func hashes(t *testing.T, e *protocol.Exited, data []byte) {
	t.Helper()
	if want := fmt.Sprintf("%x  -\n", sha256.Sum256(data)); e.Class != protocol.ClassOK || string(e.Stdout.Inline) != want {
		t.Fatalf("%d bytes: %s %q, output %q", len(data), e.Class, e.Message, e.Stdout.Inline)
	}
}

// TestFeedBlobs: what one task was fed is kept, and the next one gets it from there,
// also over connections that break anywhere.
func TestFeedBlobs(t *testing.T) {
	dial, dir := serve(t)
	_, store := stocked(t, dir, 0)
	c, f := connect(t, dial), newFeeder(t, dial)
	random := rand.New(rand.NewPCG(5, 6))
	for i, n := range []int{1, 70_000, 1 << 20, 1<<20 + 1, 9_000_000} {
		data := noise(n)
		split := client.Split{Source: source(data), Store: store}
		for k, broken := range []bool{false, false, true} {
			id := fmt.Sprint("t", i, "-", k)
			c.Run(protocol.Run{ID: id, Command: []string{"sha256sum"}, Stdin: true})
			feeder := f
			if broken {
				feeder = newFeeder(t, cutting(dial, 8, random))
			}
			fed, learnt, err := feeder.FeedSplit(minute(t), id, !broken, split)
			if err != nil || fed.End != protocol.FedWhole || learnt.Read != (k == 0) || learnt.Lacked {
				t.Fatalf("%d bytes, feed %d: %+v, %+v, %v", n, k, fed, learnt, err)
			}
			hashes(t, exited(t, c), data)
			c.Release(id)
			if k == 0 {
				split.Known = learnt.Chunks
			}
		}
	}
}

// TestFeedBlobInTheMiddle: a chunk of which the process has taken a part is fed from
// there on, by name and by bytes.
func TestFeedBlobInTheMiddle(t *testing.T) {
	dial, dir := serve(t)
	store, _ := stocked(t, dir, 0)
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "a", Command: []string{"sha256sum"}, Stdin: true})
	data := noise(2<<20 + 300)
	name := func(i int) *protocol.FeedBlob {
		part := data[i<<20 : min((i+1)<<20, len(data))]
		h, err := store.Put(part)
		if err != nil {
			t.Fatal(err)
		}
		return &protocol.FeedBlob{Hash: h, Size: uint32(len(part))}
	}
	conn := stdin(t, dial)
	send(t, conn, &protocol.Feed{ID: "a"}, &protocol.Data{Bytes: data[:700]}, name(0), &protocol.Data{Bytes: data[1<<20 : 1<<20+5]})
	send(t, conn, &protocol.Feed{ID: "a", From: 1<<20 + 5}, name(1), &protocol.Data{Bytes: data[2<<20 : 2<<20+299]})
	send(t, conn, name(2), &protocol.FeedEnd{Size: uint64(len(data)), Hash: protocol.FeedHash(data)})
	for _, want := range []protocol.Fed{{}, {Offset: 1<<20 + 5}, {Offset: uint64(len(data)), End: protocol.FedWhole}} {
		if fed := fedOf(t, conn); fed != want {
			t.Fatalf("told %+v, want %+v", fed, want)
		}
	}
	hashes(t, exited(t, c), data)
}

// TestFeedBlobIsNotThere: a blob that is missing, cut, longer or of other bytes is
// not fed, not a byte of it; the feed goes on without it.
func TestFeedBlobIsNotThere(t *testing.T) {
	dial, dir := serve(t)
	store, _ := stocked(t, dir, 0)
	c := connect(t, dial)
	data := noise(300_000)
	h, err := store.Put(data)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "blobs", h.String()[:2], h.String())
	other := append([]byte{data[0] + 1}, data[1:]...)
	for name, spoil := range map[string]func() error{
		"other bytes": func() error { return os.WriteFile(path, other, 0o644) },
		"cut":         func() error { return os.WriteFile(path, data[:299_999], 0o644) },
		"longer":      func() error { return os.WriteFile(path, append(data, 0), 0o644) },
		"missing":     func() error { return os.Remove(path) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		c.Run(protocol.Run{ID: name, Command: []string{"sha256sum"}, Stdin: true})
		conn := stdin(t, dial)
		blob := &protocol.FeedBlob{Hash: h, Size: uint32(len(data))}
		// What comes of that feed afterwards is dropped, its end too.
		send(t, conn, &protocol.Feed{ID: name}, blob, &protocol.Data{Bytes: other}, blob, &protocol.FeedEnd{Size: 1})
		on, lacks := fedOf(t, conn), fedOf(t, conn)
		if on != (protocol.Fed{}) || lacks != (protocol.Fed{End: protocol.FedLacking}) {
			t.Fatalf("%s: told %+v, %+v", name, on, lacks)
		}
		send(t, conn, &protocol.Feed{ID: name}, &protocol.Data{Bytes: data}, &protocol.FeedEnd{Size: uint64(len(data)), Hash: protocol.FeedHash(data)})
		hashes(t, exited(t, c), data)
		conn.Close()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Names that do not fit together are found out at the end at the latest.
	c.Run(protocol.Run{ID: "wrong", Command: []string{"cat"}, Stdin: true})
	conn := stdin(t, dial)
	send(t, conn, &protocol.Feed{ID: "wrong"}, &protocol.Data{Bytes: []byte("x")}, &protocol.FeedBlob{Hash: h, Size: uint32(len(data))},
		&protocol.FeedEnd{Size: uint64(len(data)), Hash: protocol.FeedHash(data)})
	if e := exited(t, c); e.Class != protocol.ClassStage || !strings.Contains(e.Message, "came with the hash") {
		t.Errorf("%s %q", e.Class, e.Message)
	}
}
