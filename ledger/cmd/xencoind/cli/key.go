package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/zennet/zennet/ledger/keyfile"
	"github.com/zennet/zennet/ledger/types"
)

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make an account's key file (mode 0600) and print its address; a file that is there stays",
		Long: `Makes an account's key file (mode 0600) and prints its address; a file that is there stays.
Where ZENNET_PASSPHRASE, or a file in ZENNET_PASSPHRASE_FILE, gives a passphrase, the key is
encrypted with it (age, scrypt).`,
		Example: "  xencoind keygen publisher.key",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := accountKey(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), key.Address())
			return err
		},
	}
}

// accountKey reads a key file, or makes it where there is none.
func accountKey(path string) (types.PrivateKey, error) {
	key, err := keyfile.Open(path)
	if errors.Is(err, keyfile.ErrKeyFile) {
		err = usageError{err}
	}
	return key, err
}
