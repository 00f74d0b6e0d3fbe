package wire_test

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
	"pgregory.net/rapid"
)

func TestResult(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := chain.Result{
			Code: rapid.Uint32().Draw(t, "code"),
			Log:  rapid.String().Draw(t, "log"),
			Fee:  types.Amount(rapid.Uint64().Draw(t, "fee")),
		}
		got, err := wire.Result(wire.ExecResult(want))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func FuzzResult(f *testing.F) {
	f.Add(wire.ExecResult(chain.Result{Fee: 7}).Data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := wire.Result(&abci.ExecTxResult{Data: data})
		if err == nil && string(wire.ExecResult(result).Data) != string(data) {
			t.Errorf("%x reads as %+v", data, result)
		}
	})
}

func TestGenesisDoc(t *testing.T) {
	if _, err := wire.GenesisDoc(chain.Genesis{}); err == nil {
		t.Error("empty genesis accepted")
	}
	g := chain.Genesis{Params: chain.DevParams(), Time: 1_000_000}
	for i := range 3 {
		scalar := [32]byte{31: byte(i + 1)}
		key, err := types.KeyFromBytes(scalar[:])
		if err != nil {
			t.Fatal(err)
		}
		consensus := make([]byte, 32)
		consensus[0] = byte(i)
		g.Accounts = append(g.Accounts, chain.GenesisAccount{Address: key.Address(), Amount: 10 * types.XEN})
		g.Delegates = append(g.Delegates, chain.GenesisDelegate{Address: key.Address(), ConsensusKey: consensus})
	}
	doc, err := wire.GenesisDoc(g)
	if err != nil {
		t.Fatal(err)
	}
	vals, err := wire.Validators(g)
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.ValidatorHash(); string(got) != string(vals.Hash()) {
		t.Errorf("engine starts with %x, clients with %x", got, vals.Hash())
	}
	state, err := chain.Init(chain.NewMemKV(), g)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range state.Validators() { // the engine's set is the state's
		if _, v := vals.GetByAddress(chain.ConsensusAddress(u.ConsensusKey)); v == nil || v.VotingPower != u.Power {
			t.Errorf("seat %d: %+v, engine has %+v", i, u, v)
		}
	}
	if doc.ConsensusParams.Block.MaxBytes <= int64(g.Params.BlockBytes) {
		t.Errorf("engine's blocks hold %d bytes, %d are for transactions", doc.ConsensusParams.Block.MaxBytes, g.Params.BlockBytes)
	}
}
