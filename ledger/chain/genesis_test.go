package chain

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zennet/zennet/ledger/types"
)

func TestPresets(t *testing.T) {
	for name, p := range map[string]Params{"default": DefaultParams(), "dev": DevParams()} {
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParamsValidate(t *testing.T) {
	for name, change := range map[string]func(*Params){
		"no margin":                  func(p *Params) { p.MarginSeconds = 0 },
		"negative channel life":      func(p *Params) { p.MaxChannelSeconds = -1 },
		"endless channel life":       func(p *Params) { p.MaxChannelSeconds = math.MaxInt64 },
		"no time for receipts":       func(p *Params) { p.ReceiptSeconds = 0 },
		"no life of receipts":        func(p *Params) { p.MaxReceiptSeconds = 0 },
		"no unbonding":               func(p *Params) { p.UnbondSeconds = 0 },
		"trust as long as evidence":  func(p *Params) { p.TrustSeconds = p.EvidenceSeconds },
		"evidence beyond the bond":   func(p *Params) { p.EvidenceSeconds = p.UnbondSeconds + 1 },
		"no trust":                   func(p *Params) { p.TrustSeconds = 0 },
		"no blocks":                  func(p *Params) { p.BlockSeconds = 0 },
		"no delegates":               func(p *Params) { p.Delegates = 0 },
		"too many delegates":         func(p *Params) { p.Delegates = 1001 },
		"rounds of one block":        func(p *Params) { p.RoundBlocks = 1 },
		"endless rounds":             func(p *Params) { p.RoundBlocks = math.MaxUint64 },
		"jailed for nothing":         func(p *Params) { p.JailMissed = 0 },
		"jailed for no time":         func(p *Params) { p.JailRounds = 0 },
		"jailed for ever":            func(p *Params) { p.JailRounds = math.MaxUint64 },
		"refund without a look back": func(p *Params) { p.RefundDepth = 0 },
		"endless look back":          func(p *Params) { p.RefundDepth = math.MaxUint32 },
		"no announcements":           func(p *Params) { p.MaxAnnouncements = 0 },
		"no bytes to announce":       func(p *Params) { p.MaxAnnouncement = 0 },
		"books to announce":          func(p *Params) { p.MaxAnnouncement = MaxTxBytes },
		"no life of announcements":   func(p *Params) { p.MaxAnnouncementSeconds = 0 },
		"small blocks":               func(p *Params) { p.BlockBytes = MaxTxBytes },
		"vast blocks":                func(p *Params) { p.BlockBytes = 1 << 40 },
		"no bond":                    func(p *Params) { p.Bond = 0 },
		"bond beyond all":            func(p *Params) { p.Bond = math.MaxUint64 },
		"minimum beyond all":         func(p *Params) { p.MinBalance = math.MaxUint64 },
		"fee beyond all":             func(p *Params) { p.FeeByte = math.MaxUint64 },
		"share above all":            func(p *Params) { p.Shares = []Share{{0, 101}} },
		"shares begin late":          func(p *Params) { p.Shares = []Share{{1, 10}} },
		"shares out of order":        func(p *Params) { p.Shares = []Share{{0, 10}, {9, 20}, {9, 30}} },
	} {
		p := DefaultParams()
		change(&p)
		if err := p.Validate(); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGenesisValidate(t *testing.T) {
	for name, change := range map[string]func(*Genesis){
		"bad params":                 func(g *Genesis) { g.Params.Bond = 0 },
		"negative time":              func(g *Genesis) { g.Time = -1 },
		"time at the end":            func(g *Genesis) { g.Time = math.MaxInt64 },
		"account twice":              func(g *Genesis) { g.Accounts = append(g.Accounts, g.Accounts[0]) },
		"account of nobody":          func(g *Genesis) { g.Accounts[0].Address = types.Address{} },
		"supply beyond 63 bits":      func(g *Genesis) { g.Accounts[0].Amount = math.MaxInt64 },
		"supply overflows":           func(g *Genesis) { g.Accounts[0].Amount = math.MaxUint64 },
		"no delegates":               func(g *Genesis) { g.Delegates = nil },
		"too many delegates":         func(g *Genesis) { g.Params.Delegates = 3 },
		"delegate twice":             func(g *Genesis) { g.Delegates[1].Address = g.Delegates[0].Address },
		"consensus key twice":        func(g *Genesis) { g.Delegates[1].ConsensusKey = g.Delegates[0].ConsensusKey },
		"short consensus key":        func(g *Genesis) { g.Delegates[0].ConsensusKey = []byte{1} },
		"delegate without a bond":    func(g *Genesis) { g.Accounts[3].Amount = g.Params.Bond - 1 },
		"delegate without money":     func(g *Genesis) { g.Delegates[0].Address = addr("nobody") },
		"name of a delegate no text": func(g *Genesis) { g.Delegates[0].Name = "a\nb" },
		"name too long":              func(g *Genesis) { g.Delegates[0].Name = strings.Repeat("a", 33) },
	} {
		g := testGenesis()
		change(&g)
		if err := g.Validate(); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Init(NewMemKV(), g); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s begins a ledger: %v", name, err)
		}
	}
}

// Every part of the genesis is part of the ledger's id (4.2), and survives JSON.
func TestLedgerID(t *testing.T) {
	g := testGenesis()
	seen := map[types.Hash]string{g.LedgerID(): "as it is"}
	for name, change := range map[string]func(*Genesis){
		"params": func(g *Genesis) { g.Params.FeeBase++ }, "time": func(g *Genesis) { g.Time++ },
		"random": func(g *Genesis) { g.Random[31]++ }, "accounts": func(g *Genesis) { g.Accounts[0].Amount++ },
		"delegates": func(g *Genesis) { g.Delegates[0].Name = "x" },
	} {
		g := testGenesis()
		change(&g)
		if other, same := seen[g.LedgerID()]; same {
			t.Errorf("%s and %s: one ledger", name, other)
		}
		seen[g.LedgerID()] = name
	}
	text, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var back Genesis
	if err := json.Unmarshal(text, &back); err != nil || back.LedgerID() != g.LedgerID() {
		t.Errorf("%v: %s", err, cmp.Diff(g, back))
	}
}

func TestInit(t *testing.T) {
	w := newWorld(t)
	bonds := 4 * w.Params().Bond
	want := Supply{Balances: 3040*types.XEN - bonds, Bonds: bonds, Genesis: 3040 * types.XEN}
	if got := w.Supply(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := w.Account(addr("d0")).Balance; got != 10*types.XEN-w.Params().Bond {
		t.Errorf("d0 has %d", got)
	}
	if w.Height() != 0 || w.Time() != startTime || w.Ledger() != w.genesis.LedgerID() {
		t.Errorf("height %d, time %d, ledger %s", w.Height(), w.Time(), w.Ledger())
	}
	if got := w.Validators(); len(got) != 4 || !hasUpdate(got, "d0", 1) {
		t.Errorf("validators %v", got)
	}
	before, last := w.head, w.last
	w.reload()
	if w.last != last {
		t.Errorf("%+v, was %+v", w.last, last)
	}
	if diff := cmp.Diff(before, w.head, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, damage := range map[string]func(KV){
		"empty":          func(kv KV) { *kv.(*memKV) = *NewMemKV().(*memKV) },
		"no genesis":     func(kv KV) { kv.Delete(key(prefixGenesis)) },
		"no head":        func(kv KV) { kv.Delete(key(prefixHead)) },
		"no clock":       func(kv KV) { kv.Delete(key(prefixClock)) },
		"broken genesis": func(kv KV) { kv.Set(key(prefixGenesis), []byte("x")) },
		"broken head":    func(kv KV) { kv.Set(key(prefixHead), []byte{0xa0}) },
		"bad params":     func(kv KV) { kv.Set(key(prefixGenesis), types.Encode(genesisRecord{})) },
	} {
		w := newWorld(t)
		damage(w.kv)
		if _, err := Load(w.kv); !errors.Is(err, ErrStore) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
