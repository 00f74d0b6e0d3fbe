package hdfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/zennet/zennet/jobrunner/files"
)

// conn renews a deadline at every read and write, and stays broken after its
// first failure: the library goes on with a connection whose answer is late.
type conn struct {
	net.Conn
	timeout time.Duration
	failed  func() // told of the first failure, where not nil
	closed  func() // told of Close
	mu      sync.Mutex
	err     error
}

func (c *conn) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *conn) fail(err error) error {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first && c.failed != nil {
		c.failed()
	}
	return err
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.broken(); err != nil {
		return 0, err
	}
	err := c.Conn.SetReadDeadline(time.Now().Add(c.timeout))
	if err != nil {
		return 0, c.fail(err)
	}
	n, err := c.Conn.Read(p)
	if err != nil {
		c.fail(err)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.broken(); err != nil {
		return 0, err
	}
	err := c.Conn.SetWriteDeadline(time.Now().Add(c.timeout))
	if err != nil {
		return 0, c.fail(err)
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		c.fail(err)
	}
	return n, err
}

// Close ends the connection.
func (c *conn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// The library sets deadlines of its own ("none"), which would undo ours.
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// dataConn is a connection to a DataNode. The library reads a chunk of 512 bytes
// at a time; the buffer makes that cheap.
type dataConn struct {
	*conn
	r *bufio.Reader
}

const dataBuffer = 256 << 10

func newDataConn(c *conn) *dataConn { return &dataConn{c, bufio.NewReaderSize(c, dataBuffer)} }

func (d *dataConn) Read(p []byte) (int, error) { return d.r.Read(p) }

// callConn is a connection to a NameNode. It looks at the length before each
// answer, because the library makes room for whatever that says, and at the
// first answer, whose refusals the library takes for another call's.
type callConn struct {
	*conn
	r      *bufio.Reader
	left   int // bytes of the answer that are still to come
	first  bool
	refuse func(error) // told why this server can never answer
}

const (
	answerMax  = 128 << 20 // Hadoop's own bound (ipc.maximum.response.length)
	callBuffer = 16 << 10
)

func newCallConn(c *conn, refuse func(error)) *callConn {
	return &callConn{conn: c, r: bufio.NewReaderSize(c, callBuffer), first: true, refuse: refuse}
}

func (c *callConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *callConn) begin() error {
	head, err := c.r.Peek(4)
	if err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head)
	if string(head) == "HTTP" {
		return c.never(fmt.Errorf("%s answers in HTTP: that is not the port for calls (usually %s): %w", c.RemoteAddr(), portRPC, files.ErrConfig))
	}
	if length > answerMax {
		return c.never(fmt.Errorf("%s announces an answer of %d bytes: that is no NameNode, or one with other protections: %w", c.RemoteAddr(), length, files.ErrConfig))
	}
	c.left = 4 + int(length)
	if c.first {
		c.first = false
		start, _ := c.r.Peek(min(c.left, callBuffer))
		if bytes.Contains(start, []byte("SIMPLE authentication is not enabled")) {
			return c.never(fmt.Errorf("%s wants Kerberos: give a principal and a keytab, and a configuration with hadoop.security.authentication=kerberos: %w", c.RemoteAddr(), files.ErrConfig))
		}
	}
	return nil
}

func (c *callConn) never(err error) error {
	c.refuse(err)
	return c.fail(err)
}

// unreachable says that an address can never be dialled: its name is unknown.
func unreachable(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}
