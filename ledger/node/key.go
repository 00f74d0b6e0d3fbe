package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
)

// ConsensusKey returns the public consensus key (ed25519, 32 bytes) of a home,
// and makes the key file where there is none: a genesis needs it before the
// first start.
func ConsensusKey(home string) ([]byte, error) {
	pv, err := signer(home, "")
	if err != nil {
		return nil, err
	}
	return pv.Key.PubKey.Bytes(), nil
}

// ImportKey makes a home's consensus key from another key file.
func ImportKey(home, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	if err := checkKey(data); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrKey, file, err)
	}
	if err := os.MkdirAll(filepath.Dir(keyFile(home)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(keyFile(home), data, 0o600)
}

// signer loads the consensus key and its record of what it signed last, which
// keeps it from signing twice; both are made where they are missing. The engine
// ends the process on a bad file, so files are read here first.
func signer(home, file string) (*privval.FilePV, error) {
	file = orElse(file, keyFile(home))
	record := signFile(home)
	for _, f := range []string{file, record} {
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
	}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		pv := privval.NewFilePV(ed25519.GenPrivKey(), file, record)
		pv.Key.Save()
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	default:
		if err := checkKey(data); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrKey, file, err)
		}
	}
	state, err := os.ReadFile(record)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return privval.LoadFilePVEmptyState(file, record), nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	case !json.Valid(state):
		return nil, fmt.Errorf("%w: %s is damaged; without it the key may sign twice", ErrKey, record)
	}
	return privval.LoadFilePV(file, record), nil
}

func checkKey(data []byte) error {
	var key privval.FilePVKey
	if err := cmtjson.Unmarshal(data, &key); err != nil {
		return err
	}
	if len(key.PrivKey.Bytes()) != ed25519.PrivateKeySize {
		return fmt.Errorf("no ed25519 key")
	}
	return nil
}
