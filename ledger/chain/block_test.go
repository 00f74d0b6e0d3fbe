package chain

import (
	"errors"
	"testing"

	"github.com/zennet/zennet/ledger/types"
)

func (w *world) delegate(name string) Delegate {
	w.t.Helper()
	d, ok := w.Delegate(addr(name))
	if !ok {
		w.t.Fatalf("%s is no delegate", name)
	}
	return d
}

// A delegate that misses too many of its blocks is jailed, and comes back by its
// own transaction after J rounds (4.5).
func TestJail(t *testing.T) {
	w := newWorld(t) // JailMissed 3, JailRounds 2, rounds of 5 blocks
	w.vote("alice", fourDelegates...)
	w.begin(1, absent("d1"))
	w.end()
	if d := w.delegate("d1"); d.Missed != 1 || d.Jailed {
		t.Fatalf("%+v after one", d)
	}
	w.pass(3) // height 5: the last of round 0
	w.pass(2, absent("d1"))
	if d := w.delegate("d1"); d.Missed != 2 || d.Jailed {
		t.Fatalf("%+v: the count of the former round goes on", d)
	}
	w.pass(1, absent("d1"))
	if d := w.delegate("d1"); !d.Jailed || d.JailedUntil != 3 || d.Bond == 0 {
		t.Fatalf("%+v after three in round 1", d)
	}
	w.toTally()
	w.wantSet("without the jailed one", w.head.Next, "d0", "d2", "d3")
	for w.round() < 3 {
		tx := w.tx("d1", Body{Unjail: &Unjail{}})
		if err := w.Validate(&tx); !errors.Is(err, ErrTime) {
			t.Fatalf("round %d: %v", w.round(), err)
		}
		w.pass(1)
	}
	w.do("d1", Body{Unjail: &Unjail{}})
	w.toTally()
	w.wantSet("with it again", w.head.Next, fourDelegates...)
}

// At most ⌊(n−1)/3⌋ serve a term at once; who has served makes room (4.5).
func TestJailIsSmall(t *testing.T) {
	w := newWorld(t)
	w.vote("alice", fourDelegates...)
	w.pass(3, absent("d1", "d2"))
	if w.delegate("d1").Jailed == w.delegate("d2").Jailed {
		t.Fatalf("of four one may be jailed: %t, %t", w.delegate("d1").Jailed, w.delegate("d2").Jailed)
	}
	w.pass(4) // round 1: three are left, so none may be jailed
	w.begin(1)
	w.end()
	w.pass(5, absent("d2"))
	if w.delegate("d2").Jailed {
		t.Error("two of four are jailed")
	}
	one := newWorld(t, func(g *Genesis) { g.Delegates = g.Delegates[:1] })
	one.pass(20, absent("d0"))
	if one.delegate("d0").Jailed {
		t.Error("the only one is jailed")
	}
	seven := newWorld(t, func(g *Genesis) {
		g.Params.Delegates = 7
		for _, name := range []string{"e0", "e1", "e2"} {
			g.Accounts = append(g.Accounts, GenesisAccount{addr(name), 10 * types.XEN})
			g.Delegates = append(g.Delegates, GenesisDelegate{addr(name), consensusPub(name), name})
		}
	})
	seven.pass(4, absent("d1", "d2", "d3", "e0"))
	jailed := 0
	for _, d := range seven.Delegates() {
		if d.Jailed {
			jailed++
		}
	}
	if jailed != 2 {
		t.Errorf("%d of seven are jailed", jailed)
	}
}

// A term that is served makes room in its last round, not before.
func TestJailMakesRoom(t *testing.T) {
	for rounds, want := range map[uint64]bool{1: true, 2: false} {
		w := newWorld(t, func(g *Genesis) { g.Params.JailRounds = rounds })
		w.pass(5, absent("d1")) // round 0; without votes the set stays
		w.pass(5, absent("d2")) // round 1
		if d1, d2 := w.delegate("d1"), w.delegate("d2"); !d1.Jailed || d2.Jailed != want {
			t.Errorf("terms of %d: in round 1 %+v and %+v", rounds, d1, d2)
		}
	}
}

func TestMissesOfOthersDoNotCount(t *testing.T) {
	w := newWorld(t)
	w.do("carol", Body{Register: register(w, "carol", "carol")})
	w.pass(4, absent("carol", "stranger"))
	if d := w.delegate("carol"); d.Missed != 0 || d.Jailed {
		t.Errorf("it does not sit: %+v", d)
	}
	w.begin(1, func(info *BlockInfo) { info.Missed = [][]byte{nil, {1}, make([]byte, 20), make([]byte, 32)} })
	w.end()
}

// Double signing burns the bond and bans for ever (4.5).
func TestBan(t *testing.T) {
	w := newWorld(t)
	w.vote("alice", fourDelegates...)
	burned, bonds := w.Supply().Burned, w.Supply().Bonds
	bond := w.Params().Bond
	w.pass(1, convict("d1", "d1", "stranger"))
	w.pass(1, convict("d1"))
	if s := w.Supply(); s.Burned != burned+bond || s.Bonds != bonds-bond {
		t.Errorf("%+v: burned %d and bonds %d before", s, burned, bonds)
	}
	if d := w.delegate("d1"); !d.Banned || d.Bond != 0 {
		t.Errorf("%+v", d)
	}
	w.toTally()
	w.wantSet("without the banned one", w.head.Next, "d0", "d2", "d3")
	w.pass(20, absent("d1"))
	if d := w.delegate("d1"); d.Jailed || d.BondReturns != 0 {
		t.Errorf("%+v", d)
	}
	tx := w.tx("d1", Body{Register: register(w, "d1", "new key")})
	if err := w.Validate(&tx); !errors.Is(err, ErrDelegate) {
		t.Errorf("it registers again: %v", err)
	}
}

// The bond returns U after its delegate last sat (4.5), and evidence until then
// still takes it.
func TestBond(t *testing.T) {
	for name, c := range map[string]struct {
		banned bool
	}{"returns": {false}, "is burned": {true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.vote("alice", "d0", "d2", "d3")
			w.do("d1", Body{Resign: &Resign{}})
			before := w.Account(addr("d1")).Balance
			if d := w.delegate("d1"); !d.Resigned || d.BondReturns != 0 {
				t.Fatalf("while it sits: %+v", d)
			}
			w.toTally()
			w.pass(1)
			if d := w.delegate("d1"); d.BondReturns != 0 {
				t.Fatalf("before it leaves: %+v", d)
			}
			w.pass(1)
			left := w.Time()
			if d := w.delegate("d1"); d.LastSat != left || d.BondReturns != left+w.Params().UnbondSeconds {
				t.Fatalf("after it left at %d: %+v", left, d)
			}
			w.begin(w.Params().UnbondSeconds - 1)
			w.end()
			if d := w.delegate("d1"); d.Bond != w.Params().Bond {
				t.Fatalf("a second before U: %+v", d)
			}
			if c.banned {
				w.begin(0, convict("d1"))
				w.end()
			}
			w.reload()
			w.pass(2)
			got := w.Account(addr("d1")).Balance - before
			_, registered := w.Delegate(addr("d1"))
			if c.banned && (got != 0 || !registered) || !c.banned && (got != w.Params().Bond || registered) {
				t.Errorf("%d came back, registered %t", got, registered)
			}
			if s := w.Supply(); s.Bonds != 3*w.Params().Bond {
				t.Errorf("bonds are %d", s.Bonds)
			}
		})
	}
}

// Who resigns after it has left the set waits for U from then on, not longer.
func TestBondOfOneThatLeftBefore(t *testing.T) {
	w := newWorld(t)
	w.vote("alice", "d0", "d2", "d3")
	w.toTally()
	w.pass(2)
	left := w.delegate("d1").LastSat
	w.begin(1000)
	w.end()
	w.do("d1", Body{Resign: &Resign{}})
	if d := w.delegate("d1"); d.BondReturns != left+w.Params().UnbondSeconds {
		t.Errorf("%+v, left at %d", d, left)
	}
}

// Who resigns between a tally and the next round still sits, or will: its bond
// waits until it has left.
func TestBondAcrossATally(t *testing.T) {
	w := newWorld(t)
	w.do("carol", Body{Register: register(w, "carol", "carol")})
	w.vote("alice", "carol", "d0")
	w.toTally() // d1 leaves, carol comes, with the next round
	w.do("d1", Body{Resign: &Resign{}})
	if d := w.delegate("d1"); d.BondReturns != 0 {
		t.Errorf("it still sits: %+v", d)
	}
	w.begin(1)
	w.end()
	if d := w.delegate("d1"); d.LastSat != w.Time() || d.BondReturns != w.Time()+w.Params().UnbondSeconds {
		t.Errorf("it has left at %d: %+v", w.Time(), d)
	}

	w = newWorld(t)
	w.do("carol", Body{Register: register(w, "carol", "carol")})
	w.vote("alice", "carol", "d0")
	w.toTally()
	w.do("carol", Body{Resign: &Resign{}})
	if d := w.delegate("carol"); d.BondReturns != 0 {
		t.Errorf("it will sit: %+v", d)
	}
	w.toTally()
	w.pass(2)
	if d := w.delegate("carol"); d.BondReturns != w.Time()+w.Params().UnbondSeconds {
		t.Errorf("it has sat until %d: %+v", w.Time(), d)
	}
}

// An old consensus key convicts nobody after its delegate has come back with another.
func TestEvidenceIsForOneKey(t *testing.T) {
	w := newWorld(t)
	w.do("carol", Body{Register: register(w, "carol", "old")})
	w.do("carol", Body{Resign: &Resign{}})
	w.pass(2)
	w.do("carol", Body{Register: register(w, "carol", "new")})
	w.pass(1, convict("old"))
	if w.delegate("carol").Banned {
		t.Error("banned for its old key")
	}
	w.pass(1, convict("new"))
	if !w.delegate("carol").Banned {
		t.Error("not banned for its key")
	}
}

func TestBlocksFollowEachOther(t *testing.T) {
	for name, wrong := range map[string]func(w *world){
		"height left out":  func(w *world) { w.BeginBlock(BlockInfo{Height: 3, Time: w.Time()}) },
		"height again":     func(w *world) { w.BeginBlock(BlockInfo{Height: 1, Time: w.Time()}) },
		"begun twice":      func(w *world) { w.begin(1); w.BeginBlock(BlockInfo{Height: 3, Time: w.Time()}) },
		"ended without it": func(w *world) { w.EndBlock() },
	} {
		w := newWorld(t)
		w.pass(1)
		wrong(w)
		if err := w.Err(); !errors.Is(err, ErrInvariant) {
			t.Errorf("%s: %v", name, err)
		}
		tx := w.tx("alice", Body{Vote: &Vote{}})
		if r := w.Apply(&tx); r.Code != CodeRejected {
			t.Errorf("%s: goes on: %+v", name, r)
		}
	}
	w := newWorld(t)
	w.begin(-500)
	if w.Time() != startTime {
		t.Errorf("time falls to %d", w.Time())
	}
	w.end()
}

// An empty block changes only what the headers say, so that an idle ledger's
// authenticated tree rests.
func TestEmptyBlockChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.pass(5)
	before := dump(w.kv)
	w.pass(30) // rounds and tallies, too
	for k, v := range dump(w.kv) {
		if before[k] != v && !FromHeaders([]byte(k)) {
			t.Errorf("%q becomes %x", k, v)
		}
		delete(before, k)
	}
	for k := range before {
		if !FromHeaders([]byte(k)) {
			t.Errorf("%q is gone", k)
		}
	}
	if FromHeaders(nil) || FromHeaders(AccountKey(addr("alice"))) {
		t.Error("an account is said to follow from the headers")
	}
}

// The state keeps as many header times as REFUND looks back, and no more.
func TestHeadersArePruned(t *testing.T) {
	w := newWorld(t)
	w.pass(20)
	kept := 0
	w.kv.Iterate([]byte{prefixHeader}, func(_, _ []byte) bool { kept++; return true })
	if depth := int(w.Params().RefundDepth); kept != depth+1 {
		t.Errorf("%d header times for a depth of %d", kept, depth)
	}
}
