package wire

import (
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
)

// settled is the part of a result that the next header commits to, beside the
// code: the sentence of a failure is the node's own.
type settled struct {
	_   struct{}     `cbor:",toarray"`
	Fee types.Amount `json:"fee"`
}

// ExecResult is a result as it is stored with its block.
func ExecResult(r chain.Result) *abci.ExecTxResult {
	return &abci.ExecTxResult{Code: r.Code, Log: r.Log, Data: types.Encode(settled{Fee: r.Fee})}
}

// Result reads what ExecResult makes.
func Result(r *abci.ExecTxResult) (chain.Result, error) {
	var s settled
	if err := types.Decode(r.Data, &s); err != nil {
		return chain.Result{}, err
	}
	return chain.Result{Code: r.Code, Log: r.Log, Fee: s.Fee}, nil
}
