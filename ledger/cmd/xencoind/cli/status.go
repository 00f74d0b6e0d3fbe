package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/client"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
)

// statusTimeout bounds the whole command.
const statusTimeout = 3 * time.Second

func statusCommand() *cobra.Command {
	var home, genesis, rpc string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Ask a node for its newest final block, verified, and for where all money is",
		Example: `  xencoind status --home ~/ledger
  xencoind status --genesis genesis.json --rpc http://127.0.0.1:26657 --json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if genesis == "" && home == "" {
				return wrong("--genesis or --home is missing: status verifies what the node says against the genesis")
			}
			if genesis == "" {
				genesis = genesisFile(home)
			}
			g, err := node.LoadGenesis(genesis)
			if err != nil {
				return usageError{err}
			}
			s, err := ask(cmd.Context(), rpc, g)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			return s.print(cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&home, "home", "", "folder of a node, for its genesis")
	flags.StringVar(&genesis, "genesis", "", "genesis file, where there is no home")
	flags.StringVar(&rpc, "rpc", "http://127.0.0.1:26657", "URL of the node")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// status is what status prints.
type status struct {
	Ledger        types.Hash   `json:"ledger"`
	Height        int64        `json:"height"`
	Time          int64        `json:"time"`
	Announcements int          `json:"announcements"`
	Supply        chain.Supply `json:"supply_nxen"`
}

func ask(ctx context.Context, rpc string, g chain.Genesis) (status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	c, err := client.Open(ctx, client.Config{RPC: rpc, Genesis: g})
	if err != nil {
		return status{}, err
	}
	defer c.Close()
	header, err := c.Header(ctx)
	if err != nil {
		return status{}, err
	}
	anns, err := c.Announcements(ctx)
	if err != nil {
		return status{}, err
	}
	supply, err := c.Supply(ctx)
	return status{c.LedgerID(), header.Height, header.Time, len(anns), supply}, err
}

func (s status) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, `ledger         %s
height         %d, %s
announcements  %d
supply         %s at genesis, %s destroyed
               %s in accounts, %s in channels, %s prepaid, %s in bonds
`, s.Ledger, s.Height, time.Unix(s.Time, 0).UTC().Format(time.RFC3339), s.Announcements,
		s.Supply.Genesis, s.Supply.Burned, s.Supply.Balances, s.Supply.Deposits, s.Supply.PrepaidFees, s.Supply.Bonds)
	return err
}
