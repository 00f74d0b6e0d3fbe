package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zennet/zennet/ledger/chain"
)

// maxGenesis bounds a genesis file, in bytes.
const maxGenesis = 16 << 20

// SaveGenesis writes a genesis file, whole or not at all.
func SaveGenesis(path string, g chain.Genesis) error {
	if err := g.Validate(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// LoadGenesis reads what SaveGenesis writes; unknown keys and a genesis that
// could not begin a ledger are ErrGenesis.
func LoadGenesis(path string) (chain.Genesis, error) {
	info, err := os.Stat(path)
	if err != nil {
		return chain.Genesis{}, err
	}
	if info.Size() > maxGenesis {
		return chain.Genesis{}, fmt.Errorf("%w: %s has %d bytes", ErrGenesis, path, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return chain.Genesis{}, err
	}
	g, err := DecodeGenesis(data)
	if err != nil {
		return g, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// DecodeGenesis reads the JSON of a genesis.
func DecodeGenesis(data []byte) (chain.Genesis, error) {
	var g chain.Genesis
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		return chain.Genesis{}, fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	if dec.More() {
		return chain.Genesis{}, fmt.Errorf("%w: text after the genesis", ErrGenesis)
	}
	if err := g.Validate(); err != nil {
		return chain.Genesis{}, err
	}
	return g, nil
}
