package chain

import (
	"bytes"
	"fmt"

	"github.com/zennet/zennet/ledger/types"
)

// Verifier checks one BIP-340 signature, as types.Verify does.
type Verifier func(by types.Address, kind string, ledger types.Hash, body []byte, sig types.Signature) error

// State is the ledger's state after some block, over a KV, and inside a block
// from BeginBlock to EndBlock. One goroutine uses it at a time.
type State struct {
	kv      KV
	genesis genesisRecord
	last    clock
	head    head
	block   *block   // nil between blocks
	verify  Verifier // of signatures
	err     error    // the first sign of a damaged store
}

// genesisRecord is what the store keeps of the genesis.
type genesisRecord struct {
	Ledger types.Hash `cbor:"1,keyasint"`
	Params Params     `cbor:"2,keyasint"`
}

// clock is the header of the last block, as far as the state needs it.
type clock struct {
	Height int64 `cbor:"1,keyasint"`
	Time   int64 `cbor:"2,keyasint"` // Unix seconds
}

// head is what there is one of; EndBlock stores it where it has changed.
type head struct {
	Supply Supply `cbor:"1,keyasint"`
	Set    []seat `cbor:"2,keyasint"` // in force
	Next   []seat `cbor:"3,keyasint"` // in force from the next round, as the engine was told
	Jails  []jail `cbor:"4,keyasint"` // terms that are not served yet
}

// block is what is known of the block that is being made.
type block struct {
	height   int64
	time     int64
	producer types.Address // zero where it is no delegate
}

// Supply tells where all money is. Balances + Deposits + PrepaidFees + Bonds =
// Genesis − Burned after every transaction (PROTOCOL.md 4.9).
type Supply struct {
	Balances    types.Amount `cbor:"1,keyasint" json:"balances"`
	Deposits    types.Amount `cbor:"2,keyasint" json:"deposits"`
	PrepaidFees types.Amount `cbor:"3,keyasint" json:"prepaid_fees"`
	Bonds       types.Amount `cbor:"4,keyasint" json:"bonds"`
	Burned      types.Amount `cbor:"5,keyasint" json:"burned"`
	Genesis     types.Amount `cbor:"6,keyasint" json:"genesis"`
}

// Init writes the genesis into an empty store and returns the state at height 0.
func Init(kv KV, g Genesis) (*State, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	s := &State{kv: kv, genesis: genesisRecord{g.LedgerID(), g.Params}, verify: types.Verify}
	s.last.Time = g.Time
	for _, a := range g.Accounts {
		s.put(AccountKey(a.Address), Account{Balance: a.Amount})
		s.head.Supply.Genesis += a.Amount
	}
	s.head.Supply.Balances = s.head.Supply.Genesis
	for _, d := range g.Delegates {
		s.enroll(d.Address, d.ConsensusKey, d.Name)
		s.head.Set = append(s.head.Set, seat{d.Address, d.ConsensusKey})
	}
	s.head.Next = s.head.Set
	s.put(key(prefixGenesis), s.genesis)
	s.put(headerKey(0), g.Time)
	s.store()
	return s, s.err
}

// Load reads the state of a store that Init made, between blocks. A damaged
// one is ErrStore.
func Load(kv KV) (*State, error) {
	s := &State{kv: kv, verify: types.Verify}
	var ok bool
	if s.genesis, ok = get[genesisRecord](s, key(prefixGenesis)); !ok {
		return nil, s.orMissing("genesis")
	}
	if s.head, ok = get[head](s, key(prefixHead)); !ok {
		return nil, s.orMissing("head")
	}
	if s.last, ok = get[clock](s, key(prefixClock)); !ok {
		return nil, s.orMissing("clock")
	}
	if err := s.genesis.Params.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	return s, nil
}

// store writes what the state keeps in memory inside a block.
func (s *State) store() {
	s.put(key(prefixClock), s.last)
	if value := types.Encode(s.head); !bytes.Equal(value, s.kv.Get(key(prefixHead))) {
		s.kv.Set(key(prefixHead), value)
	}
}

func (s *State) orMissing(what string) error {
	if s.err == nil {
		s.fail(fmt.Errorf("%w: no %s", ErrStore, what))
	}
	return s.err
}

// SetVerifier replaces the check of signatures, so that a node can verify each
// one once and in parallel. It must give what types.Verify gives.
func (s *State) SetVerifier(v Verifier) { s.verify = v }

// Err is the first sign of a damaged store or of a broken invariant; a node
// must stop at one, for its state is no longer that of its peers.
func (s *State) Err() error { return s.err }

func (s *State) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Ledger is the ledger's id.
func (s *State) Ledger() types.Hash { return s.genesis.Ledger }

// Params are the ledger's.
func (s *State) Params() Params { return s.genesis.Params }

// Height is that of the last block, or of the one being made.
func (s *State) Height() int64 {
	if s.block != nil {
		return s.block.height
	}
	return s.last.Height
}

// Time is that block's header time in Unix seconds.
func (s *State) Time() int64 { return s.now() }

// Supply tells where all money is.
func (s *State) Supply() Supply { return s.head.Supply }

// Account returns an account, the zero value where there is none.
func (s *State) Account(a types.Address) Account {
	acc, _ := get[Account](s, AccountKey(a))
	return acc
}

// Channel returns an open channel.
func (s *State) Channel(id types.Hash) (Channel, bool) { return get[Channel](s, ChannelKey(id)) }

// Settlement returns what is left of a closed channel, until its receipt.
func (s *State) Settlement(id types.Hash) (Settlement, bool) {
	return get[Settlement](s, SettlementKey(id))
}

// Receipt returns the published receipt of a closed channel.
func (s *State) Receipt(id types.Hash) (ReceiptRecord, bool) {
	return get[ReceiptRecord](s, ReceiptKey(id))
}

// Announcement returns a live announcement.
func (s *State) Announcement(id types.Hash) (Announcement, bool) {
	return get[Announcement](s, AnnouncementKey(id))
}

// Announcements returns all live announcements, in order of their ids.
func (s *State) Announcements() []Announcement { return list[Announcement](s, prefixAnnouncement) }

// Delegate returns a registered delegate.
func (s *State) Delegate(a types.Address) (Delegate, bool) { return get[Delegate](s, DelegateKey(a)) }

// Delegates returns all delegates, also resigned and banned ones, by address.
func (s *State) Delegates() []Delegate { return list[Delegate](s, prefixDelegate) }

// Votes returns whom an account votes for.
func (s *State) Votes(a types.Address) []types.Address {
	b, _ := get[ballot](s, voteKey(a))
	return b.Delegates
}

// now is the time by which transactions are judged: the block's, or between
// blocks the last header's.
func (s *State) now() int64 {
	if s.block != nil {
		return s.block.time
	}
	return s.last.Time
}

// height is that of the block being made, or between blocks of the next one.
func (s *State) height() int64 {
	if s.block != nil {
		return s.block.height
	}
	return s.last.Height + 1
}

// get reads a record; a damaged one counts as absent and stops the node.
func get[T any](s *State, key []byte) (T, bool) {
	var zero T
	value := s.kv.Get(key)
	if value == nil {
		return zero, false
	}
	v, err := decode[T](value)
	if err != nil {
		s.fail(fmt.Errorf("at key %x: %w", key, err))
		return zero, false
	}
	return v, true
}

func list[T any](s *State, prefix byte) []T {
	var all []T
	s.kv.Iterate([]byte{prefix}, func(key, value []byte) bool {
		v, err := decode[T](value)
		if err != nil {
			s.fail(fmt.Errorf("at key %x: %w", key, err))
			return false
		}
		all = append(all, v)
		return true
	})
	return all
}

func (s *State) put(key []byte, record any) { s.kv.Set(key, types.Encode(record)) }
