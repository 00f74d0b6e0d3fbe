package chain

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/zennet/zennet/ledger/channel"
	"github.com/zennet/zennet/ledger/types"
)

// world is a ledger with people in it, for tests. Every helper runs Check.
type world struct {
	t  fataler
	kv KV
	*State
	genesis Genesis
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newKey(name string) types.PrivateKey {
	secret := sha256.Sum256([]byte("zennet test key " + name))
	key, err := types.KeyFromBytes(secret[:])
	if err != nil {
		panic(err)
	}
	return key
}

func addr(name string) types.Address { return newKey(name).Address() }

func consensus(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("zennet test consensus key " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func consensusPub(name string) []byte { return consensus(name).Public().(ed25519.PublicKey) }

func validatorOf(name string) []byte { return ConsensusAddress(consensusPub(name)) }

const startTime = 1_000_000

// fourDelegates are those of the test genesis; d0 produces the blocks.
var fourDelegates = []string{"d0", "d1", "d2", "d3"}

func testGenesis() Genesis {
	p := DevParams()
	p.RefundDepth, p.RoundBlocks, p.JailMissed = 3, 5, 3
	p.MaxAnnouncements = 3
	g := Genesis{Params: p, Time: startTime, Random: types.Hash{1}}
	for _, name := range []string{"alice", "bob", "carol"} {
		g.Accounts = append(g.Accounts, GenesisAccount{addr(name), 1000 * types.XEN})
	}
	for _, name := range fourDelegates {
		g.Accounts = append(g.Accounts, GenesisAccount{addr(name), 10 * types.XEN})
		g.Delegates = append(g.Delegates, GenesisDelegate{addr(name), consensusPub(name), name})
	}
	return g
}

func newWorld(t fataler, change ...func(*Genesis)) *world {
	t.Helper()
	g := testGenesis()
	for _, c := range change {
		c(&g)
	}
	kv := NewMemKV()
	s, err := Init(kv, g)
	if err != nil {
		t.Fatalf("genesis: %v", err)
	}
	w := &world{t, kv, s, g}
	w.check()
	return w
}

func (w *world) check() {
	w.t.Helper()
	if err := w.Check(); err != nil {
		w.t.Fatalf("after height %d: %v", w.Height(), err)
	}
}

// begin starts the next block, some seconds after the last one.
func (w *world) begin(seconds int64, change ...func(*BlockInfo)) {
	w.t.Helper()
	info := BlockInfo{Height: w.Height() + 1, Time: w.Time() + seconds, Proposer: validatorOf("d0")}
	for _, c := range change {
		c(&info)
	}
	w.BeginBlock(info)
	w.check()
}

func (w *world) end() []ValidatorUpdate {
	w.t.Helper()
	updates := w.EndBlock()
	w.check()
	return updates
}

// pass makes empty blocks, a second apart, and returns all their updates.
func (w *world) pass(blocks int, change ...func(*BlockInfo)) []ValidatorUpdate {
	w.t.Helper()
	var updates []ValidatorUpdate
	for range blocks {
		w.begin(1, change...)
		updates = append(updates, w.end()...)
	}
	return updates
}

// body fills in who, nonce and the exact fee.
func (w *world) body(who string, b Body) Body {
	b.From = addr(who)
	if r, err := ruleOf(&b); err == nil && !r.free {
		b.Nonce = w.Account(b.From).Nonce
		b.Fee = FeeOf(w.Params(), b, w.Time())
	}
	return b
}

func (w *world) tx(who string, b Body) Tx {
	return w.body(who, b).Sign(newKey(who), w.Ledger())
}

// do applies a transaction that must succeed, inside a block or in one of its own.
func (w *world) do(who string, b Body) Result {
	w.t.Helper()
	if w.block == nil {
		w.begin(1)
		defer w.end()
	}
	tx := w.tx(who, b)
	if err := w.Validate(&tx); err != nil {
		w.t.Fatalf("%s by %s: %v", b.Kind(), who, err)
	}
	r := w.Apply(&tx)
	if r.Code != CodeOK || r.Log != "" {
		w.t.Fatalf("%s by %s: %+v", b.Kind(), who, r)
	}
	w.check()
	return r
}

// open makes a channel of 100 XEN from alice to bob that ends in an hour.
func (w *world) open() Channel {
	w.t.Helper()
	id := ChannelID(w.Ledger(), addr("alice"), w.Account(addr("alice")).Nonce)
	w.do("alice", Body{Open: &Open{Payee: addr("bob"), Contract: types.Hash{7}, Deposit: 100 * types.XEN, Expiry: w.Time() + 3600}})
	c, ok := w.Channel(id)
	if !ok {
		w.t.Fatalf("no channel %s", id)
	}
	return c
}

func (w *world) voucher(c Channel, amount types.Amount) *channel.Voucher {
	v := channel.Voucher{Channel: c.ID, Seq: 1, Amount: amount}.Sign(newKey("alice"), w.Ledger())
	return &v
}

// register makes a delegate of a person.
func register(w *world, who, key string) *Register {
	return &Register{ConsensusKey: consensusPub(key), Name: who,
		ConsensusSig: ed25519.Sign(consensus(key), RegisterMessage(w.Ledger(), addr(who)))}
}

func sorted(names ...string) []types.Address {
	var all []types.Address
	for _, n := range names {
		all = append(all, addr(n))
	}
	slices.SortFunc(all, types.Address.Compare)
	return all
}

// dump is a copy of the whole store.
func dump(kv KV) map[string]string {
	all := make(map[string]string)
	kv.Iterate(nil, func(key, value []byte) bool {
		all[string(key)] = string(value)
		return true
	})
	return all
}

// reload reads the state again from the store, as a restarted node does.
func (w *world) reload() {
	w.t.Helper()
	s, err := Load(w.kv)
	if err != nil {
		w.t.Fatalf("reload: %v", err)
	}
	w.State = s
	w.check()
}

func hasUpdate(updates []ValidatorUpdate, name string, power int64) bool {
	return slices.ContainsFunc(updates, func(u ValidatorUpdate) bool {
		return bytes.Equal(u.ConsensusKey, consensusPub(name)) && u.Power == power
	})
}

var _ fataler = (*testing.T)(nil)
