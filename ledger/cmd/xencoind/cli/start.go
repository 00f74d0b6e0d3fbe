package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
)

// startFlags are the flags of "start".
type startFlags struct {
	home, rpc, listen, external string
	peers                       []string
	check, verbose, json        bool
}

func startCommand() *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run a node until SIGINT or SIGTERM; prints one line when it is ready",
		Example: `  xencoind start --home ~/ledger --rpc 127.0.0.1:26657
  xencoind start --home ~/ledger --rpc 127.0.0.1:0 --json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return start(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.home, "home", "", "folder that init made")
	flags.StringVar(&f.rpc, "rpc", "127.0.0.1:26657", "address for clients; port 0 takes a free one")
	flags.StringVar(&f.listen, "p2p", "", "address for other nodes (default a free loopback port)")
	flags.StringVar(&f.external, "p2p-external", "", "address at which other nodes reach this one, where it differs")
	flags.StringArrayVar(&f.peers, "peer", nil, "id@host:port of another node (repeat)")
	flags.BoolVar(&f.check, "check", false, "check every invariant after every block (reads the whole state)")
	flags.BoolVar(&f.verbose, "verbose", false, "log more than errors")
	flags.BoolVar(&f.json, "json", false, "print the ready line as one JSON object")
	return cmd
}

// ready is what start prints.
type ready struct {
	Ledger types.Hash `json:"ledger"`
	RPC    string     `json:"rpc"`
	Height int64      `json:"height"`
}

func start(cmd *cobra.Command, f startFlags) error {
	if f.home == "" {
		return wrong("--home is missing: the folder that xencoind init made")
	}
	genesis, err := node.LoadGenesis(genesisFile(f.home))
	if err != nil {
		return wrong("%w (xencoind init --home %s makes a genesis)", err, f.home)
	}
	level := slog.LevelError
	if f.verbose {
		level = slog.LevelDebug
	}
	n, err := node.Start(cmd.Context(), node.Config{
		Home: f.home, RPC: f.rpc, Genesis: genesis, Check: f.check,
		P2P: node.P2P{Listen: f.listen, External: f.external, Peers: f.peers},
		Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return err
	}
	r := ready{genesis.LedgerID(), n.RPC(), n.Height()}
	if f.json {
		err = printJSON(cmd.OutOrStdout(), r)
	} else {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "xencoind: ledger %s at %s, height %d\n", r.Ledger, r.RPC, r.Height)
	}
	if err == nil {
		select {
		case <-cmd.Context().Done():
		case <-n.Done():
			err = n.Err()
		}
	}
	if closed := n.Close(); err == nil {
		err = closed
	}
	return err
}
