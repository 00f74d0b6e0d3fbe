package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/zennet/zennet/ledger/types"
)

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "keygen FILE",
		Short:   "Make an account's key file (mode 0600) and print its address; a file that is there stays",
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

// accountKey reads a key file, 64 hex digits, or makes it where there is none.
func accountKey(path string) (types.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newAccountKey(path)
	}
	if err != nil {
		return types.PrivateKey{}, usageError{err}
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return types.PrivateKey{}, wrong("%s is no key file: want 64 hex digits", path)
	}
	key, err := types.KeyFromBytes(raw)
	if err != nil {
		return types.PrivateKey{}, wrong("%s: %w", path, err)
	}
	return key, nil
}

func newAccountKey(path string) (types.PrivateKey, error) {
	key, err := types.NewKey(rand.Reader)
	if err != nil {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return key, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return key, err
	}
	_, err = fmt.Fprintln(f, hex.EncodeToString(key.Bytes()))
	return key, errors.Join(err, f.Sync(), f.Close())
}
