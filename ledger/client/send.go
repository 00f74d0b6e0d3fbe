package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/zennet/zennet/ledger/chain"
	"github.com/zennet/zennet/ledger/node/wire"
	"github.com/zennet/zennet/ledger/types"
)

// How long a Broadcast waits before it looks again.
const (
	resend   = 2 * time.Second // after sending: look it up and send again
	patience = 4 * time.Second // with a nonce that is prepared and not sent
	retries  = 5               // of a Submit whose nonce another process took
)

// Submit is Prepare and Broadcast. Where another process took the nonce first,
// it prepares again.
func (c *Client) Submit(ctx context.Context, key types.PrivateKey, body chain.Body) (Receipt, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	for try := 1; ; try++ {
		tx, err := c.Prepare(ctx, key, body)
		if err != nil {
			return Receipt{}, err
		}
		receipt, err := c.Broadcast(ctx, tx)
		if try == retries || !errors.Is(err, errStale) {
			return receipt, err
		}
	}
}

// errStale is the ErrRejected of a transaction whose nonce another one used.
var errStale = fmt.Errorf("%w: its nonce was used by another transaction", ErrRejected)

// Broadcast sends a transaction and waits until its block is final and its
// result is proven by the next header. It may be called again for the same
// transaction, also by another process and after a crash: one that is on the
// ledger already returns its receipt. A transaction that the ledger refuses, or
// that was included but failed, is ErrRejected with the ledger's words; one whose
// fate is unknown when ctx ends is ErrUnavailable.
func (c *Client) Broadcast(ctx context.Context, tx chain.Tx) (Receipt, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	wait := c.sends.add(tx.ID(), c.heads)
	defer c.sends.remove(wait)
	account := c.nonces.of(tx.Body.From)
	if !free(tx.Body) {
		defer account.sending(tx.Body.Nonce)()
	}
	at, included, err := c.deliver(ctx, tx, wait)
	switch {
	case err == nil && !free(tx.Body):
		account.used(tx.Body.Nonce)
	case errors.Is(err, ErrRejected) && !free(tx.Body):
		account.refused(tx.Body.Nonce)
	}
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{Tx: wait.id, Height: at, Fee: included.Result.Fee}
	if included.Result.Code != chain.CodeOK {
		return receipt, fmt.Errorf("%w: %s", ErrRejected, included.Result.Log)
	}
	return receipt, nil
}

// deliver sends until the transaction is found in a block, or refused.
func (c *Client) deliver(ctx context.Context, tx chain.Tx, wait *send) (int64, Included, error) {
	raw := chain.EncodeTx(tx)
	pause := 20 * time.Millisecond
	for {
		refusal, err := c.post(ctx, raw)
		known := refusal != ""
		if known || wait.sent {
			// Known to the node, refused, or sent before: it may be in a block that
			// nobody scans any more.
			at, included, found, lookErr := c.find(ctx, wait.id)
			if found {
				return at, included, nil
			}
			err = errors.Join(err, lookErr)
		}
		if err == nil && known && refusal != pending {
			stale, later, judgeErr := c.judge(ctx, tx)
			switch {
			case judgeErr != nil:
				err = judgeErr
			case stale:
				return c.lost(ctx, wait.id)
			case !later:
				return 0, Included{}, fmt.Errorf("%w: %s", ErrRejected, refusal)
			}
		}
		if err != nil && !errors.Is(err, ErrUnavailable) {
			return 0, Included{}, err
		}
		d := resend
		if err != nil {
			d, pause = pause, min(2*pause, 500*time.Millisecond)
		}
		wait.sent = true
		switch found, more := c.await(ctx, wait, d); {
		case found != nil:
			return found.at, found.included, nil
		case !more:
			return 0, Included{}, c.outOfTime(ctx, err)
		}
		if err == nil {
			c.fillGap(ctx, tx)
		}
	}
}

// pending is the refusal of a transaction that waits in the node already.
const pending = "tx already exists in cache"

// post hands the transaction to the node; refusal is "" where it was taken.
func (c *Client) post(ctx context.Context, raw []byte) (refusal string, err error) {
	var answer ctypes.ResultBroadcastTx
	err = c.rpc.call(ctx, "broadcast_tx_sync", map[string]any{"tx": raw}, &answer)
	var refused *answerError
	switch {
	case errors.As(err, &refused) && refused.text == pending:
		return pending, nil
	case errors.As(err, &refused): // the mempool is full or the node catches up
		return "", fmt.Errorf("%w: %s", ErrUnavailable, refused.text)
	case err != nil:
		return "", err
	case answer.Code != 0:
		return cmp.Or(answer.Log, "no reason given"), nil
	}
	return "", nil
}

// judge tells what a refused transaction's nonce says: stale, it was used by
// another; later, it is further ahead than a node keeps, and may come again.
func (c *Client) judge(ctx context.Context, tx chain.Tx) (stale, later bool, err error) {
	if free(tx.Body) {
		return false, false, nil
	}
	next, err := c.nonceOf(ctx, tx.Body.From)
	if err != nil {
		return false, false, err
	}
	return tx.Body.Nonce < next, tx.Body.Nonce > next+chain.NonceWindow, nil
}

// lost decides about a transaction whose nonce is past: its own inclusion may
// just have used it.
func (c *Client) lost(ctx context.Context, id types.Hash) (int64, Included, error) {
	at, included, found, err := c.find(ctx, id)
	if err == nil && !found {
		err = errStale
	}
	return at, included, err
}

// Tx finds a transaction that is on the ledger, with its result and the height
// of its block, both verified. ErrNotFound is the node's word: it may not have
// seen the transaction, or have pruned it.
func (c *Client) Tx(ctx context.Context, id types.Hash) (Included, int64, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	type place struct {
		included Included
		at       int64
	}
	p, err := retry(ctx, func() (place, error) {
		at, included, found, err := c.find(ctx, id)
		if err == nil && !found {
			err = fmt.Errorf("transaction %s: %w", id.Short(), ErrNotFound)
		}
		return place{included, at}, err
	})
	return p.included, p.at, err
}

// find asks the node where a transaction is, and reads it there.
func (c *Client) find(ctx context.Context, id types.Hash) (at int64, included Included, found bool, err error) {
	var answer wire.TxAt
	if err := c.rpc.call(ctx, wire.MethodTx, map[string]any{"id": id[:]}, &answer); err != nil {
		return 0, included, false, missing(err, "transaction %s", id.Short())
	}
	if !answer.Found {
		return 0, included, false, nil
	}
	if _, ok := c.heads.wait(ctx, answer.Height+1); !ok {
		return 0, included, false, c.outOfTime(ctx, nil)
	}
	block, err := c.blocks.get(ctx, answer.Height)
	if err != nil {
		return 0, included, false, err
	}
	for _, included := range block.Txs {
		if included.Tx.ID() == id {
			return answer.Height, included, true, nil
		}
	}
	return 0, included, false, fmt.Errorf("%w: transaction %s is not in block %d", ErrProof, id.Short(), answer.Height)
}

// fillGap uses up a nonce that this client handed out and nobody will send, when
// transactions wait behind it: the smallest transfer does.
func (c *Client) fillGap(ctx context.Context, tx chain.Tx) {
	if free(tx.Body) {
		return
	}
	from := tx.Body.From
	next, err := c.nonceOf(ctx, from)
	if err != nil || next >= tx.Body.Nonce {
		return
	}
	key, ok := c.nonces.of(from).gap(next, patience)
	if !ok {
		return
	}
	for _, a := range c.cfg.Genesis.Accounts {
		if a.Address == from {
			continue
		}
		body := chain.Body{From: from, Nonce: next, Transfer: &chain.Transfer{To: a.Address, Amount: 1}}
		if header, err := c.recent(ctx); err == nil {
			body.Fee = chain.FeeOf(c.cfg.Genesis.Params, body, header.Time)
			refusal, err := c.post(ctx, chain.EncodeTx(body.Sign(key, c.ledger)))
			c.log.Warn("a nonce was prepared and never sent; filled it", "account", from, "nonce", next, "refusal", refusal, "err", err)
		}
		return
	}
}

// sends are the transactions that Broadcasts wait for.
type sends struct {
	mu      sync.Mutex
	waiting map[types.Hash][]*send
	scanned int64         // blocks up to here were looked through
	wake    chan struct{} // somebody waits
}

// send is one Broadcast that waits.
type send struct {
	id    types.Hash
	sent  bool // at least once
	found chan foundTx
}

type foundTx struct {
	at       int64
	included Included
}

func newSends() *sends {
	return &sends{waiting: map[types.Hash][]*send{}, wake: make(chan struct{}, 1)}
}

// add must come before the transaction is sent: blocks that are final by then
// cannot hold it, unless it was sent before.
func (s *sends) add(id types.Hash, h *heads) *send {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.scanned, _ = h.now()
	}
	w := &send{id: id, found: make(chan foundTx, 1)}
	s.waiting[id] = append(s.waiting[id], w)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return w
}

func (s *sends) remove(w *send) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.waiting[w.id][:0:0]
	for _, o := range s.waiting[w.id] {
		if o != w {
			rest = append(rest, o)
		}
	}
	if s.waiting[w.id] = rest; len(rest) == 0 {
		delete(s.waiting, w.id)
	}
}

// next is the next block to look through; false where nobody waits.
func (s *sends) next() (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scanned + 1, len(s.waiting) > 0
}

func (s *sends) deliver(block Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scanned = max(s.scanned, block.Header.Height)
	for _, included := range block.Txs {
		for _, w := range s.waiting[included.Tx.ID()] {
			select {
			case w.found <- foundTx{block.Header.Height, included}:
			default:
			}
		}
	}
}

// scan looks through every new block while somebody waits for a transaction.
func (c *Client) scan(ctx context.Context) {
	for ctx.Err() == nil {
		height, waits := c.sends.next()
		if !waits {
			select {
			case <-c.sends.wake:
			case <-ctx.Done():
			}
			continue
		}
		if _, ok := c.heads.wait(ctx, height+1); !ok {
			return
		}
		block, err := c.blocks.get(ctx, height)
		if err != nil {
			c.log.Debug("block not read", "height", height, "err", err)
			sleep(ctx, 100*time.Millisecond)
			continue
		}
		c.sends.deliver(block)
	}
}

// await waits for the transaction to be found, at most d; more is false when ctx
// ended.
func (c *Client) await(ctx context.Context, w *send, d time.Duration) (found *foundTx, more bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case f := <-w.found:
		return &f, true
	case <-timer.C:
		return nil, true
	case <-ctx.Done():
		return nil, false
	}
}
