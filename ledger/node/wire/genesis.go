package wire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
)

// power is every genesis delegate's: each seat weighs the same (PROTOCOL.md 4.4).
const power = 1

// ChainID is what CometBFT calls the ledger; its votes are signed for it.
func ChainID(ledger types.Hash) string { return "zennet-" + ledger.String()[:40] }

// Time is the genesis time.
func Time(g chain.Genesis) time.Time { return time.Unix(g.Time, 0).UTC() }

// Validators is the set that signs the first blocks.
func Validators(g chain.Genesis) (*cmttypes.ValidatorSet, error) {
	doc, err := GenesisDoc(g)
	if err != nil {
		return nil, err
	}
	vals := make([]*cmttypes.Validator, len(doc.Validators))
	for i, v := range doc.Validators {
		vals[i] = cmttypes.NewValidator(v.PubKey, v.Power)
	}
	return cmttypes.NewValidatorSet(vals), nil
}

// GenesisDoc is the consensus engine's form of a genesis.
func GenesisDoc(g chain.Genesis) (*cmttypes.GenesisDoc, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	state, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	doc := &cmttypes.GenesisDoc{
		GenesisTime:     Time(g),
		ChainID:         ChainID(g.LedgerID()),
		InitialHeight:   1,
		ConsensusParams: consensusParams(g.Params),
		AppState:        state,
	}
	for _, d := range g.Delegates {
		doc.Validators = append(doc.Validators, cmttypes.GenesisValidator{
			PubKey: ed25519.PubKey(d.ConsensusKey), Power: power, Name: d.Name,
		})
	}
	if err := doc.ValidateAndComplete(); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return doc, nil
}

// consensusParams bounds blocks and the time for which a double signer answers.
func consensusParams(p chain.Params) *cmttypes.ConsensusParams {
	c := cmttypes.DefaultConsensusParams()
	c.Block.MaxBytes = int64(p.BlockBytes) + cmttypes.MaxCommitBytes(int(p.Delegates)) + overheadBytes
	c.Evidence.MaxAgeDuration = time.Duration(p.EvidenceSeconds) * time.Second
	c.Evidence.MaxAgeNumBlocks = EvidenceBlocks(p)
	return c
}

// EvidenceBlocks is how many blocks back a double signature is punished at
// least, and for Params.EvidenceSeconds.
func EvidenceBlocks(p chain.Params) int64 { return max(p.EvidenceSeconds/p.BlockSeconds, 1) }

// overheadBytes is what a block holds beside transactions and its commit.
const overheadBytes = 1 << 20
