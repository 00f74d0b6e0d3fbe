package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

// headers is a made-up ledger of headers only, whose delegates change: seat s is
// held by key s until block 10(s+1), then by key s+4, and so on.
type headers struct {
	genesis chain.Genesis
	signed  []*cmttypes.SignedHeader // by height − 1
	sets    []*cmttypes.ValidatorSet
	asked   int // headers
}

const seats = 4

func delegateKey(i int) ed25519.PrivKey {
	return ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "delegate %d", i))
}

// keysAt are the keys in force at a height.
func keysAt(height int64) []ed25519.PrivKey {
	var keys []ed25519.PrivKey
	for s := range seats {
		turns := 0
		for change := int64(10 * (s + 1)); change <= height; change += 10 * seats {
			turns++
		}
		keys = append(keys, delegateKey(s+turns*seats))
	}
	return keys
}

func setOf(keys []ed25519.PrivKey) *cmttypes.ValidatorSet {
	var vals []*cmttypes.Validator
	for _, k := range keys {
		vals = append(vals, cmttypes.NewValidator(k.PubKey(), 1))
	}
	return cmttypes.NewValidatorSet(vals)
}

func newHeaders(t testing.TB, n int64) *headers {
	t.Helper()
	h := &headers{genesis: chain.Genesis{Params: chain.DevParams(), Time: time.Now().Add(-time.Hour).Unix()}}
	for i, key := range keysAt(1) {
		scalar := [32]byte{31: byte(i + 1)}
		account, err := types.KeyFromBytes(scalar[:])
		if err != nil {
			t.Fatal(err)
		}
		h.genesis.Accounts = append(h.genesis.Accounts, chain.GenesisAccount{Address: account.Address(), Amount: 10 * types.XEN})
		h.genesis.Delegates = append(h.genesis.Delegates, chain.GenesisDelegate{Address: account.Address(), ConsensusKey: key.PubKey().Bytes()})
	}
	var last cmttypes.BlockID
	for height := int64(1); height <= n; height++ {
		keys := keysAt(height)
		header := h.header(height, last)
		h.sets = append(h.sets, setOf(keys))
		h.signed = append(h.signed, sign(t, header, setOf(keys), keys))
		last = h.signed[height-1].Commit.BlockID
	}
	return h
}

func (h *headers) header(height int64, last cmttypes.BlockID) *cmttypes.Header {
	set := setOf(keysAt(height))
	return &cmttypes.Header{
		Version:            cmtversion.Consensus{Block: version.BlockProtocol},
		ChainID:            wire.ChainID(h.genesis.LedgerID()),
		Height:             height,
		Time:               wire.Time(h.genesis).Add(time.Duration(height-1) * time.Second),
		LastBlockID:        last,
		ValidatorsHash:     set.Hash(),
		NextValidatorsHash: setOf(keysAt(height + 1)).Hash(),
		ConsensusHash:      make([]byte, 32),
		AppHash:            make([]byte, 32),
		LastResultsHash:    make([]byte, 32),
		DataHash:           make([]byte, 32),
		EvidenceHash:       make([]byte, 32),
		LastCommitHash:     make([]byte, 32),
		ProposerAddress:    set.Proposer.Address,
	}
}

// sign gives a header the commit of a set.
func sign(t testing.TB, header *cmttypes.Header, set *cmttypes.ValidatorSet, keys []ed25519.PrivKey) *cmttypes.SignedHeader {
	t.Helper()
	id := cmttypes.BlockID{Hash: header.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: make([]byte, 32)}}
	commit := &cmttypes.Commit{Height: header.Height, BlockID: id}
	byAddress := map[string]crypto.PrivKey{}
	for _, k := range keys {
		byAddress[string(k.PubKey().Address())] = k
	}
	for i, val := range set.Validators {
		vote := &cmttypes.Vote{Type: cmtproto.PrecommitType, Height: header.Height, BlockID: id,
			Timestamp: header.Time, ValidatorAddress: val.Address, ValidatorIndex: int32(i)}
		sig, err := byAddress[string(val.Address)].Sign(cmttypes.VoteSignBytes(header.ChainID, vote.ToProto()))
		if err != nil {
			t.Fatal(err)
		}
		commit.Signatures = append(commit.Signatures, cmttypes.CommitSig{
			BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: val.Address, Timestamp: header.Time, Signature: sig})
	}
	return &cmttypes.SignedHeader{Header: header, Commit: commit}
}

// serve answers the two calls that the light client makes.
func (h *headers) serve(t testing.TB) *rpc {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID     json.RawMessage
			Method string
			Params struct{ Height string }
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			return
		}
		height, _ := strconv.ParseInt(call.Params.Height, 10, 64)
		var result any
		switch i := height - 1; {
		case i < 0 || i >= int64(len(h.signed)):
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"Internal error","data":"no such height"}}`, call.ID)
			return
		case call.Method == "commit":
			h.asked++
			result = ctypes.ResultCommit{SignedHeader: *h.signed[i], CanonicalCommit: true}
		case call.Method == "validators":
			result = ctypes.ResultValidators{BlockHeight: height, Validators: h.sets[i].Validators, Count: seats, Total: seats}
		}
		data, err := cmtjson.Marshal(result)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, call.ID, data)
	}))
	t.Cleanup(srv.Close)
	conn, err := newRPC(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.close)
	return conn
}

func newTestLight(t testing.TB, h *headers, home string, period time.Duration) *light {
	t.Helper()
	l, err := newLight(h.serve(t), h.genesis, home, period)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLight verifies a far header over two whole changes of the delegates, by
// halving the way, and every other one after it.
func TestLight(t *testing.T) {
	const n = 100
	h := newHeaders(t, n)
	l := newTestLight(t, h, "", 0)
	if _, err := l.header(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if h.asked > 20 {
		t.Errorf("%d headers fetched for one", h.asked)
	}
	for height := int64(1); height < n; height += 7 {
		if got, err := l.header(t.Context(), height); err != nil || got.Height != height {
			t.Errorf("header %d: %v", height, err)
		}
	}
	if _, err := l.header(t.Context(), n+1); !errors.Is(err, ErrUnavailable) {
		t.Errorf("header that is not there: %v", err)
	}
}

// TestLightForged serves headers that the delegates never signed.
func TestLightForged(t *testing.T) {
	strangers := []ed25519.PrivKey{delegateKey(100), delegateKey(101), delegateKey(102), delegateKey(103)}
	for _, c := range []struct {
		name  string
		forge func(t *testing.T, h *headers)
	}{
		{"strangers", func(t *testing.T, h *headers) {
			header := *h.signed[49].Header
			header.ValidatorsHash = setOf(strangers).Hash()
			header.ProposerAddress = setOf(strangers).Proposer.Address
			h.signed[49], h.sets[49] = sign(t, &header, setOf(strangers), strangers), setOf(strangers)
		}},
		{"one of four", func(t *testing.T, h *headers) {
			for i := 1; i < seats; i++ {
				h.signed[49].Commit.Signatures[i] = cmttypes.NewCommitSigAbsent()
			}
		}},
		{"application hash", func(_ *testing.T, h *headers) { h.signed[49].AppHash = make([]byte, 31) }},
		{"another height", func(_ *testing.T, h *headers) { h.signed[49] = h.signed[48] }},
		{"from the future", func(t *testing.T, h *headers) {
			header := *h.signed[49].Header
			header.Time = time.Now().Add(time.Minute)
			h.signed[49] = sign(t, &header, h.sets[49], keysAt(50))
		}},
		{"validator that is none", func(_ *testing.T, h *headers) {
			h.sets[49] = &cmttypes.ValidatorSet{Validators: []*cmttypes.Validator{nil, {}}}
		}},
		{"validators", func(_ *testing.T, h *headers) { h.sets[49] = setOf(strangers) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHeaders(t, 60)
			c.forge(t, h)
			if _, err := newTestLight(t, h, "", 0).header(t.Context(), 50); !errors.Is(err, ErrProof) {
				t.Errorf("believed: %v", err)
			}
		})
	}
}

// TestLightHome goes on from the newest header of an earlier client, also when
// the genesis has become too old to be trusted.
func TestLightHome(t *testing.T) {
	h := newHeaders(t, 60)
	home := t.TempDir()
	first := newTestLight(t, h, home, 0)
	if _, err := first.header(t.Context(), 55); err != nil {
		t.Fatal(err)
	}
	if err := first.save(); err != nil {
		t.Fatal(err)
	}
	period := time.Since(wire.Time(h.genesis)) - 20*time.Second // header 55 is 54 s younger than the genesis
	if _, err := newTestLight(t, h, home, period).header(t.Context(), 60); err != nil {
		t.Errorf("from the header that was kept: %v", err)
	}
	if _, err := newTestLight(t, h, "", period).header(t.Context(), 60); !errors.Is(err, ErrProof) {
		t.Errorf("from a genesis that is too old: %v", err)
	}
}

// TestLightBounded forgets old headers and validators, never the root.
func TestLightBounded(t *testing.T) {
	h := newHeaders(t, 60)
	l := newTestLight(t, h, "", 0)
	for height := int64(1); height <= 60; height++ {
		for i := range int64(60) {
			header := *h.signed[height-1]
			copied := *header.Header
			copied.Height = height*100 + i
			header.Header = &copied
			l.keep(&header, h.sets[height-1])
		}
	}
	if len(l.headers) > maxHeaders || len(l.headers) != len(l.heights) || l.heights[0] != 0 || len(l.sets) > maxSets {
		t.Errorf("%d headers, %d heights, %d sets", len(l.headers), len(l.heights), len(l.sets))
	}
	if root, set := l.below(1); root.Height != 0 || set == nil {
		t.Error("the root is gone")
	}
}

func FuzzVerifyValue(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte("value"), []byte{0x0a, 0x02, 0x0a, 0x00})
	f.Add([]byte(nil), []byte{0x12, 0x05, 0x0a, 0x03, 'k', 'e', 'y'})
	f.Fuzz(func(t *testing.T, value, proof []byte) {
		root := make([]byte, 32)
		if err := verifyValue(root, []byte("key"), wire.Value{Value: value, Proof: proof}); !errors.Is(err, ErrProof) {
			t.Errorf("believed %x with proof %x: %v", value, proof, err)
		}
	})
}
