package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	cmtconfig "github.com/cometbft/cometbft/config"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/zennet/zennet/ledger/node/wire"
	"golang.org/x/sys/unix"
)

// Node is a running ledger node.
type Node struct {
	cfg    Config
	lock   *os.File
	store  *store
	app    *app
	engine *cmtnode.Node
	server *server
	url    string

	fail sync.Once
	done chan struct{} // closed when the ledger has halted
	err  error         // why; set before done is closed

	quiet   atomic.Bool // closing: the engine's complaints about that are not news
	closing sync.Once
	closed  error
}

// Start runs a node until Close. It returns when the RPC answers and, where this
// node alone makes the blocks, when the first one is final. ctx bounds the start
// only. A home that was killed at any moment starts again where it was.
func Start(ctx context.Context, cfg Config) (n *Node, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	engineCfg, err := engineConfig(cfg)
	if err != nil {
		return nil, err
	}
	doc, err := wire.GenesisDoc(cfg.Genesis)
	if err != nil {
		return nil, err
	}
	n = &Node{cfg: cfg, done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
			n = nil
		}
	}()
	if n.lock, err = lockHome(cfg.Home); err != nil {
		return n, err
	}
	listener, err := listen(cfg.RPC)
	if err != nil {
		return n, err
	}
	n.url = "http://" + listener.Addr().String()
	if err = n.start(ctx, engineCfg, doc); err != nil {
		return n, errors.Join(err, listener.Close())
	}
	if n.server, err = serve(listener, n.engine, n.app, engineLog{cfg.Log, &n.quiet}); err != nil {
		return n, errors.Join(err, listener.Close())
	}
	return n, n.awaitBlock(ctx)
}

func (n *Node) start(ctx context.Context, cfg *cmtconfig.Config, doc *cmttypes.GenesisDoc) error {
	key, err := signer(n.cfg.Home, n.cfg.Key)
	if err != nil {
		return err
	}
	if n.store, err = openStore(stateDir(n.cfg.Home)); err != nil {
		return err
	}
	if n.app, err = newApp(n.cfg, n.store, n.halt); err != nil {
		return err
	}
	nodeKey, err := p2p.LoadOrGenNodeKey(nodeKeyFile(n.cfg.Home))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	n.engine, err = cmtnode.NewNodeWithContext(ctx, cfg, key, nodeKey,
		proxy.NewConnSyncLocalClientCreator(n.app),
		func() (*cmttypes.GenesisDoc, error) { return doc, nil },
		cmtconfig.DefaultDBProvider, cmtnode.DefaultMetricsProvider(cfg.Instrumentation),
		engineLog{n.cfg.Log, &n.quiet})
	if err != nil {
		return fmt.Errorf("start consensus: %w", err)
	}
	if err := n.engine.Start(); err != nil {
		return fmt.Errorf("start consensus: %w", err)
	}
	return nil
}

// awaitBlock waits until a block is final and its state provable, where no
// other node is needed for that.
func (n *Node) awaitBlock(ctx context.Context) error {
	if len(n.cfg.Genesis.Delegates) > 1 || len(n.cfg.P2P.Peers) > 0 {
		return nil
	}
	for height := n.app.heads.now(); height < 2; height = n.app.heads.wait(ctx, height, wire.MaxWait) {
		select {
		case <-n.done:
			return n.err
		case <-ctx.Done():
			return fmt.Errorf("no block yet: %w", ctx.Err())
		default:
		}
	}
	return nil
}

// RPC is the URL of the node's RPC, "http://127.0.0.1:26657".
func (n *Node) RPC() string { return n.url }

// Height is that of the newest final block.
func (n *Node) Height() int64 { return n.app.heads.now() }

// PeerAddress is what other nodes put into P2P.Peers, where P2P.Listen has a
// fixed port.
func (n *Node) PeerAddress() string {
	host := orElse(n.cfg.P2P.External, n.cfg.P2P.Listen)
	return string(n.engine.NodeInfo().ID()) + "@" + host
}

// Done is closed when the ledger has halted because its state broke a rule or
// could not be stored. The RPC still answers reads; nothing is final any more.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err says why the ledger halted, once Done is closed.
func (n *Node) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}

func (n *Node) halt(err error) {
	n.fail.Do(func() {
		n.err = err
		close(n.done)
	})
}

// Close stops the node and waits until everything is on disk.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.quiet.Store(true)
		var errs []error
		if n.server != nil {
			errs = append(errs, n.server.close())
		}
		if n.engine != nil && n.engine.IsRunning() {
			errs = append(errs, n.engine.Stop())
			n.engine.Wait()
		}
		if n.store != nil {
			errs = append(errs, n.store.close())
		}
		if n.lock != nil {
			errs = append(errs, n.lock.Close())
		}
		n.closed = errors.Join(errs...)
	})
	return n.closed
}

// lockHome keeps a second node out of a home; the lock ends with the process.
func lockHome(home string) (*os.File, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	f, err := os.OpenFile(lockFile(home), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: another node runs in %s", ErrConfig, home), f.Close())
	}
	return f, nil
}
