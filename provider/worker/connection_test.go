package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// raw opens a connection and says hello.
func raw(t *testing.T, dial func(context.Context) (io.ReadWriteCloser, error), hello protocol.WorkerHello) net.Conn {
	t.Helper()
	c, err := dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	conn := c.(net.Conn)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	body := types.Encode(hello)
	frame := append([]byte{0, 0, 0, byte(len(body) + 1), 32}, body...) // not through Validate: it may be wrong
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestWrongConnections: what is no connection of the protocol is closed, and the
// next is served.
func TestWrongConnections(t *testing.T) {
	dial, _ := serve(t)
	for name, c := range map[string]struct {
		hello protocol.WorkerHello
		then  protocol.Message
	}{
		"other version":            {protocol.WorkerHello{Version: 9, Purpose: protocol.PurposeControl}, nil},
		"no purpose":               {protocol.WorkerHello{Version: protocol.WorkerVersion}, nil},
		"lease message":            {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeControl}, &protocol.Bye{}},
		"fetch on control":         {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeControl}, &protocol.Fetch{ID: "a", Path: "x"}},
		"run on fetch":             {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeFetch}, &protocol.Run{ID: "a", Command: []string{"true"}}},
		"logs of no task":          {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeLogs}, &protocol.Logs{ID: "none"}},
		"run without a command":    {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeControl}, &protocol.Run{ID: "a"}},
		"measure on logs":          {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeLogs}, &protocol.Measure{}},
		"started on measure":       {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeMeasure}, &protocol.Started{ID: "a"}},
		"second hello, on control": {protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeControl}, &protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeControl}},
	} {
		t.Run(name, func(t *testing.T) {
			conn := raw(t, dial, c.hello)
			if c.then != nil {
				frame, err := protocol.AppendFrame(nil, c.then)
				if err != nil {
					t.Fatal(err)
				}
				conn.Write(frame)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("connection is not closed: %v", err)
			}
		})
	}
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "a", Command: []string{"true"}})
	if e := exited(t, c); e.Class != protocol.ClassOK {
		t.Errorf("then: %s", e.Message)
	}
}

// TestFetchPieces reads pieces in any order, past the end, and of what is not there.
func TestFetchPieces(t *testing.T) {
	dial, _ := serve(t)
	c := connect(t, dial)
	c.Run(protocol.Run{ID: "a", Command: []string{"sh", "-c", "printf 0123456789 > f; echo out; echo err >&2"}, Collect: []string{"f"}})
	if e := exited(t, c); e.Class != protocol.ClassOK {
		t.Fatal(e.Message)
	}
	conn := raw(t, dial, protocol.WorkerHello{Version: protocol.WorkerVersion, Purpose: protocol.PurposeFetch})
	for _, w := range []struct {
		fetch protocol.Fetch
		want  string
		fails bool
	}{
		{protocol.Fetch{ID: "a", Path: "f", Offset: 2, Length: 3}, "234", false},
		{protocol.Fetch{ID: "a", Path: "f", Offset: 8, Length: 100}, "89", false},
		{protocol.Fetch{ID: "a", Path: "f", Offset: 100, Length: 1}, "", false},
		{protocol.Fetch{ID: "a", Path: "f"}, "", false},
		{protocol.Fetch{ID: "a", What: protocol.FetchStdout, Length: 100}, "out\n", false},
		{protocol.Fetch{ID: "a", What: protocol.FetchStderr, Length: 100}, "err\n", false},
		{protocol.Fetch{ID: "a", Path: "none", Length: 1}, "", true},
		{protocol.Fetch{ID: "b", Path: "f", Length: 1}, "", true},
		{protocol.Fetch{ID: "a", Path: ".", Length: 1}, "", true},
		{protocol.Fetch{ID: "a", Path: "f", Offset: 1 << 63, Length: 1}, "", true},
		{protocol.Fetch{ID: "a", Path: "f", Offset: 0, Length: 1}, "0", false},
	} {
		if err := protocol.WriteMessage(conn, &w.fetch); err != nil {
			t.Fatal(err)
		}
		data, err := protocol.Read[protocol.Data](conn)
		if err != nil {
			t.Fatal(err)
		}
		if string(data.Bytes) != w.want || (data.Error != "") != w.fails {
			t.Errorf("%+v: got %q, error %q", w.fetch, data.Bytes, data.Error)
		}
	}
}

// TestSlowPublisher: a publisher that does not read is cut off at a bound, and
// learns all from its next greeting.
func TestSlowPublisher(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	out := newOutbox(a)
	go out.write()
	e := &protocol.Exited{ID: "x", Inline: [][]byte{make([]byte, 30<<10)}, Files: 1}
	for range 2*maxQueued/(30<<10) + 2 { // one half may be under way in a write
		out.send(e)
	}
	<-out.done
	out.mu.Lock()
	defer out.mu.Unlock()
	if !errors.Is(out.err, ErrSlow) || len(out.buf) > maxQueued+1<<20 {
		t.Errorf("got %v with %d bytes", out.err, len(out.buf))
	}
}

// TestGreetingIsBounded: with many large outputs held, the greeting leaves out
// what can be fetched, and fits its frame.
func TestGreetingIsBounded(t *testing.T) {
	s := &Server{tasks: map[string]*task{}}
	stream, manifest, usage := make([]byte, 8<<10), make([]byte, 32<<10), usageOf(fullUsage)
	for i := range maxTasks {
		id := fmt.Sprintf("%0256d", i)
		s.tasks[id] = &task{exited: &protocol.Exited{ID: id, Message: strings.Repeat("m", maxMessage), Files: 1, Tree: types.Hash{1},
			Stdout: protocol.Stream{Size: 8 << 10, Inline: stream}, Manifest: manifest, Inline: [][]byte{manifest}, Usage: usage}}
	}
	g := s.greeting()
	frame, err := protocol.AppendFrame(nil, g)
	if err != nil || len(g.Tasks) != maxTasks {
		t.Fatalf("%d tasks: %v", len(g.Tasks), err)
	}
	if _, err := protocol.ReadMessage(bytes.NewReader(frame)); err != nil {
		t.Error(err)
	}
}

// TestStagedInputs: a tree of blobs is placed and verified; a damaged blob fails
// the task before it starts.
func TestStagedInputs(t *testing.T) {
	dial, dir := serve(t)
	put := func(data, as []byte) types.Hash {
		h := types.Hash(sha256.Sum256(as))
		path := filepath.Join(dir, "blobs", h.String()[:2], h.String())
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
		return h
	}
	good := put([]byte("hello"), []byte("hello"))
	bad := put([]byte("hellO"), []byte("hell0"))
	tree := func(chunk types.Hash) types.Hash {
		data := types.Encode(protocol.Manifest{Files: []protocol.File{{Path: "d/f", Mode: 0o640, Size: 5, Chunks: []types.Hash{chunk}}}})
		return put(data, data)
	}
	c := connect(t, dial)
	for _, w := range []struct {
		name   string
		inputs []protocol.Mount
		class  string
		stdout string
	}{
		{"whole", []protocol.Mount{{Tree: tree(good)}}, protocol.ClassOK, "d/f hello\n"},
		{"below", []protocol.Mount{{Path: "in", Tree: tree(good)}, {Path: "x", Small: []byte("y"), Mode: 0o600}}, protocol.ClassOK, "in/d/f hello\nx y\n"},
		{"damaged", []protocol.Mount{{Tree: tree(bad)}}, protocol.ClassStage, ""},
		{"no manifest", []protocol.Mount{{Tree: good}}, protocol.ClassStage, ""},
		{"pieces", []protocol.Mount{{Path: "in", Tree: tree(good), Pieces: true}}, protocol.ClassOK, "in/d/f/00000000 hello\n"},
		{"another task's", []protocol.Mount{{Path: "a/b", Task: "below", From: "in/d/f"}}, protocol.ClassOK, "a/b hello\n"},
		{"another task's folder", []protocol.Mount{{Path: "a", Task: "below", From: "in"}}, protocol.ClassStage, ""},
		{"another task's link", []protocol.Mount{{Path: "a", Task: "pieces", From: "in/d/f/00000000"}}, protocol.ClassStage, ""},
		{"nobody's", []protocol.Mount{{Path: "a", Task: "never", From: "in"}}, protocol.ClassStage, ""},
		{"twice", []protocol.Mount{{Tree: tree(good)}, {Tree: tree(good)}}, protocol.ClassStage, ""},
	} {
		c.Run(protocol.Run{ID: w.name, Inputs: w.inputs, Command: []string{"sh", "-c", `find . -type f -o -type l | sort | while read f; do echo "${f#./} $(cat $f)"; done`}})
		e := exited(t, c)
		if diff := cmp.Diff([]string{w.class, w.stdout}, []string{e.Class, string(e.Stdout.Inline)}); diff != "" {
			t.Errorf("%s: %s: %s", w.name, diff, e.Message)
		}
	}
}
