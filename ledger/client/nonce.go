package client

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/types"
)

// nonces hands out each account's nonces to concurrent callers, one after
// another, and takes back those whose transaction was refused.
type nonces struct {
	mu       sync.Mutex
	accounts map[types.Address]*account
}

// account is what one client knows of an account's nonces.
type account struct {
	turn chan struct{} // holds one token: who has it hands out nonces

	mu    sync.Mutex
	key   types.PrivateKey     // zero until a nonce is handed out
	asked bool                 // known says something
	known uint64               // the ledger's next nonce is at least this
	moved chan struct{}        // closed when known grows
	gaps  time.Time            // when gaps were looked for
	fresh bool                 // next was compared with the ledger after the last failure
	next  uint64               // the lowest that was never handed out
	free  []uint64             // below next, refused by the ledger; sorted
	out   map[uint64]time.Time // handed out, fate unknown; since when
	live  map[uint64]int       // of a Broadcast that waits
	lost  map[uint64][]byte    // sent by a Broadcast that gave up; its fate is unknown
}

func newNonces() *nonces { return &nonces{accounts: map[types.Address]*account{}} }

func (n *nonces) of(addr types.Address) *account {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[addr]
	if a == nil {
		a = &account{turn: make(chan struct{}, 1), moved: make(chan struct{}), out: map[uint64]time.Time{}, live: map[uint64]int{}, lost: map[uint64][]byte{}}
		a.turn <- struct{}{}
		n.accounts[addr] = a
	}
	return a
}

// take hands out a nonce; ask gives the ledger's next one where that is needed.
func (a *account) take(ctx context.Context, key types.PrivateKey, ask func(context.Context) (uint64, error)) (uint64, error) {
	select {
	case <-a.turn:
		defer func() { a.turn <- struct{}{} }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	a.mu.Lock()
	a.key = key
	fresh := a.fresh
	a.mu.Unlock()
	if !fresh {
		ledger, err := ask(ctx)
		if err != nil {
			return 0, err
		}
		a.resync(ledger)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	nonce := a.next
	if len(a.free) > 0 {
		nonce, a.free = a.free[0], a.free[1:]
	} else {
		a.next++
	}
	a.out[nonce] = time.Now()
	return nonce, nil
}

// resync forgets what the ledger's next nonce shows to be past, and starts
// there where nothing is under way.
func (a *account) resync(ledger uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(ledger)
	for nonce := range a.out {
		if nonce < ledger {
			delete(a.out, nonce)
		}
	}
	a.free = slices.DeleteFunc(a.free, func(n uint64) bool { return n < ledger })
	if len(a.out) == 0 && len(a.live) == 0 {
		a.free, a.next = nil, ledger
	}
	a.next = max(a.next, ledger)
	for n := ledger; n < a.next; n++ {
		_, out := a.out[n]
		if i, free := slices.BinarySearch(a.free, n); !free && !out && a.live[n] == 0 {
			a.free = slices.Insert(a.free, i, n)
		}
	}
	a.fresh = true
}

// sending notes that a Broadcast waits for a nonce, also one that an earlier
// process handed out; done takes the note back.
func (a *account) sending(nonce uint64) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[nonce]++
	if nonce >= a.next && nonce-a.next <= chain.NonceWindow {
		a.fresh = a.fresh && nonce == a.next // those between were never handed out here
		a.next = nonce + 1
	}
	a.free = slices.DeleteFunc(a.free, func(n uint64) bool { return n == nonce })
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.live[nonce]--; a.live[nonce] == 0 {
			delete(a.live, nonce)
		}
	}
}

// maxLost bounds the transactions of unknown fate that an account remembers.
const maxLost = 2 * chain.NonceWindow

// unknown remembers a transaction that was sent and whose Broadcast gives up: the
// node may have lost it, and then the ledger waits for its nonce.
func (a *account) unknown(nonce uint64, raw []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.lost) < maxLost && nonce >= a.known {
		a.lost[nonce] = raw
	}
}

// lostAt is the transaction of unknown fate with this nonce, if no Broadcast waits
// for it.
func (a *account) lostAt(nonce uint64) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live[nonce] > 0 {
		return nil
	}
	return a.lost[nonce]
}

// used notes that a transaction with this nonce is on the ledger.
func (a *account) used(nonce uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.out, nonce)
	a.advance(nonce + 1)
}

// advance notes that the ledger's next nonce is at least this. mu is held.
func (a *account) advance(ledger uint64) {
	if ledger > a.known || !a.asked {
		a.asked, a.known = true, max(ledger, a.known)
		maps.DeleteFunc(a.lost, func(n uint64, _ []byte) bool { return n < a.known })
		close(a.moved)
		a.moved = make(chan struct{})
	}
}

// turnOf waits, for some seconds at most, until a nonce is within the window in
// which nodes keep a transaction for later.
func (a *account) turnOf(ctx context.Context, nonce uint64) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		a.mu.Lock()
		known, asked, moved := a.known, a.asked, a.moved
		a.mu.Unlock()
		if !asked || nonce <= known+chain.NonceWindow {
			return nil
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil // other processes may have moved it; the node will tell
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refused gives a nonce back: no transaction with it is on the ledger, nor will
// the one that was refused. Whether the ledger is further is asked before the
// next is handed out.
func (a *account) refused(nonce uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fresh = false
	if _, ok := a.out[nonce]; !ok {
		return
	}
	delete(a.out, nonce)
	delete(a.lost, nonce)
	if i, found := slices.BinarySearch(a.free, nonce); !found {
		a.free = slices.Insert(a.free, i, nonce)
	}
}

// gapDue tells whether it is time to look for a gap; one look serves all who wait.
func (a *account) gapDue() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.gaps) < resend/2 {
		return false
	}
	a.gaps = time.Now()
	return true
}

// gap tells whether nobody is about to use the nonce that the ledger waits for,
// though it was handed out here; if so it takes it and gives the account's key.
func (a *account) gap(ledger uint64, patience time.Duration) (types.PrivateKey, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live[ledger] > 0 || ledger >= a.next || a.key.IsZero() {
		return types.PrivateKey{}, false
	}
	if since, ok := a.out[ledger]; ok && time.Since(since) < patience {
		return types.PrivateKey{}, false
	}
	a.out[ledger] = time.Now()
	a.free = slices.DeleteFunc(a.free, func(n uint64) bool { return n == ledger })
	return a.key, true
}

// Prepare fills in what the signer must know of the ledger — From, the next
// Nonce, the Fee — and signs. Nothing is sent: store the transaction if it must
// not be made twice, then Broadcast it. Concurrent calls for one key get
// consecutive nonces; what is prepared but never sent holds up later ones until
// [Client.Discard], or for some seconds.
func (c *Client) Prepare(ctx context.Context, key types.PrivateKey, body chain.Body) (chain.Tx, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	body.From, body.Nonce, body.Fee = key.Address(), 0, 0
	if free(body) {
		return body.Sign(key, c.ledger), nil
	}
	header, err := c.recent(ctx)
	if err != nil {
		return chain.Tx{}, err
	}
	nonce, err := c.nonces.of(body.From).take(ctx, key, func(ctx context.Context) (uint64, error) {
		return c.nonceOf(ctx, body.From)
	})
	if err != nil {
		return chain.Tx{}, err
	}
	body.Nonce, body.Fee = nonce, chain.FeeOf(c.cfg.Genesis.Params, body, header.Time)+mark()
	return body.Sign(key, c.ledger), nil
}

// mark is added to the fee that is offered, of which only what is due is taken:
// two processes that ask for the same thing with one key and one nonce must not
// make one transaction of it.
func mark() types.Amount { return types.Amount(rand.Uint32N(1 << 16)) }

// Discard says that a prepared transaction will never be sent.
func (c *Client) Discard(tx chain.Tx) {
	if !free(tx.Body) {
		c.nonces.of(tx.Body.From).refused(tx.Body.Nonce)
	}
}

// free tells whether a transaction takes neither nonce nor fee (PROTOCOL.md 3.3).
func free(b chain.Body) bool { return b.Close != nil || b.Refund != nil }

// recent is the newest header that is verified already, or the newest there is.
// Fees only fall with time, so an older one is good enough for them.
func (c *Client) recent(ctx context.Context) (Header, error) {
	if h, _ := c.light.newest(); h != nil {
		return Header{h.Height, h.Time.Unix()}, nil
	}
	return c.Header(ctx)
}
