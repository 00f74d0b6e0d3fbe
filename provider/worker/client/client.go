package client

import (
	"context"
	"errors"
	"io"

	"github.com/zennet/zennet/ledger/types"
	"github.com/zennet/zennet/provider/protocol"
)

var errNot = errors.New("not connected")

// Dial opens a new stream to the worker, past any StreamHeader.
type Dial func(ctx context.Context) (io.ReadWriteCloser, error)

// Event is a message about a task; exactly one field is set.
type Event struct {
	Started *protocol.Started
	Exited  *protocol.Exited
}

// Client is one control connection to a worker. It is safe for concurrent use.
type Client struct{}

// Connect opens the control connection and reads its Greeting.
func Connect(ctx context.Context, dial Dial) (*Client, error) { return nil, errNot }

// Tasks is what the worker held when the connection began.
func (c *Client) Tasks() []protocol.TaskInfo { return nil }

// Run asks for a task. It returns once the request is queued; Started and Exited come as events.
func (c *Client) Run(r protocol.Run) error { return errNot }

// Kill ends a task: TERM, and KILL after graceSeconds. Exited follows.
func (c *Client) Kill(id string, graceSeconds uint32) error { return errNot }

// Release makes the worker forget an ended task and delete its files.
func (c *Client) Release(id string) error { return errNot }

// Events delivers what happens to tasks, in order. It is closed when the connection ends.
func (c *Client) Events() <-chan Event { return nil }

// Measure asks for a reading from inside the container.
func (c *Client) Measure(ctx context.Context) (protocol.Reading, error) {
	return protocol.Reading{}, errNot
}

// Logs streams a task's output over a connection of its own.
func (c *Client) Logs(ctx context.Context, l protocol.Logs) (io.ReadCloser, error) {
	return nil, errNot
}

// Fetch copies size bytes of something of an ended task to w and verifies them:
// chunks are the SHA-256 of every protocol.ChunkSize bytes; for a stream or a
// manifest, chunks is the one hash of the whole.
func (c *Client) Fetch(ctx context.Context, id string, what uint8, path string, size uint64, chunks []types.Hash, w io.Writer) error {
	return errNot
}

// Done is closed when the connection has ended; Err then says why.
func (c *Client) Done() <-chan struct{} { return nil }

// Err is nil until Done is closed.
func (c *Client) Err() error { return nil }

// Close ends the connection. Tasks go on.
func (c *Client) Close() error { return nil }
