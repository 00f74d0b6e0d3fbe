package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	jsonrpc "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
)

// Bounds of one exchange with a node.
const (
	callTimeout = 10 * time.Second
	maxAnswer   = 128 << 20 // bytes: the JSON of the greatest block
	maxConns    = 32        // to one node at once
)

// rpc is the JSON-RPC connection to one node.
type rpc struct {
	conn      *jsonrpc.Client
	transport *http.Transport
}

func newRPC(url string) (*rpc, error) {
	transport := &http.Transport{
		MaxConnsPerHost:     maxConns,
		MaxIdleConnsPerHost: maxConns,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
	conn, err := jsonrpc.NewWithHTTPClient(url, &http.Client{Transport: boundedBody{transport}})
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	return &rpc{conn, transport}, nil
}

func (r *rpc) close() { r.transport.CloseIdleConnections() }

// answerError is what a node that could be reached says instead of an answer.
type answerError struct{ text string }

func (e *answerError) Error() string { return e.text }

// call makes one exchange. A node that cannot be reached is ErrUnavailable, one
// that answers with an error is an *answerError.
func (r *rpc) call(ctx context.Context, method string, params map[string]any, result any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if params == nil {
		params = map[string]any{}
	}
	_, err := r.conn.Call(ctx, method, params, result)
	var refused *rpctypes.RPCError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		if refused.Data != "" {
			return &answerError{refused.Data}
		}
		return &answerError{refused.Message}
	default:
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
}

// boundedBody bounds what a node can make its client read.
type boundedBody struct{ next http.RoundTripper }

func (b boundedBody) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}
