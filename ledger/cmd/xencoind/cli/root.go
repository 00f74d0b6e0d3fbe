package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/zennet/zennet/ledger/client"
)

// usageError is a mistake in flags or files.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func wrong(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// ExitCode is the process's exit code for an error of Root.
func ExitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	case errors.Is(err, client.ErrUnavailable):
		return 4
	default:
		return 1
	}
}

// Root is the command "xencoind".
func Root() *cobra.Command {
	root := &cobra.Command{
		Use:           "xencoind",
		Short:         "A node of the XenCoin ledger",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return wrong("unknown command %q (try --help)", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Example: `  xencoind init --home ~/ledger --fund zen1…=1000XEN
  xencoind start --home ~/ledger --rpc 127.0.0.1:26657
  xencoind status --home ~/ledger --rpc http://127.0.0.1:26657`,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(initCommand(), startCommand(), statusCommand(), keygenCommand())
	return root
}

// genesisFile is where a home keeps its genesis.
func genesisFile(home string) string { return filepath.Join(home, "genesis.json") }

// exactly is cobra.ExactArgs as a usage error.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return wrong("%s takes %d arguments, not %d (try --help)", cmd.Name(), n, len(args))
		}
		return nil
	}
}

// printJSON writes one object on one line.
func printJSON(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, string(data))
	return err
}
