package chain

import (
	"crypto/ed25519"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/zennet/zennet/ledger/types"
)

// Genesis is where a ledger begins: its parameters, its whole supply, and the
// delegates that make the first blocks. Its hash is the ledger's id.
type Genesis struct {
	Params    Params            `cbor:"1,keyasint" json:"params"`
	Time      int64             `cbor:"2,keyasint" json:"time"`   // Unix seconds
	Random    types.Hash        `cbor:"3,keyasint" json:"random"` // keeps two ledgers apart
	Accounts  []GenesisAccount  `cbor:"4,keyasint" json:"accounts"`
	Delegates []GenesisDelegate `cbor:"5,keyasint" json:"delegates"`
}

// GenesisAccount gives an account its first money.
type GenesisAccount struct {
	Address types.Address `cbor:"1,keyasint" json:"address"`
	Amount  types.Amount  `cbor:"2,keyasint" json:"amount"`
}

// GenesisDelegate sits in the first set. Its bond is taken from its account,
// which must be among Accounts with at least the bond.
type GenesisDelegate struct {
	Address      types.Address `cbor:"1,keyasint" json:"address"`
	ConsensusKey []byte        `cbor:"2,keyasint" json:"consensus_key"` // ed25519, 32 bytes
	Name         string        `cbor:"3,keyasint" json:"name"`
}

// MaxName is the longest name of a delegate, in bytes.
const MaxName = 32

// LedgerID names the ledger: every signature is made for one (PROTOCOL.md 4.2).
func (g Genesis) LedgerID() types.Hash {
	return types.HashOf("genesis", types.Encode(g))
}

// Validate returns ErrGenesis where the genesis could not begin a ledger.
func (g Genesis) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrGenesis, fmt.Sprintf(format, args...))
	}
	if err := g.Params.Validate(); err != nil {
		return err
	}
	if g.Time < 0 || g.Time > math.MaxInt64/4 {
		return bad("time %d", g.Time)
	}
	balances := make(map[types.Address]types.Amount, len(g.Accounts))
	var supply types.Amount
	for _, a := range g.Accounts {
		if err := a.Address.Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrGenesis, err)
		}
		if _, twice := balances[a.Address]; twice {
			return bad("account %s is there twice", a.Address)
		}
		balances[a.Address] = a.Amount
		sum, err := supply.Add(a.Amount)
		if err != nil || sum > math.MaxInt64 {
			return bad("supply exceeds %d nXEN", int64(math.MaxInt64))
		}
		supply = sum
	}
	if len(g.Delegates) == 0 || len(g.Delegates) > int(g.Params.Delegates) {
		return bad("%d delegates, want 1 to %d", len(g.Delegates), g.Params.Delegates)
	}
	seen := make(map[string]bool)
	for _, d := range g.Delegates {
		switch {
		case len(d.ConsensusKey) != ed25519.PublicKeySize:
			return bad("consensus key of %s has %d bytes", d.Address, len(d.ConsensusKey))
		case seen[string(d.ConsensusKey)] || seen[string(d.Address[:])]:
			return bad("delegate %s or its consensus key is there twice", d.Address)
		case balances[d.Address] < g.Params.Bond:
			return bad("delegate %s has %s, the bond is %s", d.Address, balances[d.Address], g.Params.Bond)
		case !validName(d.Name):
			return bad("name of delegate %s is too long or no text", d.Address)
		}
		seen[string(d.ConsensusKey)], seen[string(d.Address[:])] = true, true
	}
	return nil
}

func validName(name string) bool {
	for _, c := range name {
		if c < ' ' || c == 0x7f || c == utf8.RuneError {
			return false
		}
	}
	return len(name) <= MaxName
}
