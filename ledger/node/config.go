package node

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	cmtconfig "github.com/cometbft/cometbft/config"
	"github.com/zennet/zennet/ledger/chain"
)

// Config is how one operator runs a node.
type Config struct {
	Home    string        // folder of keys, blocks and state; made if missing, one node a home
	RPC     string        // listen address, "127.0.0.1:26657"; port 0 takes a free one
	P2P     P2P           // other nodes
	Genesis chain.Genesis // of the ledger; a home belongs to one for ever
	Key     string        // consensus key file; "" is the home's own, made if missing
	Check   bool          // check every invariant after every block; reads the whole state
	Log     *slog.Logger  // nil discards
}

// P2P is how a node meets others. The zero value listens on a free loopback
// port and knows nobody, which is right for a ledger of one delegate.
type P2P struct {
	Listen   string   // "0.0.0.0:26656"; "" is a free loopback port
	External string   // address that others can dial, where it differs
	Peers    []string // "id@host:port", kept connected
}

// Timing: a block is made as soon as a transaction is there, and at least every
// Params.BlockSeconds. With one delegate nothing is gained by waiting for late
// votes after a block; with more, the wait lets them in.
const (
	timeoutPropose = 500 * time.Millisecond
	timeoutVote    = 500 * time.Millisecond
	timeoutCommit  = 200 * time.Millisecond
	gossipSleep    = 10 * time.Millisecond
)

// engineConfig is the consensus engine's configuration.
func engineConfig(c Config) (*cmtconfig.Config, error) {
	if c.Home == "" || c.RPC == "" {
		return nil, fmt.Errorf("%w: home %q, RPC address %q", ErrConfig, c.Home, c.RPC)
	}
	e := cmtconfig.DefaultConfig()
	e.SetRoot(c.Home)
	e.Moniker = "zennet"
	e.RPC.ListenAddress = "" // served by this package
	e.TxIndex.Indexer = "null"
	e.Instrumentation.Prometheus = false

	e.Consensus.TimeoutPropose = timeoutPropose
	e.Consensus.TimeoutProposeDelta = timeoutPropose / 2
	e.Consensus.TimeoutPrevote, e.Consensus.TimeoutPrevoteDelta = timeoutVote, timeoutVote/2
	e.Consensus.TimeoutPrecommit, e.Consensus.TimeoutPrecommitDelta = timeoutVote, timeoutVote/2
	e.Consensus.TimeoutCommit = timeoutCommit
	e.Consensus.SkipTimeoutCommit = true // once all have voted
	if c.Genesis.Params.Delegates == 1 || len(c.Genesis.Delegates) == 1 {
		e.Consensus.TimeoutCommit = 0
	}
	e.Consensus.PeerGossipSleepDuration = gossipSleep
	// A little less, for making the block takes its time too.
	e.Consensus.CreateEmptyBlocksInterval = time.Duration(c.Genesis.Params.BlockSeconds) * time.Second * 9 / 10

	e.Mempool.Size = 20_000
	e.Mempool.CacheSize = 40_000
	e.Mempool.MaxTxBytes = chain.MaxTxBytes
	e.Mempool.MaxTxsBytes = 64 << 20

	e.P2P.ListenAddress = "tcp://" + orElse(c.P2P.Listen, "127.0.0.1:0")
	e.P2P.ExternalAddress = c.P2P.External
	e.P2P.PersistentPeers = strings.Join(c.P2P.Peers, ",")
	e.P2P.AddrBookStrict = false
	e.P2P.AllowDuplicateIP = true
	e.P2P.PexReactor = false // peers are named; gossip of addresses makes restarted ones reconnect in storms

	if err := e.ValidateBasic(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return e, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// The places in a home.
func stateDir(home string) string { return filepath.Join(home, "state") }
func keyFile(home string) string  { return filepath.Join(home, "config", "priv_validator_key.json") }
func signFile(home string) string { return filepath.Join(home, "data", "priv_validator_state.json") }
func nodeKeyFile(home string) string {
	return filepath.Join(home, "config", "node_key.json")
}
func lockFile(home string) string { return filepath.Join(home, "lock") }
