package node

import (
	"fmt"
	"net"
	"net/http"
	"time"

	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtnode "github.com/cometbft/cometbft/node"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

// Bounds of the RPC server.
const (
	maxConnections = 1024
	maxRequest     = 4 * chain.MaxTxBytes
	maxPage        = 4 << 20 // bytes of MethodValues' answer
	rpcTimeout     = wire.MaxWait + 4*time.Second
)

// server answers JSON-RPC over HTTP: the engine's calls and those of wire.
type server struct {
	http     *http.Server
	listener net.Listener
	done     chan struct{}
}

// listen takes the address before the node starts, so that a taken port is an
// error and port 0 is known.
func listen(addr string) (net.Listener, error) {
	l, err := rpcserver.Listen("tcp://"+addr, maxConnections)
	if err != nil {
		return nil, fmt.Errorf("%w: RPC address: %w", ErrConfig, err)
	}
	return l, nil
}

// serve starts answering on a listener, which it owns from then on.
func serve(l net.Listener, engine *cmtnode.Node, a *app, log cmtlog.Logger) (*server, error) {
	env, err := engine.ConfigureRPC()
	if err != nil {
		return nil, err
	}
	routes := env.GetRoutes()
	for _, name := range []string{"subscribe", "unsubscribe", "unsubscribe_all", "tx", "tx_search", "block_search", "broadcast_tx_commit"} {
		delete(routes, name) // they need the engine's own index, which is off, or keep a goroutine for a stranger
	}
	calls := calls{a}
	routes["broadcast_tx_sync"] = rpcserver.NewRPCFunc(
		func(ctx *rpctypes.Context, tx cmttypes.Tx) (*ctypes.ResultBroadcastTx, error) {
			calls.verify(tx)
			return env.BroadcastTxSync(ctx, tx)
		}, "tx")
	routes[wire.MethodHead] = rpcserver.NewRPCFunc(calls.head, "after,wait_ms")
	routes[wire.MethodValue] = rpcserver.NewRPCFunc(calls.value, "key,height")
	routes[wire.MethodValues] = rpcserver.NewRPCFunc(calls.values, "prefix,after,limit,height")
	routes[wire.MethodTx] = rpcserver.NewRPCFunc(calls.tx, "id")
	routes[wire.MethodSupply] = rpcserver.NewRPCFunc(calls.supply, "")

	mux := http.NewServeMux()
	rpcserver.RegisterRPCFuncs(mux, routes, log)
	config := rpcserver.DefaultConfig()
	handler := http.MaxBytesHandler(rpcserver.RecoverAndLogHandler(mux, log), maxRequest)
	s := &server{
		listener: l,
		done:     make(chan struct{}),
		http: &http.Server{
			Handler:           rpcserver.PreChecksHandler(handler, config),
			ReadTimeout:       config.ReadTimeout,
			ReadHeaderTimeout: config.ReadTimeout,
			WriteTimeout:      rpcTimeout,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // ends by close
	}()
	return s, nil
}

// close ends every exchange at once: clients repeat what was not answered.
func (s *server) close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// calls are the node's own RPC methods; package wire says what they mean. They
// run side by side.
type calls struct{ app *app }

// verify checks a transaction's signature before the mempool, which takes one
// transaction after another, looks at it.
func (c calls) verify(raw []byte) {
	if tx, err := chain.DecodeTx(raw); err == nil {
		c.app.verifier.warm(c.app.ledger, []*chain.Tx{&tx})
	}
}

func (c calls) head(ctx *rpctypes.Context, after int64, waitMS int64) (*wire.Head, error) {
	wait := min(time.Duration(min(waitMS, wire.MaxWait.Milliseconds()))*time.Millisecond, wire.MaxWait)
	return &wire.Head{Height: c.app.heads.wait(ctx.Context(), after, wait)}, nil
}

func (c calls) value(_ *rpctypes.Context, key []byte, height int64) (*wire.Value, error) {
	v, err := c.app.value(key, height)
	return &v, err
}

func (c calls) values(_ *rpctypes.Context, prefix, after []byte, limit int, height int64) (*wire.Values, error) {
	height, err := c.app.provable(height)
	if err != nil {
		return nil, err
	}
	if len(prefix) == 0 || len(prefix) > maxKey || len(after) > maxKey {
		return nil, fmt.Errorf("prefix of %d bytes", len(prefix))
	}
	if limit <= 0 || limit > wire.MaxValues {
		limit = wire.MaxValues
	}
	page, size := &wire.Values{Height: height}, 0
	err = c.app.store.proofs(prefix, after, height, func(key, value, proof []byte) bool {
		if len(page.Values) >= limit || size > maxPage {
			page.More = true
			return false
		}
		page.Values = append(page.Values, wire.Value{Height: height, Key: key, Value: value, Proof: proof})
		size += len(key) + len(value) + len(proof)
		return true
	})
	return page, err
}

func (c calls) tx(_ *rpctypes.Context, id []byte) (*wire.TxAt, error) {
	if len(id) != len(types.Hash{}) {
		return nil, fmt.Errorf("id of %d bytes", len(id))
	}
	at, found, err := c.app.store.index.tx(types.Hash(id))
	return &wire.TxAt{Found: found, Height: at.Height, Index: at.Index}, err
}

func (c calls) supply(*rpctypes.Context) (*wire.Supply, error) {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	return &wire.Supply{Height: c.app.mempool.Height(), Supply: types.Encode(c.app.mempool.Supply())}, nil
}
