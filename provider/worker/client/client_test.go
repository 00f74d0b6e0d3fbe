package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

// fake is a worker that answers as a test wants: one function a connection, with
// the hello already read.
func fake(t *testing.T, answer func(purpose string, conn net.Conn)) Dial {
	return func(context.Context) (io.ReadWriteCloser, error) {
		a, b := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer b.Close()
			hello, err := protocol.Read[protocol.WorkerHello](b)
			if err != nil {
				return
			}
			answer(hello.Purpose, b)
		}()
		t.Cleanup(func() { a.Close(); b.Close(); <-done })
		return a, nil
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// errAny stands for an error that depends on the moment.
var errAny = errors.New("any error")

// drain reads a connection to its end, so that a pipe's writer is not held up.
func drain(conn net.Conn) { io.Copy(io.Discard, conn) }

func greet(conn net.Conn) {
	protocol.WriteMessage(conn, &protocol.Greeting{Version: protocol.WorkerVersion})
}

func TestConnect(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(conn net.Conn)
		want   error
	}{
		"other version": {func(conn net.Conn) { protocol.WriteMessage(conn, &protocol.Greeting{Version: 7}) }, ErrVersion},
		"other message": {func(conn net.Conn) { protocol.WriteMessage(conn, &protocol.Started{ID: "x"}) }, protocol.ErrKind},
		"garbage":       {func(conn net.Conn) { conn.Write([]byte{255, 255, 255, 255, 33}) }, protocol.ErrTooLarge},
		"ends":          {func(net.Conn) {}, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Connect(within(t), fake(t, func(_ string, conn net.Conn) { c.answer(conn) }))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("silence", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if _, err := Connect(ctx, fake(t, func(_ string, conn net.Conn) { drain(conn) })); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// TestWorkerMisbehaves: what a worker must not send ends the connection, with the
// reason; waiting callers return.
func TestWorkerMisbehaves(t *testing.T) {
	for name, send := range map[string]func(conn net.Conn){
		"second greeting": greet,
		"lease message":   func(conn net.Conn) { protocol.WriteMessage(conn, &protocol.Bye{}) },
		"unknown class": func(conn net.Conn) {
			frame, _ := protocol.AppendFrame(nil, &protocol.Exited{ID: "a", Class: "odd"})
			conn.Write(frame)
		},
		"hangs up": func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Connect(within(t), fake(t, func(_ string, conn net.Conn) {
				greet(conn)
				protocol.Read[protocol.Measure](conn)
				send(conn)
			}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Measure(within(t)); err == nil {
				t.Error("measured")
			}
			<-c.Done()
			if err := c.Err(); err == nil || errors.Is(err, ErrClosed) {
				t.Errorf("ended with %v", err)
			}
			if _, ok := <-c.Events(); ok {
				t.Error("an event")
			}
			if err := c.Kill("a", 0); err == nil {
				t.Error("killed")
			}
		})
	}
}

// TestCloseSends: what was queued before Close is sent.
func TestCloseSends(t *testing.T) {
	var got []string
	read := make(chan struct{})
	c, err := Connect(within(t), fake(t, func(_ string, conn net.Conn) {
		defer close(read)
		greet(conn)
		for {
			m, err := protocol.Read[protocol.Release](conn)
			if err != nil {
				return
			}
			got = append(got, m.ID)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a", "b", "c"}
	for _, id := range want {
		if err := c.Release(id); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	<-read
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := c.Release("d"); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// TestFetchVerifies: bytes are handed on only if they are what their hash says.
func TestFetchVerifies(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 250_000) // three chunks
	var chunks []types.Hash
	for rest := data; len(rest) > 0; rest = rest[min(len(rest), protocol.ChunkSize):] {
		chunks = append(chunks, sha256.Sum256(rest[:min(len(rest), protocol.ChunkSize)]))
	}
	whole := []types.Hash{sha256.Sum256(data)}
	honest := func(m *protocol.Fetch) *protocol.Data {
		from := min(m.Offset, uint64(len(data)))
		return &protocol.Data{Bytes: data[from:min(from+uint64(m.Length), uint64(len(data)))]}
	}
	for name, c := range map[string]struct {
		what   uint8
		size   int
		hashes []types.Hash
		answer func(m *protocol.Fetch) *protocol.Data
		want   error
		writes int // bytes that may be written before the error
	}{
		"file":             {protocol.FetchFile, len(data), chunks, honest, nil, len(data)},
		"stdout":           {protocol.FetchStdout, len(data), whole, honest, nil, len(data)},
		"manifest":         {protocol.FetchManifest, 0, whole, honest, nil, len(data)},
		"sized manifest":   {protocol.FetchManifest, len(data), whole, honest, nil, len(data)},
		"empty file":       {protocol.FetchFile, 0, nil, honest, nil, 0},
		"too few hashes":   {protocol.FetchFile, len(data), chunks[:2], honest, protocol.ErrInvalid, 0},
		"wrong first":      {protocol.FetchFile, len(data), []types.Hash{{}, chunks[1], chunks[2]}, honest, ErrHash, 0},
		"wrong last":       {protocol.FetchFile, len(data), []types.Hash{chunks[0], chunks[1], {}}, honest, ErrHash, 2 * protocol.ChunkSize},
		"wrong manifest":   {protocol.FetchManifest, 0, []types.Hash{{}}, honest, ErrHash, 0},
		"wrong stdout":     {protocol.FetchStdout, len(data), []types.Hash{{}}, honest, ErrHash, len(data)},
		"short":            {protocol.FetchFile, len(data) + 1, chunks, honest, ErrHash, 2 * protocol.ChunkSize},
		"worker says no":   {protocol.FetchFile, len(data), chunks, func(*protocol.Fetch) *protocol.Data { return &protocol.Data{Error: "gone"} }, ErrWorker, 0},
		"worker hangs up":  {protocol.FetchFile, len(data), chunks, func(*protocol.Fetch) *protocol.Data { return nil }, errAny, 0},
		"endless manifest": {protocol.FetchManifest, 0, whole, func(*protocol.Fetch) *protocol.Data { return &protocol.Data{Bytes: data[:protocol.ChunkSize]} }, protocol.ErrTooLarge, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cl, err := Connect(within(t), fake(t, func(purpose string, conn net.Conn) {
				if purpose == protocol.PurposeControl {
					greet(conn)
					drain(conn)
					return
				}
				// A pipe holds nothing: requests that come ahead are read beside the answers.
				requests := make(chan *protocol.Fetch, 100)
				go func() {
					defer close(requests)
					for {
						m, err := protocol.Read[protocol.Fetch](conn)
						if err != nil {
							return
						}
						requests <- m
					}
				}()
				for m := range requests {
					answer := c.answer(m)
					if answer == nil || protocol.WriteMessage(conn, answer) != nil {
						conn.Close()
					}
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			for range 2 { // the second over the connection of the first, where that is whole
				var out bytes.Buffer
				path := ""
				if c.what == protocol.FetchFile {
					path = "f"
				}
				err := cl.Fetch(within(t), "a", c.what, path, uint64(c.size), c.hashes, &out)
				if !errors.Is(err, c.want) && (c.want != errAny || err == nil) || c.want == nil && !bytes.Equal(out.Bytes(), data[:out.Len()]) || out.Len() != c.writes {
					t.Errorf("got %v with %d bytes, want %v with %d", err, out.Len(), c.want, c.writes)
				}
			}
		})
	}
}
