package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

// appVersion is the version of the rules of ledger/chain, for the headers.
const appVersion = 1

// app is the ledger as the consensus engine sees it: chain.State over the store.
// The engine calls it from one goroutine for blocks, one for the mempool and one
// for queries.
type app struct {
	abci.BaseApplication
	genesis  chain.Genesis
	ledger   types.Hash
	check    bool // all invariants, after every block
	store    *store
	verifier *verifier
	heads    *heads
	log      *slog.Logger
	halted   func(error)

	made block // staged by FinalizeBlock, saved by Commit

	mu      sync.Mutex
	mempool *chain.State // after the newest block, for CheckTx
}

// block is what Commit needs of a block that was executed.
type block struct {
	height, time int64
	txs          []txPlace
}

func newApp(cfg Config, s *store, halted func(error)) (*app, error) {
	a := &app{
		genesis: cfg.Genesis, ledger: cfg.Genesis.LedgerID(), check: cfg.Check, store: s,
		verifier: newVerifier(), heads: newHeads(s.version), log: cfg.Log, halted: halted,
	}
	return a, a.refresh()
}

// state is the ledger after the newest block, to be changed on its own overlay.
// Before the first block it is made from the genesis, so that block 1 writes
// that too.
func (a *app) state() (s *chain.State, changes *chain.Overlay, err error) {
	defer catch(&err)
	view := a.store.view()
	changes = chain.NewOverlay(view)
	if view.tree == nil {
		s, err = chain.Init(changes, a.genesis)
	} else {
		s, err = chain.Load(changes)
	}
	if err != nil {
		return nil, nil, err
	}
	if s.Ledger() != a.ledger {
		return nil, nil, fmt.Errorf("%w: the home holds ledger %s, the genesis is of %s", ErrGenesis, s.Ledger().Short(), a.ledger.Short())
	}
	s.SetVerifier(a.verifier.verify)
	return s, changes, nil
}

// refresh gives the mempool the state after the newest block.
func (a *app) refresh() error {
	s, _, err := a.state()
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mempool = s
	return nil
}

// Info tells the engine up to which block the state is there; it replays the rest.
func (a *app) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	return &abci.ResponseInfo{
		AppVersion:       appVersion,
		LastBlockHeight:  a.store.version,
		LastBlockAppHash: a.store.hash(),
	}, nil
}

// InitChain refuses another ledger's genesis. It leaves the application hash
// empty, so that block 1 changes it and block 2 follows at once to prove it.
func (a *app) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	if want := wire.ChainID(a.ledger); req.ChainId != want {
		return nil, fmt.Errorf("%w: chain id %s, want %s", ErrGenesis, req.ChainId, want)
	}
	return &abci.ResponseInitChain{}, nil
}

// CheckTx tells whether the mempool should keep a transaction. It is asked again
// about all that wait after every block; then those that are not next keep their
// place unseen, for their signers' turn will show what they are worth.
func (a *app) CheckTx(_ context.Context, req *abci.RequestCheckTx) (resp *abci.ResponseCheckTx, err error) {
	defer catch(&err)
	tx, err := chain.DecodeTx(req.Tx)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.store.mu.RLock() // what is read must not be saved meanwhile
		defer a.store.mu.RUnlock()
		if req.Type == abci.CheckTxType_Recheck && tx.Body.Nonce > a.mempool.Account(tx.Body.From).Nonce {
			return &abci.ResponseCheckTx{}, nil
		}
		err = a.mempool.CheckTx(&tx)
	}
	if err != nil {
		resp := &abci.ResponseCheckTx{Code: chain.CodeRejected, Log: err.Error()}
		if errors.Is(err, chain.ErrNonce) {
			resp.Codespace = wire.NonceRefused
		}
		return resp, nil
	}
	return &abci.ResponseCheckTx{}, nil
}

// PrepareProposal fills a block that this node proposes.
func (a *app) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (resp *abci.ResponsePrepareProposal, err error) {
	defer catch(&err)
	if len(req.Txs) == 0 {
		return &abci.ResponsePrepareProposal{}, nil
	}
	state, _, err := a.state()
	if err != nil {
		return nil, err
	}
	a.verifier.warm(a.ledger, decodeAll(req.Txs))
	// Who missed the last block matters to no transaction's place in this one.
	info := blockInfo(req.Height, req.Time, req.ProposerAddress, abci.CommitInfo{}, req.Misbehavior)
	return &abci.ResponsePrepareProposal{Txs: state.Select(info, req.Txs, req.MaxTxBytes)}, nil
}

// ProcessProposal refuses a proposed block that breaks the rules of
// PrepareProposal.
func (a *app) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (resp *abci.ResponseProcessProposal, err error) {
	defer catch(&err)
	accept := &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}
	if len(req.Txs) == 0 {
		return accept, nil
	}
	state, _, err := a.state()
	if err != nil {
		return nil, err
	}
	a.verifier.warm(a.ledger, decodeAll(req.Txs))
	info := blockInfo(req.Height, req.Time, req.ProposerAddress, abci.CommitInfo{}, req.Misbehavior)
	if err := state.CheckProposal(info, req.Txs); err != nil {
		a.log.Warn("proposed block refused", "height", req.Height, "err", err)
		return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
	}
	return accept, nil
}

// FinalizeBlock executes a decided block.
func (a *app) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	a.heads.set(req.Height) // its header is final now, and the state before it can be proven
	resp, err := a.finalize(req)
	if err != nil {
		err = fmt.Errorf("%w: block %d: %w", ErrHalted, req.Height, err)
		a.log.Error("the ledger stops", "height", req.Height, "err", err)
		a.halted(err)
		return nil, err
	}
	return resp, nil
}

func (a *app) finalize(req *abci.RequestFinalizeBlock) (resp *abci.ResponseFinalizeBlock, err error) {
	defer catch(&err)
	state, changes, err := a.state()
	if err != nil {
		return nil, err
	}
	a.made = block{height: req.Height, time: req.Time.Unix()}
	resp = &abci.ResponseFinalizeBlock{}

	txs := decodeAll(req.Txs)
	a.verifier.warm(a.ledger, txs)
	state.BeginBlock(blockInfo(req.Height, req.Time, req.ProposerAddress, req.DecidedLastCommit, req.Misbehavior))
	for i, tx := range txs {
		result := chain.Result{Code: chain.CodeRejected, Log: "not a transaction"}
		if tx != nil {
			result = state.Apply(tx)
			if result.Code != chain.CodeRejected {
				a.made.txs = append(a.made.txs, txPlace{ID: tx.ID(), Height: req.Height, Index: int32(i)})
			}
		}
		resp.TxResults = append(resp.TxResults, wire.ExecResult(result))
	}
	for _, u := range state.EndBlock() {
		resp.ValidatorUpdates = append(resp.ValidatorUpdates, abci.UpdateValidator(u.ConsensusKey, u.Power, ""))
	}
	if err := state.Err(); err != nil {
		return nil, err
	}
	if a.check {
		if err := state.Check(); err != nil {
			return nil, err
		}
	}
	resp.AppHash, err = a.store.stage(changes)
	return resp, err
}

// Commit makes the executed block the newest version of the store.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	if err := a.store.save(a.made.height, a.made.time, a.made.txs); err != nil {
		a.log.Error("the ledger stops", "height", a.made.height, "err", err)
		a.halted(err)
		return nil, err
	}
	if err := a.refresh(); err != nil {
		a.halted(err)
		return nil, err
	}
	return &abci.ResponseCommit{RetainHeight: a.retain()}, nil
}

// retain forgets what is older than the time for which a delegate answers for a
// double signature, and tells the engine to do the same: had it to keep headers
// for evidence beyond what is retained, it would never come back to them.
func (a *app) retain() int64 {
	if a.made.height%pruneEvery != 0 {
		return 0
	}
	params := a.genesis.Params
	below := a.made.height - wire.EvidenceBlocks(params) - pruneEvery
	kept, err := a.store.index.prune(below, a.made.time-params.EvidenceSeconds-1, 10*pruneEvery)
	if err != nil {
		a.log.Warn("old blocks are not pruned", "height", a.made.height, "err", err)
		return 0
	}
	return kept
}

// Query serves the newest provable state under path "/key", for any CometBFT
// client. Ours use the calls of wire, which do not wait for one another.
func (a *app) Query(_ context.Context, req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	if req.Path != "/key" {
		return &abci.ResponseQuery{Code: 1, Log: fmt.Sprintf("unknown path %q; there is /key", req.Path)}, nil
	}
	v, err := a.value(req.Data, req.Height)
	if err != nil {
		return &abci.ResponseQuery{Code: 1, Log: err.Error()}, nil
	}
	return &abci.ResponseQuery{Height: v.Height, Key: v.Key, Value: v.Value}, nil
}

// value proves a key after a block; height 0 is the newest that a final header
// proves.
func (a *app) value(key []byte, height int64) (wire.Value, error) {
	height, err := a.provable(height)
	if err != nil {
		return wire.Value{}, err
	}
	if len(key) == 0 || len(key) > maxKey || chain.FromHeaders(key) {
		return wire.Value{}, fmt.Errorf("key %x has no proof", key)
	}
	value, proof, err := a.store.prove(key, height)
	return wire.Value{Height: height, Key: key, Value: value, Proof: proof}, err
}

// maxKey bounds the keys that are asked for, in bytes.
const maxKey = 128

func (a *app) provable(height int64) (int64, error) {
	newest := a.heads.now() - 1
	switch {
	case newest < 1:
		return 0, fmt.Errorf("no block is final yet")
	case height == 0:
		return newest, nil
	case height < 0 || height > newest:
		return 0, fmt.Errorf("state after block %d cannot be proven yet, the newest is %d", height, newest)
	}
	return height, nil
}

// decodeAll decodes transactions; nil stands for one that is none.
func decodeAll(raw [][]byte) []*chain.Tx {
	txs := make([]*chain.Tx, len(raw))
	for i, r := range raw {
		if tx, err := chain.DecodeTx(r); err == nil {
			txs[i] = &tx
		}
	}
	return txs
}

// blockInfo is what the state must know of a block beside its transactions.
func blockInfo(height int64, at time.Time, proposer []byte, last abci.CommitInfo, bad []abci.Misbehavior) chain.BlockInfo {
	info := chain.BlockInfo{Height: height, Time: at.Unix(), Proposer: proposer}
	for _, v := range last.Votes {
		if v.BlockIdFlag == cmtproto.BlockIDFlagAbsent {
			info.Missed = append(info.Missed, slices.Clone(v.Validator.Address))
		}
	}
	for _, m := range bad {
		if m.Type == abci.MisbehaviorType_DUPLICATE_VOTE {
			info.DoubleSigned = append(info.DoubleSigned, slices.Clone(m.Validator.Address))
		}
	}
	return info
}
