package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	cmtlight "github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
)

// Bounds of the light client.
const (
	maxDrift    = 10 * time.Second // of a header's time into our future
	maxHeaders  = 2048             // verified headers kept
	maxSets     = 64               // validator sets kept
	unlimited   = 100 * 365 * 24 * time.Hour
	valsPerPage = 100
)

// light verifies headers. It trusts the genesis delegates as if they had signed
// a block 0 just before the genesis time, then every header that follows from a
// trusted one by the rules of CometBFT's light verification: a header whose
// commit carries more than 2/3 of its own set and, where it is not the next
// one, more than 1/3 of the trusted set; else the headers between are tried.
type light struct {
	rpc     *rpc
	chainID string
	period  time.Duration
	file    string // "" keeps nothing

	fetch sync.Mutex // one verification at a time: others find its result

	mu      sync.Mutex
	headers map[int64]*cmttypes.SignedHeader // verified
	heights []int64                          // of headers, sorted; heights[0] = 0 is the root
	sets    map[string]*cmttypes.ValidatorSet
}

func newLight(r *rpc, g chain.Genesis, home string, period time.Duration) (*light, error) {
	vals, err := wire.Validators(g)
	if err != nil {
		return nil, err
	}
	if period <= 0 {
		period = unlimited
	}
	l := &light{
		rpc: r, chainID: wire.ChainID(g.LedgerID()), period: period,
		headers: map[int64]*cmttypes.SignedHeader{}, sets: map[string]*cmttypes.ValidatorSet{},
	}
	root := &cmttypes.SignedHeader{Header: &cmttypes.Header{
		ChainID:            l.chainID,
		Time:               wire.Time(g).Add(-time.Nanosecond),
		ValidatorsHash:     vals.Hash(),
		NextValidatorsHash: vals.Hash(),
	}}
	l.keep(root, vals)
	if home == "" {
		return l, nil
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	l.file = filepath.Join(home, "light-"+l.chainID+".pb")
	return l, l.load()
}

// header returns the verified header of a height.
func (l *light) header(ctx context.Context, height int64) (*cmttypes.SignedHeader, error) {
	if h := l.known(height); h != nil {
		return h, nil
	}
	l.fetch.Lock()
	defer l.fetch.Unlock()
	if h := l.known(height); h != nil {
		return h, nil
	}
	return l.verify(ctx, height)
}

// verify proves a header from the nearest trusted one below it, halving the
// way wherever the delegates have changed too much for one step.
func (l *light) verify(ctx context.Context, height int64) (_ *cmttypes.SignedHeader, err error) {
	defer sane(&err)
	h, vals, err := l.block(ctx, height)
	if err != nil {
		return nil, err
	}
	for {
		trusted, trustedVals := l.below(height)
		err := cmtlight.Verify(trusted, trustedVals, h, vals, l.period, time.Now(), maxDrift, cmtlight.DefaultTrustLevel)
		var changed cmtlight.ErrNewValSetCantBeTrusted
		switch {
		case err == nil:
			l.keep(h, vals)
			return h, nil
		case errors.As(err, &changed) && height-trusted.Height > 1:
			if _, err := l.verify(ctx, trusted.Height+(height-trusted.Height)/2); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%w: header %d from header %d: %v", ErrProof, height, trusted.Height, err)
		}
	}
}

// block fetches an unverified header with its commit and validators.
func (l *light) block(ctx context.Context, height int64) (*cmttypes.SignedHeader, *cmttypes.ValidatorSet, error) {
	var answer ctypes.ResultCommit
	if err := l.rpc.call(ctx, "commit", map[string]any{"height": height}, &answer); err != nil {
		return nil, nil, missing(err, "header %d", height)
	}
	h := &answer.SignedHeader
	if err := h.ValidateBasic(l.chainID); err != nil {
		return nil, nil, fmt.Errorf("%w: header %d: %v", ErrProof, height, err)
	}
	if h.Height != height {
		return nil, nil, fmt.Errorf("%w: header %d came for %d", ErrProof, h.Height, height)
	}
	l.mu.Lock()
	vals := l.sets[string(h.ValidatorsHash)]
	l.mu.Unlock()
	if vals != nil {
		return h, vals, nil
	}
	vals, err := l.validators(ctx, height)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(vals.Hash(), h.ValidatorsHash) {
		return nil, nil, fmt.Errorf("%w: validators of %d do not hash to its header's", ErrProof, height)
	}
	return h, vals, nil
}

func (l *light) validators(ctx context.Context, height int64) (*cmttypes.ValidatorSet, error) {
	var all []*cmttypes.Validator
	for page := 1; page <= cmttypes.MaxVotesCount/valsPerPage; page++ {
		var answer ctypes.ResultValidators
		params := map[string]any{"height": height, "page": page, "per_page": valsPerPage}
		if err := l.rpc.call(ctx, "validators", params, &answer); err != nil {
			return nil, missing(err, "validators of %d", height)
		}
		all = append(all, answer.Validators...)
		if len(answer.Validators) == 0 || len(all) >= answer.Total {
			break
		}
	}
	vals, err := cmttypes.ValidatorSetFromExistingValidators(all)
	if err != nil {
		return nil, fmt.Errorf("%w: validators of %d: %v", ErrProof, height, err)
	}
	return vals, nil
}

// missing names what a reachable node does not have.
func missing(err error, format string, args ...any) error {
	var refused *answerError
	if errors.As(err, &refused) {
		if strings.Contains(refused.text, "lowest height is") { // the engine's words
			return fmt.Errorf("%w: %s", ErrPruned, fmt.Sprintf(format, args...))
		}
		return fmt.Errorf("%w: %s: %s", ErrUnavailable, fmt.Sprintf(format, args...), refused.text)
	}
	return err
}

func (l *light) known(height int64) *cmttypes.SignedHeader {
	l.mu.Lock()
	defer l.mu.Unlock()
	if height == 0 {
		return nil
	}
	return l.headers[height]
}

// below is the newest trusted header under height, with its validators.
func (l *light) below(height int64) (*cmttypes.SignedHeader, *cmttypes.ValidatorSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearch(l.heights, height)
	h := l.headers[l.heights[i-1]] // the root is below every height
	return h, l.sets[string(h.ValidatorsHash)]
}

// keep adds a verified header and forgets the oldest but the root.
func (l *light) keep(h *cmttypes.SignedHeader, vals *cmttypes.ValidatorSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, known := slices.BinarySearch(l.heights, h.Height)
	if known {
		return
	}
	l.heights = slices.Insert(l.heights, i, h.Height)
	l.headers[h.Height] = h
	l.sets[string(h.ValidatorsHash)] = vals
	for len(l.heights) > maxHeaders || len(l.sets) > maxSets && len(l.heights) > 2 {
		delete(l.headers, l.heights[1])
		l.heights = slices.Delete(l.heights, 1, 2)
		if len(l.sets) > maxSets {
			l.dropSets()
		}
	}
}

// dropSets forgets the validators of no header that is kept.
func (l *light) dropSets() {
	used := map[string]*cmttypes.ValidatorSet{}
	for _, h := range l.headers {
		used[string(h.ValidatorsHash)] = l.sets[string(h.ValidatorsHash)]
	}
	l.sets = used
}

// newest is the newest verified header, or nil.
func (l *light) newest() (*cmttypes.SignedHeader, *cmttypes.ValidatorSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.heights) == 1 {
		return nil, nil
	}
	h := l.headers[l.heights[len(l.heights)-1]]
	return h, l.sets[string(h.ValidatorsHash)]
}

// load takes over the header that an earlier client verified and kept.
func (l *light) load() error {
	data, err := os.ReadFile(l.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(data); err != nil {
		return fmt.Errorf("%s: %w", l.file, err)
	}
	block, err := cmttypes.LightBlockFromProto(&pb)
	if err != nil {
		return fmt.Errorf("%s: %w", l.file, err)
	}
	if err := block.ValidateBasic(l.chainID); err != nil {
		return fmt.Errorf("%s: %w", l.file, err)
	}
	l.keep(block.SignedHeader, block.ValidatorSet)
	return nil
}

// save keeps the newest verified header for the next client.
func (l *light) save() error {
	h, vals := l.newest()
	if l.file == "" || h == nil {
		return nil
	}
	pb, err := (&cmttypes.LightBlock{SignedHeader: h, ValidatorSet: vals}).ToProto()
	if err != nil {
		return err
	}
	data, err := pb.Marshal()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(l.file), ".light-*") // of several clients, one wins
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), l.file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
