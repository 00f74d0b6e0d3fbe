package chain

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zennet/zennet/ledger/types"
)

// pool collects encoded transactions and remembers their names.
type pool struct {
	w     *world
	txs   [][]byte
	names map[string]string
	nonce map[string]uint64
}

func newPool(w *world) *pool {
	return &pool{w: w, names: make(map[string]string), nonce: make(map[string]uint64)}
}

// add encodes a transaction with the next nonce of its signer and puts it last.
func (p *pool) add(name, who string, b Body) []byte {
	b = p.w.body(who, b)
	if r, _ := ruleOf(&b); !r.free {
		b.Nonce += p.nonce[who]
		p.nonce[who]++
	}
	data := EncodeTx(b.Sign(newKey(who), p.w.Ledger()))
	p.txs = append(p.txs, data)
	p.names[string(data)] = name
	return data
}

func (p *pool) named(txs [][]byte) []string {
	var all []string
	for _, data := range txs {
		all = append(all, p.names[string(data)])
	}
	return all
}

func (w *world) next() BlockInfo {
	return BlockInfo{Height: w.Height() + 1, Time: w.Time() + 1, Proposer: validatorOf("d0")}
}

func send(amount types.Amount) Body {
	return Body{Transfer: &Transfer{To: addr("carol"), Amount: amount}}
}

// CLOSE and REFUND first, then each sender's in order of nonces; what the block
// would reject is left out (4.6).
func TestSelectOrders(t *testing.T) {
	w := newWorld(t)
	first, second := w.open(), w.open()
	w.begin(second.Expiry - w.Time())
	w.end()
	w.pass(2)
	p := newPool(w)
	p.add("alice 0", "alice", send(1))
	p.add("alice 1", "alice", send(2))
	p.add("bob 0", "bob", Body{Open: &Open{Payee: addr("alice"), Deposit: 5, Expiry: w.Time() + 60}})
	p.add("alice 2 fails", "alice", Body{Resign: &Resign{}})
	p.add("bob closes", "bob", Body{Close: &Close{Channel: first.ID, Claim: 5, Voucher: w.voucher(first, 5)}})
	p.add("bob closes again", "bob", Body{Close: &Close{Channel: first.ID, Claim: 4, Voucher: w.voucher(first, 5)}})
	p.add("alice refunds", "alice", Body{Refund: &Refund{Channel: second.ID}})
	p.add("carol closes what is not hers", "carol", Body{Close: &Close{Channel: first.ID}})
	p.nonce["bob"]++
	p.add("bob after a gap", "bob", send(3))
	p.add("poor", "nobody", Body{Vote: &Vote{}})
	slices.Reverse(p.txs) // gossip reorders
	p.txs = append(p.txs, []byte("no transaction"), nil, p.txs[0])

	before := dump(w.kv)
	chosen := w.Select(w.next(), p.txs, 1<<20)
	want := []string{"alice refunds", "bob closes again", "bob 0", "alice 0", "alice 1", "alice 2 fails"}
	if diff := cmp.Diff(want, p.named(chosen)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, dump(w.kv)); diff != "" || w.Err() != nil {
		t.Errorf("choosing changes the state: %v %s", w.Err(), diff)
	}
	if err := w.CheckProposal(w.next(), chosen); err != nil {
		t.Errorf("its own choice: %v", err)
	}
	w.BeginBlock(w.next())
	for i, data := range chosen {
		tx, err := DecodeTx(data)
		if r := w.Apply(&tx); err != nil || r.Code == CodeRejected {
			t.Errorf("transaction %d: %v, %+v", i, err, r)
		}
	}
	w.end()
}

// Half of the bytes are kept for channel transactions (4.6).
func TestSelectKeepsSpaceForChannels(t *testing.T) {
	w := newWorld(t)
	p := newPool(w)
	const count = 40
	size := 0
	for range count {
		size = len(p.add("other", "alice", send(1_000_000)))
	}
	opening := Body{Open: &Open{Payee: addr("alice"), Deposit: 1_000_000, Expiry: w.Time() + 60}}
	for range count {
		p.add("channel", "bob", opening)
	}
	room := int64(20 * (size + 3))
	chosen := w.Select(w.next(), p.txs, room)
	bytes, others := int64(0), int64(0)
	for _, data := range chosen {
		bytes += blockSize(data)
		if p.names[string(data)] == "other" {
			others += blockSize(data)
		}
	}
	if bytes > room || others > room/2 || others == 0 || bytes < room*3/4 {
		t.Errorf("%d bytes of %d are taken, %d of them by others", bytes, room, others)
	}
	if got := w.Select(w.next(), p.txs, 0); len(got) != 0 {
		t.Errorf("%d transactions in no space", len(got))
	}
	if got := w.Select(w.next(), p.txs, -1); len(got) != 0 {
		t.Errorf("%d transactions in less than no space", len(got))
	}
	if got := w.Select(w.next(), p.txs, 1<<40); len(got) != 2*count {
		t.Errorf("%d of %d with space for all", len(got), 2*count)
	}
}

func TestCheckProposalRefuses(t *testing.T) {
	w := newWorld(t, func(g *Genesis) { g.Params.BlockBytes = 4 * MaxTxBytes })
	c := w.open()
	p := newPool(w)
	closing := p.add("close", "bob", Body{Close: &Close{Channel: c.ID, Claim: 5, Voucher: w.voucher(c, 5)}})
	alice0 := p.add("alice 0", "alice", send(1))
	alice1 := p.add("alice 1", "alice", send(2))
	unsigned := bytes.Clone(alice0)
	unsigned[len(unsigned)-1] ^= 1
	var crowd [][]byte
	for range 4 * MaxTxBytes / 2 / len(alice0) {
		crowd = append(crowd, p.add("carol", "carol", Body{Transfer: &Transfer{To: addr("bob"), Amount: 1}}))
	}
	for name, c := range map[string]struct {
		txs  [][]byte
		want error
	}{
		"empty":              {nil, nil},
		"good":               {[][]byte{closing, alice0, alice1}, nil},
		"close not first":    {[][]byte{alice0, closing}, ErrProposal},
		"nonces in disorder": {[][]byte{alice1, alice0}, ErrProposal},
		"twice the same":     {[][]byte{alice0, alice0}, ErrProposal},
		"forged":             {[][]byte{unsigned}, ErrProposal},
		"no transaction":     {[][]byte{{1, 2, 3}}, ErrProposal},
		"nothing":            {[][]byte{nil}, ErrProposal},
		"half of the space":  {crowd[:len(crowd)*9/10], nil},
		"more than half":     {crowd, ErrProposal},
	} {
		if err := w.CheckProposal(w.next(), c.txs); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestBlockSize(t *testing.T) {
	for _, c := range []struct{ bytes, want int }{{0, 2}, {1, 3}, {127, 129}, {128, 131}, {16383, 16386}, {16384, 16388}} {
		if got := blockSize(make([]byte, c.bytes)); got != int64(c.want) {
			t.Errorf("%d bytes take %d, want %d", c.bytes, got, c.want)
		}
	}
}
