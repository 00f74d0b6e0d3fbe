package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
	"github.com/zennet/zennet/provider/worker/client"
)

// noise is n bytes that no two places of which are alike.
func noise(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func source(data []byte) client.Source {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func minute(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func newFeeder(t testing.TB, dial client.Dial) *client.Feeder {
	f := client.NewFeeder(dial)
	t.Cleanup(f.Close)
	return f
}

// send writes frames to a raw connection.
func send(t *testing.T, conn net.Conn, messages ...protocol.Message) {
	t.Helper()
	for _, m := range messages {
		if err := protocol.WriteMessage(conn, m); err != nil {
			t.Fatal(err)
		}
	}
}

func fedOf(t *testing.T, conn net.Conn) protocol.Fed {
	t.Helper()
	fed, err := protocol.Read[protocol.Fed](conn)
	if err != nil {
		t.Fatal(err)
	}
	return *fed
}

func stdin(t *testing.T, dial client.Dial) net.Conn {
	return raw(t, dial, protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeStdin})
}

// TestFeed: a task gets every byte of what it is fed, then the end.
func TestFeed(t *testing.T) {
	dial, _ := serve(t)
	c, f := connect(t, dial), newFeeder(t, dial)
	for i, n := range []int{0, 1, 1000, 64 << 10, 256 << 10, 256<<10 + 1, 1 << 20, 5_000_000, 100 << 20} {
		data := noise(n)
		id := fmt.Sprint("t", i)
		c.Run(protocol.Run{ID: id, Command: []string{"sha256sum"}, Stdin: true})
		fed, err := f.Feed(minute(t), id, i%2 == 0, source(data))
		if err != nil || fed.End != protocol.FedWhole || fed.Offset != uint64(n) {
			t.Fatalf("%d bytes: %+v, %v", n, fed, err)
		}
		e := exited(t, c)
		if want := fmt.Sprintf("%x  -\n", sha256.Sum256(data)); e.Class != protocol.ClassOK || string(e.Stdout.Inline) != want || e.Message != "" {
			t.Errorf("%d bytes: %s %q, output %q", n, e.Class, e.Message, e.Stdout.Inline)
		}
		c.Release(id)
	}
}

// TestFeedComesFirst: a feed may arrive before the Run of its task.
func TestFeedComesFirst(t *testing.T) {
	dial, _ := serve(t)
	c, conn := connect(t, dial), stdin(t, dial)
	send(t, conn, &protocol.Feed{ID: "a"}, &protocol.Data{Bytes: []byte("hello")}, &protocol.FeedEnd{Size: 5, Hash: protocol.FeedHash([]byte("hello"))})
	c.Run(protocol.Run{ID: "a", Command: []string{"cat"}, Stdin: true})
	if e := exited(t, c); e.Class != protocol.ClassOK || string(e.Stdout.Inline) != "hello" {
		t.Errorf("%s %q, output %q", e.Class, e.Message, e.Stdout.Inline)
	}
	if on, end := fedOf(t, conn), fedOf(t, conn); on != (protocol.Fed{}) || end != (protocol.Fed{Offset: 5, End: protocol.FedWhole}) {
		t.Errorf("told %+v, %+v", on, end)
	}
	// Who asks again, as after a restart, learns the same.
	if fed, err := newFeeder(t, dial).Feed(minute(t), "a", false, nil); err != nil || fed.End != protocol.FedWhole {
		t.Errorf("asked again: %+v, %v", fed, err)
	}
}

// TestFeedUnknown: a feed waits for its task only so long.
func TestFeedUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &Server{tasks: map[string]*task{}, stopping: ctx}
		began := time.Now()
		if _, err := s.fed("none"); !errors.Is(err, ErrTask) || time.Since(began) != feedWait {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := s.fed("none"); !errors.Is(err, ErrTask) || time.Since(began) != feedWait+time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// TestFeedNotWanted: a task whose input is empty is not fed, and goes on.
func TestFeedNotWanted(t *testing.T) {
	dial, _ := serve(t)
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "a", Command: []string{"cat"}})
	if _, err := newFeeder(t, dial).Feed(minute(t), "a", true, source([]byte("x"))); !errors.Is(err, client.ErrWorker) || !strings.Contains(err.Error(), "not fed") {
		t.Errorf("got %v", err)
	}
	if e := exited(t, c); e.Class != protocol.ClassOK || e.Stdout.Size != 0 {
		t.Errorf("%s %q, output %q", e.Class, e.Message, e.Stdout.Inline)
	}
}

// TestFeedResumes breaks the connection after every single byte: nothing is lost,
// nothing comes twice.
func TestFeedResumes(t *testing.T) {
	dial, _ := serve(t)
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "a", Command: []string{"cat"}, Stdin: true})
	data := noise(300)
	at, asked := 0, 0
	for at < len(data) {
		conn := stdin(t, dial)
		send(t, conn, &protocol.Feed{ID: "a", From: uint64(at)}, &protocol.Data{Bytes: data[at : at+1]})
		fed := fedOf(t, conn)
		switch {
		case fed.End == protocol.FedElsewhere: // the byte before was lost, or not counted yet
			if fed.Offset > uint64(at+1) {
				t.Fatalf("at %d: %+v", at, fed)
			}
			at = int(fed.Offset)
		case fed.End == protocol.FedOn && fed.Offset == uint64(at):
			if asked++; asked%2 == 0 {
				conn.(*net.UnixConn).CloseWrite() // what was sent arrives
				io.Copy(io.Discard, conn)
			}
			at++
		default:
			t.Fatalf("at %d: %+v", at, fed)
		}
		conn.Close()
	}
	fed, err := newFeeder(t, dial).Feed(minute(t), "a", false, source(data))
	if err != nil || fed.End != protocol.FedWhole {
		t.Fatalf("%+v, %v", fed, err)
	}
	if e := exited(t, c); e.Class != protocol.ClassOK || !bytes.Equal(e.Stdout.Inline, data) {
		t.Errorf("%s %q, output differs", e.Class, e.Message)
	}
}

// cutting is a Dial whose connections break after some bytes were written, until
// there were enough of them.
func cutting(dial client.Dial, cuts int, random *rand.Rand) client.Dial {
	return func(ctx context.Context) (io.ReadWriteCloser, error) {
		conn, err := dial(ctx)
		if err != nil || cuts == 0 {
			return conn, err
		}
		cuts--
		return &cut{ReadWriteCloser: conn, left: random.IntN(1 << 20)}, nil
	}
}

type cut struct {
	io.ReadWriteCloser
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.ReadWriteCloser.Write(p)
	}
	n, _ := c.ReadWriteCloser.Write(p[:c.left])
	c.Close()
	return n, errors.New("cut")
}

// TestFeedOverBadLink: a feeder goes on by itself over connections that break
// anywhere.
func TestFeedOverBadLink(t *testing.T) {
	dial, _ := serve(t)
	c := connect(t, dial)
	data := noise(8 << 20)
	f := newFeeder(t, cutting(dial, 12, rand.New(rand.NewPCG(1, 2))))
	opened := 0
	c.Run(protocol.Run{ID: "a", Command: []string{"sha256sum"}, Stdin: true})
	fed, err := f.Feed(minute(t), "a", true, func(context.Context) (io.ReadCloser, error) {
		opened++
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	if err != nil || fed.End != protocol.FedWhole || opened < 2 {
		t.Fatalf("%+v, %v, opened %d times", fed, err, opened)
	}
	if e := exited(t, c); string(e.Stdout.Inline) != fmt.Sprintf("%x  -\n", sha256.Sum256(data)) {
		t.Errorf("%s %q, output %q", e.Class, e.Message, e.Stdout.Inline)
	}
}

// TestFeedTwice: a second connection takes over from one that is in the middle of a
// write to a process that does not read.
func TestFeedTwice(t *testing.T) {
	dial, dir := serve(t)
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "a", Command: []string{"sh", "-c", "while test ! -e " + dir + "/go; do sleep 0.02; done; sha256sum"}, Stdin: true})
	data := noise(4 << 20)
	for range 3 {
		first := stdin(t, dial)
		send(t, first, &protocol.Feed{ID: "a", From: 1 << 40}) // to learn the offset
		at := fedOf(t, first).Offset
		send(t, first, &protocol.Feed{ID: "a", From: at})
		if fed := fedOf(t, first); fed.End != protocol.FedOn {
			t.Fatalf("%+v", fed)
		}
		written := make(chan struct{})
		go func() { // until it is cut off
			defer close(written)
			for rest := data[at:]; len(rest) > 0; rest = rest[min(len(rest), 300_000):] {
				if protocol.WriteMessage(first, &protocol.Data{Bytes: rest[:min(len(rest), 300_000)]}) != nil {
					return
				}
			}
		}()
		second := stdin(t, dial)
		send(t, second, &protocol.Feed{ID: "a", From: 1 << 40})
		if fed := fedOf(t, second); fed.End != protocol.FedElsewhere || fed.Offset > uint64(len(data)) {
			t.Fatalf("%+v", fed)
		}
		<-written
		if _, err := io.Copy(io.Discard, first); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the first connection is not closed: %v", err)
		}
		second.Close()
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if fed, err := newFeeder(t, dial).Feed(minute(t), "a", false, source(data)); err != nil || fed.End != protocol.FedWhole {
		t.Fatalf("%+v, %v", fed, err)
	}
	if e := exited(t, c); string(e.Stdout.Inline) != fmt.Sprintf("%x  -\n", sha256.Sum256(data)) {
		t.Errorf("%s %q, output %q", e.Class, e.Message, e.Stdout.Inline)
	}
}

// TestFeedEarlyEnd: a process need not take all. Its success then says so.
func TestFeedEarlyEnd(t *testing.T) {
	dial, dir := serve(t)
	c, f := connect(t, dial), newFeeder(t, dial)
	for name, w := range map[string]struct {
		command string
		class   string
		message string
	}{
		"reads some":    {"head -c 10 | wc -c", protocol.ClassOK, "closed its standard input before its end"},
		"reads nothing": {"true", protocol.ClassOK, "closed its standard input before its end"},
		"closes it":     {"exec <&-; while test ! -e " + dir + "/go; do sleep 0.02; done", protocol.ClassOK, "closed its standard input before its end"},
		"fails":         {"head -c 10; exit 3", protocol.ClassExit, "exit code 3"},
		"no program":    {"", protocol.ClassStart, "no program"},
	} {
		command := []string{"sh", "-c", w.command}
		if w.command == "" {
			command = []string{"no-such-program"}
		}
		c.Run(protocol.Run{ID: name, Command: command, Stdin: true})
		fed, err := f.Feed(minute(t), name, true, source(noise(20<<20)))
		if err != nil || fed.End != protocol.FedEarly || fed.Offset > 20<<20 {
			t.Errorf("%s: %+v, %v", name, fed, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if e := exited(t, c); e.Class != w.class || !strings.Contains(e.Message, w.message) {
			t.Errorf("%s: %s %q", name, e.Class, e.Message)
		}
	}
}

// TestFeedKilled: a task that is killed, or whose time is up, ends its feed, also
// in the middle of a write, or while nothing comes.
func TestFeedKilled(t *testing.T) {
	dial, _ := serve(t)
	c, f := connect(t, dial), newFeeder(t, dial)
	forever := func(ctx context.Context) (io.ReadCloser, error) {
		r, w := io.Pipe()
		context.AfterFunc(ctx, func() { w.Close() })
		return r, nil
	}
	for name, w := range map[string]struct {
		source  client.Source
		timeout uint32
		class   string
	}{
		"killed in a write":   {source(noise(20 << 20)), 0, protocol.ClassKilled},
		"killed while idle":   {nil, 0, protocol.ClassKilled},
		"timeout in a write":  {source(noise(20 << 20)), 1, protocol.ClassTimeout},
		"released and killed": {source(noise(20 << 20)), 0, protocol.ClassKilled},
	} {
		c.Run(protocol.Run{ID: name, Command: []string{"sleep", "1000"}, Stdin: true, TimeoutSeconds: w.timeout})
		for ev := range c.Events() {
			if ev.Started != nil {
				break
			}
		}
		if w.source == nil { // a connection on which nothing comes
			conn := stdin(t, dial)
			send(t, conn, &protocol.Feed{ID: name})
			fedOf(t, conn)
			c.Kill(name, 0)
			if fed := fedOf(t, conn); fed.End != protocol.FedEarly {
				t.Errorf("%s: %+v", name, fed)
			}
			w.source = forever
		} else {
			if strings.HasPrefix(name, "released") {
				c.Release(name)
			}
			if w.timeout == 0 {
				time.AfterFunc(50*time.Millisecond, func() { c.Kill(name, 0) })
			}
			if fed, err := f.Feed(minute(t), name, true, w.source); err != nil || fed.End != protocol.FedEarly {
				t.Errorf("%s: %+v, %v", name, fed, err)
			}
		}
		if e := exited(t, c); e.Class != w.class {
			t.Errorf("%s: %s %q", name, e.Class, e.Message)
		}
	}
}

// TestFeedIsWrong: a task whose input did not come as it was sent, or cannot be
// had, fails whatever it does, and never sees the end of its input.
func TestFeedIsWrong(t *testing.T) {
	dial, _ := serve(t)
	c := connect(t, dial)
	whole := protocol.FeedHash([]byte("hello"))
	for name, w := range map[string]struct {
		end     protocol.FeedEnd
		message string
	}{
		"wrong hash": {protocol.FeedEnd{Size: 5, Hash: types.Hash{1}}, "came with the hash"},
		"too short":  {protocol.FeedEnd{Size: 6, Hash: whole}, "has 6 bytes, of which 5 came"},
		"too long":   {protocol.FeedEnd{Size: 4, Hash: whole}, "has 4 bytes, of which 5 came"},
		"no source":  {protocol.FeedEnd{Size: 5, Hash: whole, Error: "the file has changed"}, "the file has changed"},
	} {
		for how, trap := range map[string]string{"dies of TERM": "", "ends well": "trap 'exit 0' TERM;", "stays": "trap '' TERM;"} {
			id, grace := name+", "+how, uint32(3)
			if how == "stays" {
				grace = 0
			}
			c.Run(protocol.Run{ID: id, Command: []string{"sh", "-c", trap + "read x; touch end; read x"},
				Checkpoint: []string{"end"}, Stdin: true, GraceSeconds: grace})
			conn := stdin(t, dial)
			end := w.end
			send(t, conn, &protocol.Feed{ID: id}, &protocol.Data{Bytes: []byte("hello")}, &end)
			if fed := fedOf(t, conn); fed != (protocol.Fed{}) {
				t.Errorf("%s: %+v", id, fed)
			}
			if fed := fedOf(t, conn); fed.End != protocol.FedFailed || !strings.Contains(fed.Error, w.message) {
				t.Errorf("%s: %+v", id, fed)
			}
			e := exited(t, c)
			if e.Class != protocol.ClassStage || !strings.Contains(e.Message, w.message) || e.Files > 0 {
				t.Errorf("%s: %s %q, %d files", id, e.Class, e.Message, e.Files)
			}
		}
	}
}

// TestFeedSource: a source that cannot be opened, or breaks off, is told to its
// caller and fails the task.
func TestFeedSource(t *testing.T) {
	dial, _ := serve(t)
	c, f := connect(t, dial), newFeeder(t, dial)
	lost := errors.New("the disk is gone")
	for name, source := range map[string]client.Source{
		"not opened": func(context.Context) (io.ReadCloser, error) { return nil, lost },
		"breaks off": func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(noise(3<<20)), failing{lost})), nil
		},
	} {
		c.Run(protocol.Run{ID: name, Command: []string{"cat"}, Stdin: true})
		if _, err := f.Feed(minute(t), name, true, source); !errors.Is(err, lost) || !errors.Is(err, client.ErrSource) {
			t.Errorf("%s: got %v", name, err)
		}
		if e := exited(t, c); e.Class != protocol.ClassStage || !strings.Contains(e.Message, lost.Error()) {
			t.Errorf("%s: %s %q", name, e.Class, e.Message)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestFeedLeavesNothing: descriptors of feeds that ended in any way are closed.
func TestFeedLeavesNothing(t *testing.T) {
	dial, _ := serve(t)
	c, f := connect(t, dial), newFeeder(t, dial)
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(all)
	}
	round := func(i int) {
		for k, command := range []string{"cat", "true", "false", "no-such-program"} {
			id := fmt.Sprint(i, ".", k)
			c.Run(protocol.Run{ID: id, Command: []string{command}, Stdin: true})
			if k > 0 || i%2 == 0 { // some are never fed, and end by themselves
				f.Feed(minute(t), id, true, source([]byte("x")))
			} else {
				c.Kill(id, 0)
			}
			exited(t, c)
			c.Release(id)
		}
	}
	round(0)
	before := open()
	for i := range 10 {
		round(i + 1)
	}
	if after := open(); after > before+4 {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// TestOwnProgram: the worker's name is its own executable, wherever that is.
func TestOwnProgram(t *testing.T) {
	if os.Getenv("ZENNET_TEST_OWN") != "" {
		fmt.Println("it is me")
		return
	}
	dial, _ := serve(t)
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "a", Command: []string{protocol.WorkerProgram, "-test.run=^TestOwnProgram$"}, Env: map[string]string{"ZENNET_TEST_OWN": "1"}})
	if e := exited(t, c); e.Class != protocol.ClassOK || !strings.Contains(string(e.Stdout.Inline), "it is me") {
		t.Errorf("%s %q, output %q", e.Class, e.Message, e.Stdout.Inline)
	}
}
