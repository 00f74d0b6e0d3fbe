package chain

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/types"
)

// names of the delegates that sit, by the name that each registered with.
func (w *world) seated(set []seat) []string {
	var names []string
	for _, s := range set {
		d, ok := w.Delegate(s.Address)
		if !ok {
			w.t.Fatalf("%s sits but is no delegate", s.Address)
		}
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return names
}

func (w *world) vote(who string, names ...string) {
	w.t.Helper()
	w.do(who, Body{Vote: &Vote{sorted(names...)}})
}

// toTally goes on to the end of this round's tally, and returns its updates.
// A tally always comes after this call's first block.
func (w *world) toTally() []ValidatorUpdate {
	w.t.Helper()
	round := w.Params().RoundBlocks
	var updates []ValidatorUpdate
	for {
		updates = append(updates, w.pass(1)...)
		if uint64(w.Height())%round == round-1 {
			return updates
		}
	}
}

func (w *world) wantSet(when string, set []seat, names ...string) {
	w.t.Helper()
	slices.Sort(names)
	if diff := cmp.Diff(names, w.seated(set)); diff != "" {
		w.t.Fatalf("%s: %s", when, diff)
	}
}

// A genesis of five delegates for four seats is refused, so the fifth registers.
func newElection(t *testing.T) *world {
	w := newWorld(t)
	w.do("carol", Body{Register: register(w, "carol", "carol")})
	return w
}

// The elected set is in force with the first block of the next round: EndBlock
// tells the engine two blocks before (4.4).
func TestElectionTakesForceInTheNextRound(t *testing.T) {
	w := newElection(t) // height 1 of a round of 5
	w.vote("alice", "carol", "d1")
	updates := w.pass(1)
	if w.Height() != 3 || len(updates) != 0 {
		t.Fatalf("height %d: %v", w.Height(), updates)
	}
	updates = w.pass(1)
	if w.Height() != 4 || len(updates) != 4 || !hasUpdate(updates, "carol", 1) ||
		!hasUpdate(updates, "d0", 0) || !hasUpdate(updates, "d2", 0) || !hasUpdate(updates, "d3", 0) {
		t.Fatalf("height %d: %v", w.Height(), updates)
	}
	w.wantSet("told", w.head.Next, "carol", "d1")
	w.wantSet("still in force", w.head.Set, fourDelegates...)
	w.reload()
	w.pass(1)
	w.wantSet("last block of the round", w.head.Set, fourDelegates...)
	w.begin(1)
	w.wantSet("first block of the next", w.head.Set, "carol", "d1")
	w.end()
	if updates := w.toTally(); len(updates) != 0 {
		t.Errorf("the same votes change the set: %v", updates)
	}
}

func TestShortestRound(t *testing.T) {
	w := newWorld(t, func(g *Genesis) { g.Params.RoundBlocks = 2 })
	w.begin(1)
	w.vote("alice", "d2")
	if updates := w.end(); len(updates) != 3 {
		t.Fatalf("height 1: %v", updates)
	}
	w.pass(1)
	w.wantSet("height 2", w.head.Set, fourDelegates...)
	w.pass(1)
	w.wantSet("height 3", w.head.Set, "d2")
}

// A voter's weight is the lower of its balances at this and the former tally,
// split evenly over its votes; deposits do not vote (4.4).
func TestWeight(t *testing.T) {
	w := newElection(t)
	weight := func(name string) types.Amount {
		d, _ := w.Delegate(addr(name))
		return d.Weight
	}
	balance := func(name string) types.Amount { return w.Account(addr(name)).Balance }
	w.vote("alice", "d0", "d1", "d2")
	w.toTally()
	first := balance("alice")
	if got := weight("d0"); got != first/3 || got != weight("d1") || got != weight("d2") || weight("d3") != 0 {
		t.Fatalf("weights %d, %d, %d of %d", got, weight("d1"), weight("d2"), first)
	}

	// Money that came since the last tally does not count yet …
	w.do("bob", Body{Transfer: &Transfer{To: addr("alice"), Amount: 300 * types.XEN}})
	w.toTally()
	if got := weight("d0"); got != first/3 {
		t.Errorf("new money votes at once: %d, want %d", got, first/3)
	}
	// … and counts from the next one.
	w.toTally()
	if got, want := weight("d0"), balance("alice")/3; got != want {
		t.Errorf("weight %d, want %d", got, want)
	}

	// Money that leaves and comes back between tallies: the balance at both counts.
	w.do("alice", Body{Transfer: &Transfer{To: addr("bob"), Amount: 500 * types.XEN}})
	w.do("bob", Body{Transfer: &Transfer{To: addr("alice"), Amount: 500 * types.XEN}})
	w.toTally()
	if got, want := weight("d0"), balance("alice")/3; got != want {
		t.Errorf("weight %d, want %d", got, want)
	}

	// Money that leaves, also into a deposit, counts no more.
	w.do("alice", Body{Open: &Open{Payee: addr("bob"), Deposit: 200 * types.XEN, Expiry: w.Time() + 60}})
	w.toTally()
	if got, want := weight("d0"), balance("alice")/3; got != want {
		t.Errorf("weight %d, want %d", got, want)
	}

	// A new account votes with nothing at its first tally.
	w.do("alice", Body{Transfer: &Transfer{To: addr("new"), Amount: 90 * types.XEN}})
	w.vote("new", "d3")
	w.toTally()
	if got := weight("d3"); got != 0 {
		t.Errorf("a new account's weight is %d", got)
	}
	w.toTally()
	if got := weight("d3"); got != balance("new") {
		t.Errorf("weight %d, want %d", got, balance("new"))
	}

	// A vote replaces the one before; a vote for none takes it back.
	w.vote("new", "d2")
	w.vote("alice")
	w.toTally()
	if weight("d3") != 0 || weight("d0") != 0 || weight("d2") != balance("new") {
		t.Errorf("weights %d, %d, %d", weight("d3"), weight("d0"), weight("d2"))
	}
	if got := w.Votes(addr("new")); !slices.Equal(got, sorted("d2")) {
		t.Errorf("votes %v", got)
	}
}

// Seats are for the heaviest; a tie goes to the lower key (4.4).
func TestTopN(t *testing.T) {
	w := newElection(t)
	w.do("bob", Body{Register: register(w, "bob", "bob")})
	w.vote("alice", "d0", "d1", "d2", "d3") // equal weights
	w.vote("bob", "carol")
	w.toTally()
	tied := sorted(fourDelegates...)
	var want []string
	for _, a := range tied[:3] {
		d, _ := w.Delegate(a)
		want = append(want, d.Name)
	}
	w.wantSet("carol and the lower three", w.head.Next, append(want, "carol")...)
}

// Jailed, banned, resigned and voteless delegates are left out; if none
// remains, the former set stays (4.5).
func TestNeverAnEmptySet(t *testing.T) {
	w := newElection(t)
	if updates := w.toTally(); len(updates) != 0 {
		t.Fatalf("without votes: %v", updates)
	}
	w.wantSet("without votes", w.head.Next, fourDelegates...)
	w.vote("alice", "d0", "d1", "d2")
	w.toTally()
	w.wantSet("by votes", w.head.Next, "d0", "d1", "d2")
	w.do("d0", Body{Resign: &Resign{}})
	w.begin(1, convict("d1"))
	w.end()
	w.toTally()
	w.wantSet("without d0 and d1", w.head.Next, "d2")
	w.do("d2", Body{Resign: &Resign{}})
	if updates := w.toTally(); len(updates) != 0 {
		t.Fatalf("when all have gone: %v", updates)
	}
	w.wantSet("when all have gone", w.head.Next, "d2")
	w.pass(30)
	if d, _ := w.Delegate(addr("d2")); d.BondReturns != 0 || d.Bond == 0 {
		t.Errorf("it sits on and its bond returns: %+v", d)
	}
	w.vote("bob", "carol")
	w.toTally()
	w.wantSet("when there is one again", w.head.Next, "carol")
}

// The changes that the engine is told lead from each set to the next: no unknown
// key is removed, none is added twice, and the set is never empty.
func TestUpdatesFollowEachOther(t *testing.T) {
	w := newElection(t)
	told := make(map[string]bool)
	for _, u := range w.Validators() {
		told[string(u.ConsensusKey)] = true
	}
	turns := [][]string{{"d0"}, {"carol", "d1"}, {}, {"d0", "d1", "d2", "carol"}, {"d3"}, {"d3"}, {"carol"}}
	for i, names := range turns {
		w.vote("alice", names...)
		if i == 3 {
			w.begin(1, convict("d1"))
			w.end()
		}
		for _, u := range w.toTally() {
			switch key := string(u.ConsensusKey); {
			case u.Power == 0 && !told[key]:
				t.Fatalf("turn %d removes an unknown key", i)
			case u.Power != 0 && (told[key] || u.Power != 1):
				t.Fatalf("turn %d adds a known key, or with power %d", i, u.Power)
			default:
				told[key] = u.Power > 0
			}
		}
		seats := 0
		for _, in := range told {
			if in {
				seats++
			}
		}
		if seats == 0 || seats != len(w.head.Next) {
			t.Fatalf("turn %d: the engine has %d, the state %d", i, seats, len(w.head.Next))
		}
	}
}
