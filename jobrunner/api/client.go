package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/zennet/zennet/jobrunner/journal"
)

// Client talks to a Server.
type Client struct {
	http *http.Client
	path string
}

// Dial finds the server at a socket's path, or returns ErrNoDaemon.
func Dial(path string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		err = withSocketPath(path, func(path string) (err error) {
			conn, err = (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "unix", path)
			return err
		})
		return conn, err
	}
	c := &Client{path: path, http: &http.Client{Transport: &http.Transport{DialContext: dial, ResponseHeaderTimeout: 2 * time.Minute}}}
	conn, err := dial(context.Background(), "", "")
	if err != nil {
		return nil, fmt.Errorf("%w at %s", ErrNoDaemon, path)
	}
	conn.Close()
	return c, nil
}

func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://zennet/v1"+path, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w at %s: %v", ErrNoDaemon, c.path, errors.Unwrap(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var p Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil || p.Kind == "" {
		return nil, fmt.Errorf("%w: %s", ErrInternal, resp.Status)
	}
	return nil, p
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// Submit hands a job over.
func (c *Client) Submit(ctx context.Context, r SubmitRequest) (SubmitReply, error) {
	var rep SubmitReply
	err := c.call(ctx, "POST", "/jobs", r, &rep)
	return rep, err
}

// Cancel asks for a job's end; Watch tells when it has ended.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.call(ctx, "POST", "/jobs/"+url.PathEscape(id)+"/cancel", nil, nil)
}

// Network asks for the state of the host's network.
func (c *Client) Network(ctx context.Context) (Network, error) {
	var n Network
	err := c.call(ctx, "GET", "/network", nil, &n)
	return n, err
}

// Watch calls each with every snapshot until the job has ended and returns nil
// then. A connection that ends before is ErrNoDaemon, or ErrStopped where the
// host said why.
func (c *Client) Watch(ctx context.Context, id string, each func(journal.Status)) error {
	resp, err := c.do(ctx, "GET", "/jobs/"+url.PathEscape(id)+"/events", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 64<<20)
	ended, stopped := false, ""
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var s journal.Status
		if err := json.Unmarshal(data, &s); err != nil {
			return fmt.Errorf("snapshot of job %s: %w", id, err)
		}
		each(s)
		ended, stopped = s.Ended(), s.Stopped
	}
	if ended {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if stopped != "" {
		return Problem{ErrStopped, fmt.Sprintf("job %s: %s", id, stopped)}
	}
	return fmt.Errorf("%w: the connection ended before the job did", ErrNoDaemon)
}

// Logs opens a stream of a task. The caller closes it.
func (c *Client) Logs(ctx context.Context, r LogsRequest) (io.ReadCloser, error) {
	q := url.Values{"task": {r.Task}}
	if r.Stderr {
		q.Set("stderr", "1")
	}
	if r.Follow {
		q.Set("follow", "1")
	}
	resp, err := c.do(ctx, "GET", "/jobs/"+url.PathEscape(r.Job)+"/logs?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
