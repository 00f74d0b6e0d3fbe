package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node"
	"github.com/zennet/zennet/ledger/types"
)

// initFlags are the flags of "init".
type initFlags struct {
	home, validatorKey, name, params string
	fund                             []string
	json                             bool
}

func initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the genesis and the keys of a new ledger with one delegate",
		Long: `Make a new ledger with one delegate: HOME/genesis.json, which every client and
node needs, the delegate's account key HOME/delegate.key and its consensus key.
A home that holds a genesis is left as it is.`,
		Example: `  xencoind init --home ~/ledger --fund zen1…=1000XEN --fund zen1…=50XEN`,
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return initLedger(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.home, "home", "", "folder of the node (made if missing)")
	flags.StringArrayVar(&f.fund, "fund", nil, "address=amount: an account's first money, such as zen1…=1000XEN (repeat)")
	flags.StringVar(&f.validatorKey, "validator-key", "", "take this consensus key file instead of making one")
	flags.StringVar(&f.name, "name", "delegate", "the delegate's name")
	flags.StringVar(&f.params, "params", "dev", "dev (short rounds and margins) or public")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return cmd
}

// made is what init prints.
type made struct {
	Ledger   types.Hash    `json:"ledger"`
	Genesis  string        `json:"genesis"`
	Delegate types.Address `json:"delegate"`
}

func initLedger(cmd *cobra.Command, f initFlags) error {
	if f.home == "" {
		return wrong("--home is missing: the folder of the node, for example --home ~/ledger")
	}
	path := genesisFile(f.home)
	if _, err := os.Stat(path); err == nil {
		return wrong("%s is there already: start the node with it, or take another --home", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return usageError{err}
	}
	params, err := paramsOf(f.params)
	if err != nil {
		return err
	}
	accounts, err := funded(f.fund)
	if err != nil {
		return err
	}
	if f.validatorKey != "" {
		if err := node.ImportKey(f.home, f.validatorKey); err != nil {
			return usageError{err}
		}
	}
	consensus, err := node.ConsensusKey(f.home)
	if err != nil {
		return err
	}
	delegate, err := accountKey(filepath.Join(f.home, "delegate.key"))
	if err != nil {
		return err
	}
	g := chain.Genesis{
		Params:    params,
		Time:      time.Now().Unix(),
		Accounts:  withBond(accounts, delegate.Address(), params),
		Delegates: []chain.GenesisDelegate{{Address: delegate.Address(), ConsensusKey: consensus, Name: f.name}},
	}
	if _, err := rand.Read(g.Random[:]); err != nil {
		return err
	}
	if err := g.Validate(); err != nil {
		return usageError{err}
	}
	if err := node.SaveGenesis(path, g); err != nil {
		return err
	}
	m := made{g.LedgerID(), path, delegate.Address()}
	if f.json {
		return printJSON(cmd.OutOrStdout(), m)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "ledger %s\ngenesis %s\ndelegate %s\n", m.Ledger, m.Genesis, m.Delegate)
	return err
}

func paramsOf(name string) (chain.Params, error) {
	switch name {
	case "dev":
		return chain.DevParams(), nil
	case "public":
		return chain.DefaultParams(), nil
	}
	return chain.Params{}, wrong("--params %s: want dev or public", name)
}

// funded reads the --fund flags.
func funded(flags []string) ([]chain.GenesisAccount, error) {
	var accounts []chain.GenesisAccount
	for _, flag := range flags {
		text, sum, ok := strings.Cut(flag, "=")
		if !ok {
			return nil, wrong("--fund %s: want address=amount, for example zen1…=1000XEN", flag)
		}
		addr, err := types.ParseAddress(text)
		if err != nil {
			return nil, wrong("--fund %s: %w", flag, err)
		}
		amount, err := types.ParseAmount(sum)
		if err != nil {
			return nil, wrong("--fund %s: %w", flag, err)
		}
		if slices.ContainsFunc(accounts, func(a chain.GenesisAccount) bool { return a.Address == addr }) {
			return nil, wrong("--fund %s: this address is there twice", flag)
		}
		accounts = append(accounts, chain.GenesisAccount{Address: addr, Amount: amount})
	}
	return accounts, nil
}

// withBond gives the delegate its bond and what keeps its account alive.
func withBond(accounts []chain.GenesisAccount, delegate types.Address, p chain.Params) []chain.GenesisAccount {
	for i := range accounts {
		if accounts[i].Address == delegate {
			accounts[i].Amount += p.Bond
			return accounts
		}
	}
	return append(accounts, chain.GenesisAccount{Address: delegate, Amount: p.Bond + p.MinBalance})
}
